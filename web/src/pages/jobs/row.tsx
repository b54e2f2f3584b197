// A job in a list.
import type { ReactNode } from "react";

import { useTexts } from "../../i18n";
import { Progress, StatusBadge } from "../../parts/ui";
import { Link } from "../../router";
import type { Job } from "../../types";

export function JobRow({ job, before, children, dragged }: { job: Job; before?: ReactNode; children?: ReactNode; dragged?: boolean }) {
  const { t, number, ago, said, score } = useTexts();
  return (
    <li className={`relative flex flex-wrap items-center gap-x-4 gap-y-2 px-4 py-3 hover:bg-raised/50 ${dragged ? "z-10 bg-raised shadow-lg outline outline-2 outline-primary" : ""}`}>
      {before}
      <div className="min-w-0 flex-1 basis-52">
        <Link href={`/app/jobs/${job.job}`} className="block truncate font-medium after:absolute after:inset-0">
          {job.starred && <span aria-label={t("starred")}>★ </span>}{job.name}
        </Link>
        <p className="truncate text-sm text-muted">
          {job.model} · {job.dataset_name}
          {job.status === "queued" && job.queue_place > 0 && ` · ${t("job.place", { n: job.queue_place })}`}
          {` · ${ago(job.created_at)}`}
          {job.waiting_reason && ` · ${said(job.waiting_reason)}`}
        </p>
      </div>
      {job.status === "running" && (
        <div className="w-32 space-y-1">
          <Progress value={job.progress} label={job.name} />
          <p className="numbers text-xs text-muted">{t("job.epochOf", { epoch: job.epoch, epochs: job.epochs })}</p>
        </div>
      )}
      <div className="flex flex-col items-end gap-1 sm:flex-row sm:items-center sm:gap-4">
        {job.best && <span className="numbers text-sm" title={`${score(job.best.metric)}, ${t("epoch")} ${job.best.epoch}`}>{number(job.best.value, 3)}</span>}
        <StatusBadge status={job.status} paused={job.paused} />
      </div>
      {children}
    </li>
  );
}
