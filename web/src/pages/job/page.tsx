// A job, live: how it stands, its curves, how good it is, a place to try it, its log, what it is made of.
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { lazy, Suspense } from "react";

import { useTexts } from "../../i18n";
import { Loading, PageHead, Show, TabPanel, Tabs } from "../../parts/ui";
import { Link, setQuery, useQueryParams, useTitle } from "../../router";
import { useMay } from "../../session";
import type { Job, Warning } from "../../types";
import { humanise } from "../train/form";
import { Actions } from "./actions";
import { Details } from "./details";
import { Log } from "./log";
import { Predict } from "./predict";
import { courseOf, useJob, useLive, useMetrics } from "./queries";
import { SamplesView } from "./samples";
import { StatusCard } from "./status";
import { ValidationView } from "./validation";

const Charts = lazy(() => import("./charts"));
const System = lazy(() => import("./system"));
const tabs = ["charts", "validation", "samples", "try", "system", "log", "details"] as const;
const ofTraining = new Set<string>(["charts", "samples", "system"]);

/** What the server found doubtful in the settings when the job was made. */
function Warnings({ job }: { job: Job }) {
  const { t, of } = useTexts();
  const client = useQueryClient();
  const kept = useQuery<Warning[]>({
    queryKey: ["job", job.job, "warnings"], queryFn: () => client.getQueryData<Warning[]>(["job", job.job, "warnings"]) ?? [], staleTime: Infinity,
  });
  if (!kept.data?.length) return null;
  return (
    <div role="status" className="mb-6 rounded border border-warning/50 bg-warning/5 px-4 py-3 text-sm">
      <p className="font-medium">{t("job.warnings")}</p>
      <ul className="mt-1 list-disc space-y-1 pl-5">
        {kept.data.map((w) => {
          const label = of("field", w.field);
          return <li key={w.field + w.message}><b className="font-medium">{label === w.field ? humanise(w.field) : label}</b>: {w.message}</li>;
        })}
      </ul>
    </div>
  );
}

function Curves({ job }: { job: Job }) {
  const metrics = useMetrics(job.job);
  const course = useQuery(courseOf(job.job));
  return (
    <Show of={course} lines={6}>
      {(c) => <Suspense fallback={<Loading lines={6} />}><Charts job={job} course={c} metrics={metrics.data?.metrics ?? {}} /></Suspense>}
    </Show>
  );
}

function Load({ job }: { job: Job }) {
  const course = useQuery(courseOf(job.job));
  return <Show of={course} lines={6}>{(c) => <Suspense fallback={<Loading lines={6} />}><System course={c} /></Suspense>}</Show>;
}

function JobView({ job }: { job: Job }) {
  const { t } = useTexts();
  const query = useQueryParams();
  const may = useMay("engineer");
  const live = useLive(job.job, job);
  const tab = tabs.find((one) => one === query.get("tab")) ?? (job.kind === "test" ? "validation" : "charts");
  const labels = { charts: t("chart"), validation: t("validation"), samples: t("watch.samples"), try: t("try"), system: t("watch.system"), log: t("log"), details: t("details") };
  useTitle(job.name);
  return (
    <>
      <PageHead title={job.name} above={<Link href="/app/jobs" className="link text-sm">{t("jobs")}</Link>}>
        {may && <Actions job={job} />}
      </PageHead>
      <StatusCard job={job} live={live} />
      <Warnings job={job} />
      <Tabs label={job.name} value={tab} onChange={(to) => setQuery({ tab: to })}
        tabs={tabs.filter((one) => job.kind === "train" || !ofTraining.has(one)).map((one) => [one, labels[one]])} />
      <TabPanel label={labels[tab]}>
        {tab === "charts" && <Curves job={job} />}
        {tab === "validation" && <ValidationView job={job} />}
        {tab === "samples" && <SamplesView job={job} />}
        {tab === "system" && <Load job={job} />}
        {tab === "try" && <Predict job={job} />}
        {tab === "log" && <Log id={job.job} />}
        {tab === "details" && <Details job={job} />}
      </TabPanel>
    </>
  );
}

export default function JobPage({ id }: { id: string }) {
  const job = useJob(id);
  return <Show of={job}>{(one) => <JobView job={one} />}</Show>;
}
