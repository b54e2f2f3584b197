// Precision, recall and F1 by confidence, with a threshold to drag that says what it means in numbers.
import { useQuery } from "@tanstack/react-query";
import { useMemo } from "react";

import { useTexts } from "../../i18n";
import { Slider } from "../../parts/controls";
import { Card, Show } from "../../parts/ui";
import type { Job, Result, Validation } from "../../types";
import { getResults, resultsPath } from "./queries";

const POINTS = 101;
export interface Curve { name: string; values: number[] }

/** Lines over 0 to 1, both ways; the threshold stands upright among them. */
export function CurvePlot({ label, curves, at }: { label: string; curves: Curve[]; at: number }) {
  const path = (values: number[]) => values.map((v, i) => `${i ? "L" : "M"}${(100 * i) / (values.length - 1)},${100 - 100 * Math.max(0, Math.min(1, v))}`).join("");
  return (
    <figure>
      <svg viewBox="-11 -2 114 110" role="img" aria-label={label} className="mx-auto w-full max-w-md">
        {[0, 25, 50, 75, 100].map((tick) => (
          <g key={tick} className="stroke-border">
            <line x1={tick} y1={0} x2={tick} y2={100} strokeWidth={0.3} />
            <line x1={0} y1={tick} x2={100} y2={tick} strokeWidth={0.3} />
            <text x={tick} y={106} fontSize={4} textAnchor="middle" className="fill-muted stroke-none">{tick / 100}</text>
            <text x={-1.5} y={101.5 - tick} fontSize={4} textAnchor="end" className="fill-muted stroke-none">{tick / 100}</text>
          </g>
        ))}
        {curves.map((one, i) => <path key={one.name} d={path(one.values)} fill="none" strokeWidth={0.9} stroke={`rgb(var(--series-${(i % 6) + 1}))`} />)}
        <line x1={100 * at} x2={100 * at} y1={0} y2={100} strokeWidth={0.7} className="stroke-foreground" />
      </svg>
      <figcaption className="numbers flex flex-wrap gap-x-4 gap-y-1 text-xs text-muted">
        {curves.map((one, i) => (
          <span key={one.name} className="flex items-center gap-1.5">
            <span className="h-0.5 w-4" style={{ background: `rgb(var(--series-${(i % 6) + 1}))` }} aria-hidden="true" />
            {one.name} {(one.values[Math.round(at * (one.values.length - 1))] ?? 0).toFixed(3)}
          </span>
        ))}
      </figcaption>
    </figure>
  );
}

export interface Counts { hits: number; missed: number; wrong: number }

/** What a detector finds at a threshold: of N truths, recall are found; precision says what else was. */
export function countsAt(v: Validation, at: number): Counts {
  const i = Math.round(at * (POINTS - 1)), truths = v.per_class.reduce((sum, row) => sum + (row.support ?? 0), 0);
  const recall = Math.max(0, v.curves?.recall[i] ?? 0), precision = Math.max(0, v.curves?.precision[i] ?? 0);
  const hits = Math.round(recall * truths);
  return { hits, missed: truths - hits, wrong: precision > 0 ? Math.round(hits / precision - hits) : 0 };
}

/** A classifier that leaves what is below the threshold to a person. */
export function decidedAt(results: Pick<Result, "label" | "predicted" | "confidence">[], at: number) {
  const decided = results.filter((one) => one.confidence >= at), right = decided.filter((one) => one.label === one.predicted).length;
  return { right, wrong: decided.length - right, left: results.length - decided.length };
}

/** Precision, recall and F1 of its decisions at thresholds 0, .01 .. 1; one pass over the sorted confidences. */
export function classCurves(results: Pick<Result, "label" | "predicted" | "confidence">[]): { precision: number[]; recall: number[]; f1: number[] } {
  const sorted = [...results].sort((a, b) => b.confidence - a.confidence);
  const precision = Array<number>(POINTS).fill(1), recall = Array<number>(POINTS).fill(0), f1 = Array<number>(POINTS).fill(0);
  let n = 0, right = 0;
  for (let i = POINTS - 1; i >= 0; i--) {
    for (; n < sorted.length && (sorted[n]?.confidence ?? 0) >= i / (POINTS - 1); n++) right += sorted[n]?.label === sorted[n]?.predicted ? 1 : 0;
    const p = n ? right / n : 1, r = sorted.length ? right / sorted.length : 0;
    precision[i] = p;
    recall[i] = r;
    f1[i] = p + r > 0 ? (2 * p * r) / (p + r) : 0;
  }
  return { precision, recall, f1 };
}

function Figures({ rows }: { rows: [string, string, string][] }) {
  return (
    <dl className="grid grid-cols-3 gap-3" aria-live="polite">
      {rows.map(([name, value, tone]) => (
        <div key={name}><dt className="text-xs text-muted">{name}</dt><dd className={`numbers text-lg font-semibold ${tone}`}>{value}</dd></div>
      ))}
    </dl>
  );
}

interface Threshold { at: number; onChange: (to: number) => void }

function Body({ label, text, curves, at, onChange, rows }: Threshold & { label: string; text: string; curves: Curve[]; rows: [string, string, string][] }) {
  const { t, number } = useTexts();
  return (
    <Card title={label}>
      <div className="space-y-4">
        <p className="text-xs text-muted">{text}</p>
        <Slider label={t("validation.threshold")} value={at} onChange={onChange} format={(v) => number(v, 2)} />
        <Figures rows={rows} />
        <CurvePlot label={label} curves={curves} at={at} />
      </div>
    </Card>
  );
}

export function BoxCurves({ of: v, at, onChange }: Threshold & { of: Validation }) {
  const { t, number } = useTexts();
  if (!v.curves) return null;
  const c = countsAt(v, at);
  return (
    <Body label={t("inspect.curves")} text={t("inspect.curvesText")} at={at} onChange={onChange}
      curves={[{ name: t("precision"), values: v.curves.precision }, { name: t("recall"), values: v.curves.recall }, { name: "F1", values: v.curves.f1 }]}
      rows={[[t("inspect.hits"), number(c.hits), "text-success"], [t("inspect.missed"), number(c.missed), "text-warning"], [t("inspect.false"), number(c.wrong), "text-destructive"]]} />
  );
}

function ClassBody({ results, at, onChange }: Threshold & { results: Result[] }) {
  const { t, number } = useTexts();
  const curves = useMemo(() => classCurves(results), [results]);
  const c = decidedAt(results, at);
  return (
    <Body label={t("inspect.curves")} text={t("inspect.curvesClass")} at={at} onChange={onChange}
      curves={[{ name: t("precision"), values: curves.precision }, { name: t("recall"), values: curves.recall }, { name: "F1", values: curves.f1 }]}
      rows={[[t("inspect.accepted"), number(c.right), "text-success"], [t("inspect.mistaken"), number(c.wrong), "text-destructive"], [t("inspect.left"), number(c.left), "text-muted"]]} />
  );
}

export function ClassCurves({ job, of: v, at, onChange }: Threshold & { job: Job; of: Validation }) {
  const results = useQuery({
    queryKey: ["job", job.job, "results", v.epoch, "curves"], queryFn: async () => (await getResults(resultsPath(job.job, v.epoch, {}, 0))).images, staleTime: Infinity,
  });
  return <Show of={results} lines={4}>{(all) => (all.length ? <ClassBody results={all} at={at} onChange={onChange} /> : null)}</Show>;
}
