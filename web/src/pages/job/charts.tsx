// Every metric of a run as it comes: one chart for each group of names that share a scale, over epochs, steps or
// time, smoothed or on a log scale, with other runs laid over; and the last epochs as a table.
import { useQueries, useQuery } from "@tanstack/react-query";
import { useMemo, useState } from "react";

import { api, withQuery } from "../../api";
import { useTexts } from "../../i18n";
import { Chart, type Series, short } from "../../parts/chart";
import { Slider, Switch } from "../../parts/controls";
import { Button, Card, Empty, Select } from "../../parts/ui";
import { setQuery, useQueryParams } from "../../router";
import type { Course, Job, Jobs, Metrics } from "../../types";
import { courseOf } from "./queries";

const ROWS = 10;
const OVERLAID_MAX = 9;
export const axes = ["epoch", "step", "time"] as const;
export type Axis = (typeof axes)[number];

/** "val/loss" belongs to "loss"; what is a share of 1 stands together. */
export function groupOf(name: string): string {
  const last = name.split("/").at(-1) ?? name;
  if (/^(accuracy|top\d+)/.test(last)) return "accuracy";
  if (/map(50|75)?$/.test(last)) return "map";
  if (/^(miou|dice)$/.test(last)) return "miou";
  if (/^(precision|recall|f1)/.test(last)) return "scores";
  return last;
}
const order = ["loss", "accuracy", "map", "miou", "learning_rate", "scores"];
const rank = (group: string) => (order.indexOf(group) + order.length) % order.length + (order.includes(group) ? 0 : order.length);

export interface Run { id: string; name: string; course: Course }
export interface Group { name: string; series: Series[] }

/** Time is told in minutes, of a short run in seconds. */
export function timeOf(course: Course): { ms: number; unit: "time" | "seconds" } {
  const span = (course.time.at(-1) ?? 0) - (course.time[0] ?? 0);
  return span < 300e3 ? { ms: 1e3, unit: "seconds" } : { ms: 60e3, unit: "time" };
}

/** A metric without its gaps, over the axis; time counts from the run's first word. */
export function seriesOf(run: Run, name: string, axis: Axis, many: boolean, ms: number): Series {
  const { course } = run, values = course.metrics[name] ?? [];
  const rows = values.flatMap((v, i) => (v === null || v === undefined ? [] : [i]));
  const from = course.time[0] ?? 0;
  const at = (i: number) => (axis === "step" ? course.step[i] : axis === "epoch" ? course.epochs[i] : ((course.time[i] ?? 0) - from) / ms) ?? 0;
  return {
    key: `${run.id}/${name}`, label: many ? `${run.name} · ${name}` : name,
    x: Float64Array.from(rows, at), y: Float64Array.from(rows, (i) => values[i] as number),
  };
}

/** What the process used and how fast it went stands in a place of its own (system.tsx). */
export const isSystem = (name: string) => name.startsWith("system/") || name === "images_per_second";

export function groupsOf(runs: Run[], axis: Axis): Group[] {
  const groups = new Map<string, Group>();
  const { ms } = timeOf(runs[0]?.course ?? { n: [], step: [], epochs: [], time: [], metrics: {} });
  for (const run of runs)
    for (const name of Object.keys(run.course.metrics)) {
      if (isSystem(name)) continue;
      const series = seriesOf(run, name, axis, runs.length > 1, ms);
      if (!series.x.length) continue;
      const key = groupOf(name), group = groups.get(key) ?? { name: key, series: [] };
      group.series.push(series);
      groups.set(key, group);
    }
  return [...groups.values()].sort((a, b) => rank(a.name) - rank(b.name) || a.name.localeCompare(b.name));
}

function Table({ metrics, epochs }: { metrics: Metrics["metrics"]; epochs: number[] }) {
  const { t } = useTexts();
  const names = Object.keys(metrics).filter((name) => !name.startsWith("system/"));
  const value = (name: string, epoch: number) => metrics[name]?.find((p) => p.epoch === epoch)?.value;
  return (
    <details className="card">
      <summary className="cursor-pointer text-sm font-medium">{t("chart.table", { n: Math.min(ROWS, epochs.length) })}</summary>
      <div className="mt-3 overflow-x-auto" tabIndex={0} role="region" aria-label={t("chart.table", { n: Math.min(ROWS, epochs.length) })}>
        <table className="numbers w-full text-xs">
          <thead><tr><th scope="col">{t("epoch")}</th>{names.map((n) => <th key={n} scope="col" className="whitespace-nowrap">{n}</th>)}</tr></thead>
          <tbody className="divide-y divide-border">
            {epochs.slice(-ROWS).reverse().map((e) => (
              <tr key={e}><th scope="row">{e}</th>{names.map((n) => <td key={n}>{short(value(n, e))}</td>)}</tr>
            ))}
          </tbody>
        </table>
      </div>
    </details>
  );
}

