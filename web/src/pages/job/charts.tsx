// Metrics by epoch: one chart for each group of names that share a scale, and the same numbers as a table.
import { useEffect, useMemo, useRef, useState } from "react";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";

import { useTexts } from "../../i18n";
import { Card, Empty } from "../../parts/ui";
import { color } from "../../theme";
import type { Metrics, Point } from "../../types";

const HEIGHT = 200;
const SERIES = 6;
const ROWS = 10;

/** "val/loss" belongs to "loss"; what is a share of 1 stands together. */
function groupOf(name: string): string {
  const last = name.split("/").at(-1) ?? name;
  if (/^(accuracy|top\d+)/.test(last)) return "accuracy";
  if (/map(50|75)?$/.test(last)) return "map";
  if (/^(miou|dice)$/.test(last)) return "miou";
  if (/^(precision|recall|f1)/.test(last)) return "scores";
  return last;
}
const order = ["loss", "accuracy", "map", "miou", "learning_rate", "scores"];
const rank = (group: string) => (order.indexOf(group) + order.length) % order.length + (order.includes(group) ? 0 : order.length);

export interface Group { name: string; series: { name: string; points: Point[] }[] }

export function groupsOf(metrics: Metrics["metrics"]): Group[] {
  const groups = new Map<string, Group>();
  for (const [name, points] of Object.entries(metrics)) {
    const key = groupOf(name);
    const group = groups.get(key) ?? { name: key, series: [] };
    group.series.push({ name, points });
    groups.set(key, group);
  }
  return [...groups.values()].sort((a, b) => rank(a.name) - rank(b.name) || a.name.localeCompare(b.name));
}

const short = (v: number | null | undefined) =>
  v === null || v === undefined ? "–" : v !== 0 && Math.abs(v) < 0.001 ? v.toExponential(2) : Math.abs(v) >= 100 ? v.toFixed(0) : v.toFixed(4);

function useThemeCount(): number {
  const [count, setCount] = useState(0);
  useEffect(() => {
    const watch = new MutationObserver(() => setCount((n) => n + 1));
    watch.observe(document.documentElement, { attributeFilter: ["data-theme"] });
    return () => watch.disconnect();
  }, []);
  return count;
}

function Chart({ group, epochs }: { group: Group; epochs: number }) {
  const { t, of } = useTexts();
  const box = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot>();
  const theme = useThemeCount();
  const names = group.series.map((s) => s.name).join(" ");
  const data = useMemo((): uPlot.AlignedData => {
    const xs = [...new Set(group.series.flatMap((s) => s.points.map((p) => p.epoch)))].sort((a, b) => a - b);
    return [xs, ...group.series.map((s) => {
      const at = new Map(s.points.map((p) => [p.epoch, p.value]));
      return xs.map((x) => at.get(x) ?? null);
    })];
  }, [group]);
  const latest = useRef(data);
  latest.current = data;
  useEffect(() => {
    const host = box.current;
    if (!host) return;
    const axis = { stroke: color("muted"), grid: { stroke: color("border"), width: 1 }, ticks: { stroke: color("border"), width: 1 }, font: "11px system-ui" };
    const made = new uPlot({
      width: host.clientWidth, height: HEIGHT, legend: { live: false, show: false },
      cursor: { points: { size: 7 }, drag: { x: false, y: false } },
      scales: { x: { time: false, range: (_, min, max) => [Math.min(1, min), Math.max(max, Math.min(epochs, max + 1), 2)] } },
      axes: [
        { ...axis, size: 30, incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500] },
        { ...axis, size: 58, values: (_, ticks) => ticks.map((v) => (v !== 0 && Math.abs(v) < 0.01 ? v.toExponential(0) : String(Number(v.toPrecision(4))))) },
      ],
      series: [{}, ...names.split(" ").map((name, i) => ({
        label: name, stroke: color(`series-${(i % SERIES) + 1}`), width: 2, points: { show: true, size: 5 }, spanGaps: true,
      }))],
      hooks: { setCursor: [(u) => setAt(u.cursor.idx ?? undefined)] },
    }, latest.current, host);
    plot.current = made;
    const size = new ResizeObserver(() => made.setSize({ width: host.clientWidth, height: HEIGHT }));
    size.observe(host);
    return () => {
      size.disconnect();
      made.destroy();
    };
  }, [names, theme, epochs]);
  useEffect(() => plot.current?.setData(data), [data]);
  const [at, setAt] = useState<number>();
  const index = at ?? data[0].length - 1;
  return (
    <Card title={of("metric", group.name)} aside={<span className="numbers text-xs text-muted">{t("epoch")} {data[0][index] ?? ""}</span>}>
      <div ref={box} role="img" aria-label={`${of("metric", group.name)}: ${group.series.map((s) => `${s.name} ${short(s.points.at(-1)?.value)}`).join(", ")}`}
        className="h-[200px] overflow-hidden" />
      <ul className="numbers mt-2 flex flex-wrap gap-x-4 gap-y-1 text-xs">
        {group.series.map((s, i) => (
          <li key={s.name} className="flex items-center gap-1.5">
            <span className="h-0.5 w-4" style={{ background: `rgb(var(--series-${(i % SERIES) + 1}))` }} aria-hidden="true" />
            <span className="text-muted">{s.name}</span> {short(data[i + 1]?.[index] as number | null)}
          </li>
        ))}
      </ul>
    </Card>
  );
}

function Table({ metrics, epochs }: { metrics: Metrics["metrics"]; epochs: number[] }) {
  const { t } = useTexts();
  const names = Object.keys(metrics);
  const value = (name: string, epoch: number) => metrics[name]?.find((p) => p.epoch === epoch)?.value;
  return (
    <details className="card">
      <summary className="cursor-pointer text-sm font-medium">{t("chart.table", { n: Math.min(ROWS, epochs.length) })}</summary>
      <div className="mt-3 overflow-x-auto">
        <table className="numbers w-full text-xs">
          <thead><tr><th>{t("epoch")}</th>{names.map((n) => <th key={n} className="whitespace-nowrap">{n}</th>)}</tr></thead>
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

export default function Charts({ metrics, epochs }: { metrics: Metrics["metrics"]; epochs: number }) {
  const { t } = useTexts();
  const groups = useMemo(() => groupsOf(metrics), [metrics]);
  const seen = [...new Set(Object.values(metrics).flatMap((points) => points.map((p) => p.epoch)))].sort((a, b) => a - b);
  if (!groups.length) return <Empty title={t("chart.none")} />;
  return (
    <div className="space-y-5">
      <div className="grid gap-5 lg:grid-cols-2">{groups.map((g) => <Chart key={g.name} group={g} epochs={epochs} />)}</div>
      <Table metrics={metrics} epochs={seen} />
    </div>
  );
}
