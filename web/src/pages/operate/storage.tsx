// What the object store holds, bucket by bucket, and how whole it is.
import { useTexts } from "../../i18n";
import { type Column, DataTable } from "../../parts/table";
import { Badge, Bar, Card, Show } from "../../parts/ui";
import { type BucketSize, type Storage, useStorage } from "./queries";

function Number({ title, value, note }: { title: string; value: string; note?: string | undefined }) {
  return (
    <div className="min-w-0">
      <p className="text-xs text-muted">{title}</p>
      <p className="numbers text-xl font-semibold">{value}</p>
      {note && <p className="text-xs text-muted">{note}</p>}
    </div>
  );
}

function Integrity({ storage }: { storage: Storage }) {
  const { t, ago } = useTexts();
  const { damaged, scrubbed_at, scrub_done, scrub_pending } = storage;
  return (
    <Card title={t("storage.integrity")} aside={<Badge tone={damaged ? "destructive" : "success"}>{damaged ? t("storage.damaged", { n: damaged }) : t("storage.whole")}</Badge>}>
      <p className="text-sm">{scrubbed_at ? t("storage.scrubbed", { when: ago(scrubbed_at) }) : t("storage.never")}</p>
      {scrub_pending > 0 && (
        <div className="mt-3 space-y-1">
          <p className="numbers text-xs text-muted">{t("storage.scrubbing", { done: scrub_done, all: scrub_done + scrub_pending })}</p>
          <Bar share={scrub_done / (scrub_done + scrub_pending)} tone="info" />
        </div>
      )}
      {damaged > 0 && <p className="mt-3 text-sm text-destructive">{t("storage.damagedText")}</p>}
    </Card>
  );
}

function Own({ storage }: { storage: Storage }) {
  const { t, number, bytes, ago } = useTexts();
  const saved = storage.object_bytes - storage.content_bytes;
  const columns: Column<BucketSize>[] = [
    { key: "name", title: t("storage.bucket"), width: 220, pinned: true, value: (one) => one.name },
    { key: "objects", title: t("storage.objects"), width: 120, align: "right", value: (one) => one.objects, cell: (one) => number(one.objects) },
    { key: "bytes", title: t("storage.size"), width: 120, align: "right", value: (one) => one.bytes, cell: (one) => bytes(one.bytes) },
    {
      key: "versions", title: t("storage.versions"), width: 160, align: "right", value: (one) => one.version_bytes,
      cell: (one) => (one.versions ? `${number(one.versions)} · ${bytes(one.version_bytes)}` : "–"),
    },
    { key: "owner", title: t("storage.owner"), width: 140, value: (one) => one.owner },
    { key: "created", title: t("created"), width: 150, value: (one) => one.created_at, cell: (one) => ago(one.created_at) },
  ];
  return (
    <div className="space-y-5">
      <div className="grid gap-5 lg:grid-cols-2">
        <Card>
          <div className="grid grid-cols-2 gap-4 sm:grid-cols-3">
            <Number title={t("storage.objects")} value={number(storage.objects)} />
            <Number title={t("storage.size")} value={bytes(storage.object_bytes)} />
            <Number title={t("storage.stored")} value={bytes(storage.content_bytes)} note={saved > 0 ? t("storage.saved", { size: bytes(saved) }) : undefined} />
          </div>
          <div className="mt-4 space-y-1">
            <div className="flex justify-between gap-3 text-xs text-muted">
              <span>{t("storage.disk")}</span>
              <span className="numbers">{t("storage.free", { free: bytes(storage.disk_free_bytes), all: bytes(storage.disk_bytes) })}</span>
            </div>
            <Bar share={storage.disk_bytes ? 1 - storage.disk_free_bytes / storage.disk_bytes : 0} tone="muted" />
            {storage.segment_dead_bytes > 0 && <p className="text-xs text-muted">{t("storage.dead", { size: bytes(storage.segment_dead_bytes) })}</p>}
          </div>
        </Card>
        <Integrity storage={storage} />
      </div>
      <DataTable label={t("storage.buckets")} rows={storage.buckets} columns={columns} id={(one) => one.name} />
    </div>
  );
}

export function StorageTab() {
  const { t } = useTexts();
  const storage = useStorage();
  return (
    <div className="space-y-5">
      <p className="max-w-prose text-sm text-muted">{t("storage.lead")}</p>
      <Show of={storage} lines={6}>
        {(one) => (one.embedded ? <Own storage={one} /> : <p className="text-sm">{t("storage.other", { endpoint: one.endpoint, bucket: one.bucket })}</p>)}
      </Show>
    </div>
  );
}