/** Runs on the same dataset, to lay over this one. */
function Overlay({ job, chosen }: { job: Job; chosen: string[] }) {
  const { t } = useTexts();
  const list = useQuery({
    queryKey: ["jobs", "overlay", job.dataset],
    queryFn: () => api.get<Jobs>(withQuery("/training/jobs", { dataset: job.dataset, limit: 100 })),
  });
  const others = (list.data?.jobs ?? []).filter((one) => one.job !== job.job && one.kind === "train" && one.epoch > 0);
  const set = (to: string[]) => setQuery({ with: to.join(",") });
  if (!others.length && !chosen.length) return null;
  const nameOf = (id: string) => others.find((one) => one.job === id)?.name ?? id;
  return (
    <div className="flex min-w-0 max-w-full flex-wrap items-end gap-2">
      <Select label={t("watch.overlay")} value="" onChange={(id) => id && set([...chosen, id])}
        options={[["", t("watch.overlayNone")], ...(chosen.length < OVERLAID_MAX
          ? others.filter((one) => !chosen.includes(one.job)).map((one): [string, string] => [one.job, `${one.name} (${one.job.slice(-5)})`]) : [])]} />
      {chosen.map((id) => (
        <Button key={id} look="quiet" className="!px-2" aria-label={t("watch.overlayLess", { name: nameOf(id) })} onClick={() => set(chosen.filter((one) => one !== id))}>
          <span className="max-w-40 truncate">{nameOf(id)}</span> <span aria-hidden="true">×</span>
        </Button>
      ))}
    </div>
  );
}

export default function Charts({ job, course, metrics }: { job: Job; course: Course; metrics: Metrics["metrics"] }) {
  const { t, of } = useTexts();
  const query = useQueryParams();
  const chosen = (query.get("with") ?? "").split(",").filter(Boolean).slice(0, OVERLAID_MAX);
  const axis = axes.find((one) => one === query.get("axis")) ?? "epoch";
  const [weight, setWeight] = useState(0);
  const [log, setLog] = useState(false);
  const courses = useQueries({ queries: chosen.map(courseOf) });
  const names = useQueries({ queries: chosen.map((id) => ({ queryKey: ["job", id], queryFn: () => api.get<Job>(`/training/jobs/${id}`) })) });
  const loaded = chosen.flatMap((id, i): Run[] => {
    const one = courses[i]?.data;
    return one ? [{ id, name: names[i]?.data?.name ?? id, course: one }] : [];
  });
  const stamp = loaded.map((one) => `${one.id}${one.name}${one.course.n.length}`).join();
  const groups = useMemo(() => groupsOf([{ id: job.job, name: job.name, course }, ...loaded], axis), [job.job, job.name, course, stamp, axis]);
  const seen = [...new Set(Object.values(metrics).flatMap((points) => points.map((p) => p.epoch)))].sort((a, b) => a - b);
  if (!groups.length) return <Empty title={t("chart.none")} />;
  return (
    <div className="space-y-5">
      <div className="flex flex-wrap items-end gap-x-5 gap-y-2">
        <Select label={t("watch.axis")} value={axis} onChange={(to) => setQuery({ axis: to === "epoch" ? "" : to })} options={axes.map((one) => [one, of("axis", one)])} />
        <Slider label={t("watch.smooth")} value={weight} max={0.99} onChange={setWeight} format={(v) => v.toFixed(2)} />
        <Switch label={t("watch.log")} checked={log} onChange={setLog} />
        <Overlay job={job} chosen={chosen} />
      </div>
      <div className="grid gap-5 lg:grid-cols-2">
        {groups.map((group) => (
          <Card key={group.name} title={of("metric", group.name)}>
            <Chart label={of("metric", group.name)} series={group.series} xLabel={of("axis", axis === "time" ? timeOf(course).unit : axis)} height={220} weight={weight} log={log} />
          </Card>
        ))}
      </div>
      <p className="text-xs text-muted">{t("watch.zoomHint")}</p>
      {seen.length > 0 && <Table metrics={metrics} epochs={seen} />}
    </div>
  );
}
