// What there is, and the next step in one click.
import { useTexts } from "../../i18n";
import { Paged } from "../../parts/more";
import { ButtonLink, Card, Empty, PageHead } from "../../parts/ui";
import { UploadPlace, Uploads } from "../../parts/upload";
import { Link, useTitle } from "../../router";
import { useMay, useSession } from "../../session";
import { useDatasets } from "../datasets/queries";
import { DatasetRow } from "../datasets/row";
import { useJobs } from "../jobs/queries";
import { JobRow } from "../jobs/row";

const SHOWN = 5;

function Steps({ data, jobs, done, dataset }: { data: boolean; jobs: boolean; done: string | undefined; dataset: string | undefined }) {
  const { t } = useTexts();
  const steps = [
    { done: data, text: t("home.step1"), link: <ButtonLink href="/app/datasets">{t("datasets")}</ButtonLink> },
    { done: jobs, text: t("home.step2"), link: <ButtonLink look="primary" href={dataset ? `/app/train?dataset=${dataset}` : "/app/train"}>{t("train.start")}</ButtonLink> },
    { done: false, text: t("home.step3"), link: done && <ButtonLink look="primary" href={`/app/jobs/${done}?tab=try`}>{t("try")}</ButtonLink> },
  ];
  const next = steps.findIndex((s) => !s.done);
  return (
    <ol className="grid gap-3 sm:grid-cols-3">
      {steps.map((s, i) => (
        <li key={i} aria-current={i === next ? "step" : undefined}
          className={`flex flex-col sm:min-h-24 justify-between gap-3 rounded border p-4 ${i === next ? "border-primary bg-surface" : "border-border"}`}>
          <p className="flex gap-3 text-sm">
            <span aria-hidden="true" className={`grid h-6 w-6 shrink-0 place-items-center rounded-full border text-xs ${s.done ? "border-success text-success" : i === next ? "border-primary text-primary" : "border-border text-muted"}`}>
              {s.done ? "✓" : i + 1}
            </span>
            <span className={i > next ? "text-muted" : ""}>{s.text}{s.done && <span className="sr-only"> ({t("home.done")})</span>}</span>
          </p>
          {(i === next && i > 0) && <div>{s.link}</div>}
        </li>
      ))}
    </ol>
  );
}

export default function Home() {
  const { t } = useTexts();
  const { me } = useSession();
  const may = useMay("engineer");
  const datasets = useDatasets();
  const jobs = useJobs({ limit: SHOWN });
  useTitle("");
  const haveData = Boolean(datasets.data?.pages[0]?.datasets.some((d) => d.versions > 0));
  const allJobs = jobs.data?.pages[0]?.jobs ?? [];
  const done = allJobs.find((j) => j.status === "completed" && j.kind === "train");
  const trainable = datasets.data?.pages[0]?.datasets.find((d) => d.task === "classification" && d.versions > 0);
  return (
    <>
      <PageHead title={t("home.hello", { name: me.name || me.email })} />
      <div className="space-y-6">
        {datasets.data && jobs.data && <Steps data={haveData} jobs={allJobs.length > 0} done={done?.job} dataset={trainable?.id} />}
        {may && <UploadPlace title={haveData ? t("upload.title") : t("upload.first")} />}
        <Uploads />
        <div className="grid gap-6 xl:grid-cols-2">
          <Card title={t("home.datasets")} aside={<Link className="link text-sm" href="/app/datasets">{t("showEvery")}</Link>} className="!px-0 !pb-1 [&>div:first-child]:px-4">
            <Paged of={{ ...datasets, hasNextPage: false } as typeof datasets} items={(page) => page.datasets.slice(0, SHOWN)}
              empty={<div className="px-4 pb-3"><Empty title={t("dataset.none")} /></div>}>
              {(all) => <ul className="divide-y divide-border border-t border-border">{all.slice(0, SHOWN).map((one) => <DatasetRow key={one.id} dataset={one} />)}</ul>}
            </Paged>
          </Card>
          <Card title={t("home.jobs")} aside={<Link className="link text-sm" href="/app/jobs">{t("showEvery")}</Link>} className="!px-0 !pb-1 [&>div:first-child]:px-4">
            <Paged of={{ ...jobs, hasNextPage: false } as typeof jobs} items={(page) => page.jobs}
              empty={<div className="px-4 pb-3"><Empty title={t("jobs.none")} /></div>}>
              {(all) => <ul className="divide-y divide-border border-t border-border">{all.slice(0, SHOWN).map((one) => <JobRow key={one.job} job={one} />)}</ul>}
            </Paged>
          </Card>
        </div>
      </div>
    </>
  );
}
