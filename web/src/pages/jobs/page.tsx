// The list of jobs: filter, search, sort - and, sorted as the queue, who goes first.
import { useDeferredValue, useState } from "react";

import { useTexts } from "../../i18n";
import { Paged } from "../../parts/more";
import { ButtonLink, Empty, ErrorNote, Input, PageHead, Select } from "../../parts/ui";
import { setQuery, useQueryParams, useTitle } from "../../router";
import { useMay } from "../../session";
import { statuses } from "../../types";
import { type JobFilter, useChangeJob, useJobs } from "./queries";
import { Queue } from "./queue";
import { JobRow } from "./row";

export default function JobsPage() {
  const { t, of } = useTexts();
  const query = useQueryParams();
  const [q, setQ] = useState(query.get("q") ?? "");
  const status = query.get("status") ?? "";
  const sort = (query.get("sort") ?? "created") as NonNullable<JobFilter["sort"]>;
  const filter: JobFilter = { status: sort === "queue" ? "queued" : status, sort, q: useDeferredValue(q.trim()) };
  const dataset = query.get("dataset");
  if (dataset) filter.dataset = dataset;
  const list = useJobs(filter);
  const change = useChangeJob();
  const may = useMay("engineer");
  useTitle(t("jobs"));
  return (
    <>
      <PageHead title={t("jobs")}>{may && <ButtonLink look="primary" href="/app/train">{t("train.new")}</ButtonLink>}</PageHead>
      <div className="mb-4 flex flex-wrap items-end gap-3">
        <Select label={t("status")} value={filter.status ?? ""} onChange={(to) => setQuery({ status: to, ...(sort === "queue" ? { sort: "" } : {}) })}
          options={[["", t("all")], ["pending,queued,running", t("jobs.open")], ...statuses.map((s): [string, string] => [s, of("status", s)])]} />
        <Select label={t("sort")} value={sort} onChange={(to) => setQuery({ sort: to === "created" ? "" : to })}
          options={[["created", t("sort.created")], ["name", t("name")], ["status", t("status")], ["score", t("sort.score")], ["queue", t("sort.queue")]]} />
        <div className="min-w-40 flex-1 sm:max-w-72">
          <Input type="search" aria-label={t("search")} placeholder={t("search")} value={q} onChange={(e) => setQ(e.target.value)} />
        </div>
      </div>
      {change.isError && <div className="mb-4"><ErrorNote error={change.error} /></div>}
      <Paged of={list} items={(page) => page.jobs}
        empty={<Empty title={q || status ? t("nothingFound") : sort === "queue" ? t("queue.empty") : t("jobs.none")}>
          {may && !q && !status && <ButtonLink look="primary" href="/app/train">{t("train.new")}</ButtonLink>}
        </Empty>}>
        {(all) => (
          sort === "queue" ? <Queue jobs={all} change={change} may={may} /> : (
            <ul className="card divide-y divide-border !p-0">{all.map((job) => <JobRow key={job.job} job={job} />)}</ul>
          )
        )}
      </Paged>
    </>
  );
}
