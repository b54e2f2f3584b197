// Whether every part answers, and what runs now, whoever it belongs to.
import { useTexts } from "../../i18n";
import { Badge, Card, Empty, Loading, Show } from "../../parts/ui";
import { useJobs } from "../jobs/queries";
import { JobRow } from "../jobs/row";
import { type State, useHealth } from "./queries";

const tones = { up: "success", down: "destructive", degraded: "warning", starting: "info" } as const;

function Part({ name, status, note, error }: { name: string; status: State; note?: string | undefined; error?: string | undefined }) {
  const { of } = useTexts();
  return (
    <li className="flex flex-wrap items-center gap-x-4 gap-y-1 py-2.5 text-sm">
      <span className="min-w-0 flex-1 basis-40 truncate font-medium">{name}</span>
      {note && <span className="numbers text-xs text-muted">{note}</span>}
      <Badge tone={tones[status]}>{of("health", status)}</Badge>
      {error && <p className="basis-full break-words text-xs text-destructive">{error}</p>}
    </li>
  );
}

export function HealthTab() {
  const { t, of, ago } = useTexts();
  const health = useHealth();
  const jobs = useJobs({ status: "running,queued", sort: "queue", limit: 50 });
  const all = jobs.data?.pages.flatMap((page) => page.jobs);
  return (
    <div className="grid gap-5 lg:grid-cols-2">
      <Show of={health} lines={4}>
        {({ status, version, parts }) => (
          <>
            <Card title={t("health.parts")} aside={<Badge tone={tones[status]}>{of("health", status)}</Badge>}>
              <ul className="divide-y divide-border">
                {(["database", "store"] as const).map((name) => (
                  <Part key={name} name={of("health", name)} status={parts[name].status} note={t("health.ms", { n: Math.round(parts[name].ms * 10) / 10 })} error={parts[name].error} />
                ))}
              </ul>
              <p className="mt-3 text-xs text-muted">{t("health.version", { version })}</p>
            </Card>
            <Card title={t("health.trainers")}>
              {Object.keys(parts.trainers).length ? (
                <ul className="divide-y divide-border">
                  {Object.entries(parts.trainers).map(([name, one]) => (
                    <Part key={name} name={name} status={one.status} note={one.checked_at && t("health.checked", { when: ago(one.checked_at) })} error={one.error} />
                  ))}
                </ul>
              ) : <p className="text-sm text-muted">{t("health.none")}</p>}
            </Card>
          </>
        )}
      </Show>
      <Card title={t("health.running")} className="lg:col-span-2">
        {!all ? <Loading lines={3} /> : all.length ? <ul className="-mx-4 divide-y divide-border">{all.map((job) => <JobRow key={job.job} job={job} />)}</ul> : <Empty title={t("health.noJobs")} />}
      </Card>
    </div>
  );
}
