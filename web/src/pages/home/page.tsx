// The first page: the guided first run until there is a model, then what goes on and what came last.
import type { ReactNode } from "react";

import { useTexts } from "../../i18n";
import { Paged } from "../../parts/more";
import { Button, ButtonLink, Card, Empty, Loading, PageHead } from "../../parts/ui";
import { Link, setQuery, useQueryParams, useTitle } from "../../router";
import { useMay, useSession } from "../../session";
import { Uploads } from "../../parts/upload";
import { useDatasets } from "../datasets/queries";
import { DatasetRow } from "../datasets/row";
import { useJobs } from "../jobs/queries";
import { JobRow } from "../jobs/row";
import { FirstRun } from "./first";

const SHOWN = 6;

function Latest({ title, href, children }: { title: string; href: string; children: ReactNode }) {
  const { t } = useTexts();
  return (
    <Card title={title} aside={<Link className="link text-sm" href={href}>{t("showEvery")}</Link>} className="!px-0 !pb-1 [&>div:first-child]:px-4">
      {children}
    </Card>
  );
}
const List = ({ children }: { children: ReactNode }) => <ul className="divide-y divide-border border-t border-border">{children}</ul>;
const None = ({ children }: { children: ReactNode }) => <div className="px-4 pb-3">{children}</div>;

function Overview() {
  const { t } = useTexts();
  const datasets = useDatasets();
  const jobs = useJobs({ limit: SHOWN });
  return (
    <div className="space-y-6">
      <Uploads />
      <div className="grid items-start gap-6 xl:grid-cols-2">
        <Latest title={t("home.jobs")} href="/app/jobs">
          <Paged of={{ ...jobs, hasNextPage: false } as typeof jobs} items={(page) => page.jobs} empty={<None><Empty title={t("jobs.none")} /></None>}>
            {(all) => <List>{all.slice(0, SHOWN).map((one) => <JobRow key={one.job} job={one} />)}</List>}
          </Paged>
        </Latest>
        <Latest title={t("home.datasets")} href="/app/datasets">
          <Paged of={{ ...datasets, hasNextPage: false } as typeof datasets} items={(page) => page.datasets.slice(0, SHOWN)}
            empty={<None><Empty title={t("dataset.none")} /></None>}>
            {(all) => <List>{all.slice(0, SHOWN).map((one) => <DatasetRow key={one.id} dataset={one} />)}</List>}
          </Paged>
        </Latest>
      </div>
    </div>
  );
}

export default function Home() {
  const { t } = useTexts();
  const { me } = useSession();
  const may = useMay("engineer");
  const query = useQueryParams();
  const started = query.get("start") === "1";
  const models = useJobs({ status: "completed", limit: 1 });
  useTitle("");
  const empty = models.data && !models.data.pages[0]?.jobs.length;
  if (may && (started || empty))
    return (
      <>
        <PageHead title={t("first.title")}>
          {!empty && <Button look="quiet" onClick={() => setQuery({ start: "", dataset: "", job: "" })}>{t("first.leave")}</Button>}
        </PageHead>
        <FirstRun />
      </>
    );
  return (
    <>
      <PageHead title={t("home.hello", { name: me.name || me.email })}>
        {may && <Button onClick={() => setQuery({ start: "1" })}>{t("first.again")}</Button>}
        {may && <ButtonLink look="primary" href="/app/train">{t("train.new")}</ButtonLink>}
      </PageHead>
      {models.isPending ? <Loading lines={6} /> : <Overview />}
    </>
  );
}
