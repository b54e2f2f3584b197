// One dataset: a version's pictures, balance and faults, and the versions themselves.
import { useQueryClient } from "@tanstack/react-query";
import { useEffect, useRef, useState } from "react";

import { useTexts } from "../../i18n";
import { Menu } from "../../parts/menu";
import { Badge, Button, ButtonLink, Empty, ErrorNote, IconButton, icons, PageHead, Progress, Select, Show, TabPanel, Tabs } from "../../parts/ui";
import { UploadPlace, Uploads } from "../../parts/upload";
import { Link, setQuery, useQueryParams, useTitle } from "../../router";
import { useMay } from "../../session";
import type { Dataset, Version } from "../../types";
import { useDataset, useImports, useVersion, useVersions } from "../datasets/queries";
import { Balance } from "./balance";
import { ClassEditor } from "./classes";
import { Describe, Remove } from "./dialogs";
import { FaultReport } from "./faults";
import { Gallery } from "./gallery";
import { SplitEditor } from "./splits";
import { Versions } from "./versions";

function Imports({ id }: { id: string }) {
  const { t, percent } = useTexts();
  const imports = useImports(id);
  const open = imports.data?.filter((one) => one.state === "queued" || one.state === "running") ?? [];
  const newest = imports.data?.[0];
  const client = useQueryClient();
  const ended = imports.data && imports.data.length - open.length;
  const before = useRef<number>();
  useEffect(() => { // one has just ended, perhaps before it was seen running
    if (before.current !== undefined && ended !== undefined && ended > before.current) void client.invalidateQueries({ queryKey: ["dataset", id] });
    before.current = ended ?? before.current;
  }, [ended, client, id]);
  return (
    <>
      {imports.isError && <div className="mb-5"><ErrorNote error={imports.error} retry={() => void imports.refetch()} /></div>}
      {open.map((one) => (
        <div key={one.import} className="card mb-5 space-y-2">
          <p className="text-sm" aria-live="polite">{t("upload.importing", { part: percent(one.progress, 0), n: one.images })}</p>
          <Progress value={one.progress} label={t("import")} />
        </div>
      ))}
      {newest?.state === "failed" && <div className="mb-5"><ErrorNote error={new Error(t("import.failed", { why: newest.error ?? "" }))} /></div>}
    </>
  );
}

const tabs = ["pictures", "balance", "faults", "versions"] as const;

function Detail({ dataset, versions }: { dataset: Dataset; versions: Version[] }) {
  const { t } = useTexts();
  const query = useQueryParams();
  const may = useMay("engineer");
  const [dialog, setDialog] = useState<"describe" | "split" | "classes" | "delete">();
  const listed = versions.find((v) => String(v.number) === query.get("version")) ?? versions[0];
  const full = useVersion(dataset.id, listed?.version);
  const version = full.data ?? listed;
  const tab = tabs.find((one) => one === query.get("tab")) ?? "pictures";
  useTitle(dataset.name);
  return (
    <>
      <PageHead title={dataset.name} above={<Link href="/app/datasets" className="link text-sm">{t("datasets")}</Link>}>
        {may && version && (
          <ButtonLink look={version.classes.length ? "plain" : "primary"} href={`/app/datasets/${dataset.id}/label${version === versions[0] ? "" : `?version=${version.number}`}`}>
            {t("label.start")}
          </ButtonLink>
        )}
        {may && version && <Button onClick={() => setDialog("split")}>{t("split.new")}</Button>}
        {may && (
          <Menu label={t("menu.more")} trigger={<IconButton label={t("menu.more")} d={icons.more} look="plain" />} items={[
            { text: t("describe"), icon: "edit", onSelect: () => setDialog("describe") },
            { text: t("reclass.do"), icon: "data", disabled: !version?.classes.length || version.task === "text", onSelect: () => setDialog("classes") }, "-",
            { text: t("delete"), icon: "trash", danger: true, onSelect: () => setDialog("delete") },
          ]} />
        )}
        {may && version && version.classes.length > 0 && (
          <ButtonLink look="primary" href={`/app/train?dataset=${dataset.id}&version=${version.number}`}>{t("train.start")}</ButtonLink>
        )}
      </PageHead>
      {dataset.description && <p className="mb-5 max-w-prose whitespace-pre-wrap text-sm text-muted">{dataset.description}</p>}
      <Imports id={dataset.id} />
      {version && !version.classes.length && may && (
        <div className="mb-5 rounded border border-info/40 bg-info/10 px-4 py-3 text-sm"><p>{t("label.needed")}</p></div>
      )}
      {version ? (
        <>
          <Summary version={version} versions={versions} />
          <Tabs label={dataset.name} value={tab} onChange={(to) => setQuery({ tab: to === "pictures" ? "" : to, picture: "" })}
            tabs={[["pictures", t("picturesWord")], ["balance", t("balance")], ["faults", `${t("faultsWord")} (${version.faults})`],
              ["versions", `${t("versions")} (${versions.length})`]]} />
          <TabPanel label={t(tab === "pictures" ? "picturesWord" : tab === "faults" ? "faultsWord" : tab)}>
            {tab === "pictures" && <Gallery key={version.version} version={version} colours={dataset.colours} />}
            {tab === "balance" && <Show of={full} lines={8}>{(v) => <Balance version={v} />}</Show>}
            {tab === "faults" && <FaultReport version={version} />}
            {tab === "versions" && <Versions versions={versions} dataset={dataset} />}
          </TabPanel>
        </>
      ) : (
        <div className="space-y-4">
          <Empty title={t("dataset.noVersion")} />
          {may && <UploadPlace name={dataset.name} title={t("upload.version")} />}
          <Uploads />
        </div>
      )}
      {dialog === "describe" && <Describe dataset={dataset} onClose={() => setDialog(undefined)} />}
      {dialog === "split" && version && <SplitEditor version={version} onClose={() => setDialog(undefined)} />}
      {dialog === "classes" && full.data && <ClassEditor key={full.data.version} version={full.data} onClose={() => setDialog(undefined)} />}
      {dialog === "delete" && <Remove dataset={dataset} onClose={() => setDialog(undefined)} />}
    </>
  );
}

function Summary({ version, versions }: { version: Version; versions: Version[] }) {
  const { t, bytes, of } = useTexts();
  return (
    <div className="mb-4 flex flex-wrap items-end gap-x-5 gap-y-3 text-sm">
      {versions.length > 1 && (
        <Select label={t("version")} value={String(version.number)} onChange={(to) => setQuery({ version: to === String(versions[0]?.number) ? "" : to })}
          options={versions.map((v) => [String(v.number), `${v.number} · ${v.version.slice(0, 8)}`])} />
      )}
      <p className="numbers flex flex-wrap items-center gap-x-3 gap-y-1 text-muted">
        <Badge>{of("task", version.task)}</Badge>
        <span>{t("pictures", { n: version.images })}</span>
        <span>{t("classes", { n: version.classes.length })}</span>
        <span>{bytes(version.bytes)}</span>
      </p>
    </div>
  );
}

export default function DatasetPage({ id }: { id: string }) {
  const dataset = useDataset(id);
  const versions = useVersions(id);
  return <Show of={dataset}>{(d) => <Show of={versions}>{(v) => <Detail dataset={d} versions={v} />}</Show>}</Show>;
}
