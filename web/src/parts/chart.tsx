// A chart of several series over one x: drag to zoom, double click for the whole, log scale, smoothing, and a legend
// that tells the values under the cursor and hides a series.  Any length: see series.ts.
import { useEffect, useMemo, useRef, useState } from "react";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";

import { useTexts } from "../i18n";
import { color } from "../theme";
import { Button } from "./button";
import { extent, inView, type Range, type Series, smooth, valueAt } from "./series";

export type { Series } from "./series";

const COLOURS = 6; // tokens series-1 .. series-6
/** Beyond six series the strokes differ as well. */
const DASHES: number[][] = [[], [6, 4], [2, 3]];
const stroke = (i: number) => color(`series-${(i % COLOURS) + 1}`);
const dash = (i: number) => DASHES[Math.floor(i / COLOURS) % DASHES.length] ?? [];

/** Steps and epochs are whole. */
const WHOLE = Array.from({ length: 10 }, (_, k) => [1, 2, 5].map((m) => m * 10 ** k)).flat();

/** A few digits, as many as a reader can use. */
export const short = (v: number | null | undefined) =>
  v === null || v === undefined || Number.isNaN(v) ? "–"
    : v !== 0 && Math.abs(v) < 0.001 ? v.toExponential(2) : Math.abs(v) >= 1000 ? v.toFixed(0) : String(Number(v.toPrecision(4)));

function useThemeCount(): number {
  const [count, setCount] = useState(0);
  useEffect(() => {
    const watch = new MutationObserver(() => setCount((n) => n + 1));
    watch.observe(document.documentElement, { attributeFilter: ["data-theme"] });
    return () => watch.disconnect();
  }, []);
  return count;
}

function options(width: number, height: number, series: number, log: boolean, hooks: uPlot.Hooks.Arrays): uPlot.Options {
  const axis = { stroke: color("muted"), grid: { stroke: color("border"), width: 1 }, ticks: { stroke: color("border"), width: 1 }, font: "11px Inter, system-ui" };
  return {
    width, height, hooks, legend: { show: false },
    cursor: { points: { size: 7 }, drag: { x: true, y: false, setScale: false } },
    scales: { x: { time: false }, y: log ? { distr: 3 } : {} },
    axes: [{ ...axis, size: 30, incrs: WHOLE }, { ...axis, size: 58, values: (_, ticks) => ticks.map((v) => (v === null ? "" : short(v))) }],
    series: [{}, ...Array.from({ length: series }, (_, i) => ({ stroke: stroke(i), dash: dash(i), width: 1.75, spanGaps: true, points: { size: 5 } }))],
  };
}

export function Chart({ label, series, xLabel, height = 240, weight = 0, log = false }: {
  label: string; series: Series[]; xLabel: string; height?: number;
  /** Of the moving average, 0 to 1; the values themselves stay in the legend. */
  weight?: number; log?: boolean;
}) {
  const { t } = useTexts();
  const box = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot>();
  const theme = useThemeCount();
  const [width, setWidth] = useState(0);
  const [zoom, setZoom] = useState<Range>();
  const [hidden, setHidden] = useState<ReadonlySet<string>>(new Set());
  const [at, setAt] = useState<number>();
  const drawn = useMemo(() => series.map((one) => {
    const y = smooth(one.y, weight);
    return { ...one, y: log ? y.map((v) => (v > 0 ? v : NaN)) : y };
  }), [series, weight, log]);
  const range = zoom ?? extent(series);
  const { min, max } = range ?? {};
  const data = useMemo(() => {
    if (min === undefined || max === undefined || !width) return undefined;
    const [xs, ...ys] = inView(drawn, { min, max }, width);
    return [xs, ...ys.map((one, i) => (hidden.has(drawn[i]?.key ?? "") ? one.map(() => null) : one))] as uPlot.AlignedData;
  }, [drawn, min, max, width, hidden]);
  const latest = useRef(data);
  latest.current = data;

  useEffect(() => {
    const host = box.current;
    if (!host) return;
    const size = new ResizeObserver(() => setWidth(Math.floor(host.clientWidth)));
    size.observe(host);
    return () => size.disconnect();
  }, []);
  useEffect(() => {
    const host = box.current;
    if (!host || !width) return;
    const made = new uPlot(options(width, height, series.length, log, {
      setCursor: [(u) => setAt(u.cursor.left !== undefined && u.cursor.left >= 0 && u.cursor.idx !== null && u.cursor.idx !== undefined ? u.data[0][u.cursor.idx] : undefined)],
      setSelect: [(u) => {
        if (u.select.width < 4) return;
        setZoom({ min: u.posToVal(u.select.left, "x"), max: u.posToVal(u.select.left + u.select.width, "x") });
        u.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
      }],
    }), latest.current, host);
    const whole = () => setZoom(undefined);
    made.over.addEventListener("dblclick", whole);
    plot.current = made;
    return () => made.destroy();
  }, [series.length, theme, width, height, log]);
  useEffect(() => {
    const made = plot.current;
    if (!made || !data || min === undefined || max === undefined) return;
    made.batch(() => {
      made.setData(data, false);
      made.setScale("x", { min, max: max > min ? max : min + 1 });
    });
  }, [data, min, max]);

  const toggle = (key: string) => setHidden((old) => {
    const next = new Set(old);
    if (!next.delete(key)) next.add(key);
    return next;
  });
  const said = at ?? max;
  return (
    <figure className="min-w-0">
      <div ref={box} role="img" style={{ height }} className="overflow-hidden"
        aria-label={`${label}: ${series.map((one) => `${one.label} ${short(one.y[one.y.length - 1])}`).join(", ")}`} />
      <figcaption className="numbers mt-2 flex flex-wrap items-center gap-x-3 gap-y-1 text-xs">
        <span className="text-muted">{xLabel} {said === undefined ? "" : short(said)}</span>
        {series.map((one, i) => (
          <button key={one.key} type="button" aria-pressed={!hidden.has(one.key)} onClick={() => toggle(one.key)} title={t("chart.toggle", { name: one.label })}
            className={`flex min-h-7 max-w-full items-center gap-1.5 rounded px-1 hover:bg-raised ${hidden.has(one.key) ? "text-muted line-through" : ""}`}>
            <svg width={18} height={4} aria-hidden="true" className="shrink-0"><line x1={0} y1={2} x2={18} y2={2} stroke={stroke(i)} strokeWidth={2.5} strokeDasharray={dash(i).join(" ")} /></svg>
            <span className="truncate">{one.label}</span>
            <span className="text-muted">{said === undefined ? "" : short(valueAt(one, said))}</span>
          </button>
        ))}
        {zoom && <Button look="quiet" className="!min-h-7 !px-2 !py-0 text-xs" onClick={() => setZoom(undefined)}>{t("chart.whole")}</Button>}
      </figcaption>
    </figure>
  );
}
