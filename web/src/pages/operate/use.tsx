// What every account uses, and what it may.
import { type FormEvent, useState } from "react";

import { Problem } from "../../api";
import { useTexts } from "../../i18n";
import { IconButton } from "../../parts/button";
import { icons } from "../../parts/icons";
import { type Column, DataTable } from "../../parts/table";
import { Button, Dialog, ErrorNote, Field, Input, Show } from "../../parts/ui";
import { type Quota, useQuotas, useSetQuota } from "./queries";

const GIB = 2 ** 30;

function Edit({ quota, onClose }: { quota: Quota; onClose: () => void }) {
  const { t } = useTexts();
  const set = useSetQuota();
  const [jobs, setJobs] = useState(quota.jobs_max < 0 ? "" : String(quota.jobs_max));
  const [gib, setGib] = useState(quota.bytes_max < 0 ? "" : String(quota.bytes_max / GIB));
  const field = set.error instanceof Problem ? set.error.field : undefined;
  const submit = (e: FormEvent) => {
    e.preventDefault();
    set.mutate({ id: quota.user_id, jobs_max: jobs === "" ? -1 : Number(jobs), bytes_max: gib === "" ? -1 : Math.round(Number(gib) * GIB) }, { onSuccess: onClose });
  };
  return (
    <Dialog title={t("quota.edit", { name: quota.name || quota.email })} onClose={onClose}>
      <form onSubmit={submit} className="space-y-4">
        <Field label={t("quota.jobsMax")} help={t("quota.jobsHelp")} error={field === "jobs_max" ? set.error?.message : undefined}>
          <Input type="number" min={0} max={10_000} value={jobs} onChange={(e) => setJobs(e.target.value)} />
        </Field>
        <Field label={t("quota.gib")} help={t("quota.bytesHelp")} error={field === "bytes_max" ? set.error?.message : undefined}>
          <Input type="number" min={0} step="any" value={gib} onChange={(e) => setGib(e.target.value)} />
        </Field>
        {set.isError && !field && <ErrorNote error={set.error} />}
        <div className="flex justify-end gap-2">
          <Button onClick={onClose}>{t("back")}</Button>
          <Button type="submit" look="primary" busy={set.isPending}>{t("quota.save")}</Button>
        </div>
      </form>
    </Dialog>
  );
}

export function UseTab() {
  const { t, number, bytes } = useTexts();
  const quotas = useQuotas();
  const [edited, setEdited] = useState<Quota>();
  const count = (key: "running" | "waiting" | "jobs" | "datasets", title: string, width = 100): Column<Quota> =>
    ({ key, title, width, align: "right", value: (one) => one[key], cell: (one) => number(one[key]) });
  const columns: Column<Quota>[] = [
    { key: "account", title: t("quota.account"), width: 240, pinned: true, value: (one) => one.name || one.email },
    count("running", t("quota.running")), count("waiting", t("quota.waiting")), count("jobs", t("quota.jobs")), count("datasets", t("quota.versions"), 150),
    { key: "pictures", title: t("quota.pictures"), width: 120, align: "right", value: (one) => one.picture_bytes, cell: (one) => bytes(one.picture_bytes) },
    { key: "checkpoints", title: t("quota.checkpoints"), width: 120, align: "right", value: (one) => one.checkpoint_bytes, cell: (one) => bytes(one.checkpoint_bytes) },
    {
      key: "jobs_max", title: t("quota.jobsMax"), width: 140, align: "right", value: (one) => one.jobs_max,
      cell: (one) => (one.jobs_max < 0 ? <span className="text-muted">{t("quota.default")}</span> : number(one.jobs_max)),
    },
    {
      key: "bytes_max", title: t("quota.bytesMax"), width: 140, align: "right", value: (one) => one.bytes_max,
      cell: (one) => (one.bytes_max > 0 ? bytes(one.bytes_max) : <span className="text-muted">{t(one.bytes_max < 0 ? "quota.default" : "quota.none")}</span>),
    },
    {
      key: "edit", title: t("quota.change"), width: 100,
      cell: (one) => <IconButton d={icons.edit} className="!min-h-8" label={t("quota.edit", { name: one.name || one.email })} onClick={() => setEdited(one)} />,
    },
  ];
  return (
    <>
      <Show of={quotas} lines={6}>{(all) => <DataTable label={t("operate.use")} rows={all} columns={columns} id={(one) => one.user_id} />}</Show>
      {edited && <Edit quota={edited} onClose={() => setEdited(undefined)} />}
    </>
  );
}
