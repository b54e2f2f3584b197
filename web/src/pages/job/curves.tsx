// Precision, recall and F1 by confidence, with a threshold to drag that says what it means in numbers: the server
// counts the whole split.
import { useTexts } from "../../i18n";
import { Slider } from "../../parts/controls";
import { Card, Show } from "../../parts/ui";
import type { Job, Validation } from "../../types";
import { type ResultCounts, useCounts } from "./queries";

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

const at101 = (at: number) => Math.max(0, Math.min(POINTS - 1, Math.round(at * (POINTS - 1))));

/** What is found, missed and made up at a threshold; of a classifier: right, left to a person, wrong. */
export function countsAt(of: ResultCounts, at: number) {
  const hits = of.hits[at101(at)] ?? 0, wrong = of.false[at101(at)] ?? 0;
  return { hits, wrong, missed: of.objects - hits, left: of.images - hits - wrong };
}

/** Precision, recall and F1 of a classifier's decisions at thresholds 0, .01 .. 1. */
export function classCurves(of: ResultCounts): { precision: number[]; recall: number[]; f1: number[] } {
  const share = (a: number, b: number, none: number) => (b > 0 ? a / b : none);
  const precision = of.hits.map((hits, i) => share(hits, hits + (of.false[i] ?? 0), 1)), recall = of.hits.map((hits) => share(hits, of.images, 0));
  return { precision, recall, f1: precision.map((p, i) => share(2 * p * (recall[i] ?? 0), p + (recall[i] ?? 0), 0)) };
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

export function BoxCurves({ job, of: v, at, onChange }: Threshold & { job: Job; of: Validation }) {
  const { t, number } = useTexts();
  const counts = useCounts(job.job, v.epoch);
  if (!v.curves) return null;
  const lines = [{ name: t("precision"), values: v.curves.precision }, { name: t("recall"), values: v.curves.recall }, { name: "F1", values: v.curves.f1 }];
  return (
    <Show of={counts} lines={4}>
      {(all) => {
        const c = countsAt(all, at);
        return (
          <Body label={t("inspect.curves")} text={t("inspect.curvesText")} at={at} onChange={onChange} curves={lines}
            rows={[[t("inspect.hits"), number(c.hits), "text-success"], [t("inspect.missed"), number(c.missed), "text-warning"], [t("inspect.false"), number(c.wrong), "text-destructive"]]} />
        );
      }}
    </Show>
  );
}

export function ClassCurves({ job, of: v, at, onChange }: Threshold & { job: Job; of: Validation }) {
  const { t, number } = useTexts();
  const counts = useCounts(job.job, v.epoch);
  return (
    <Show of={counts} lines={4}>
      {(all) => {
        const c = countsAt(all, at), curves = classCurves(all);
        return (
          <Body label={t("inspect.curves")} text={t("inspect.curvesClass")} at={at} onChange={onChange}
            curves={[{ name: t("precision"), values: curves.precision }, { name: t("recall"), values: curves.recall }, { name: "F1", values: curves.f1 }]}
            rows={[[t("inspect.accepted"), number(c.hits), "text-success"], [t("inspect.mistaken"), number(c.wrong), "text-destructive"], [t("inspect.left"), number(c.left), "text-muted"]]} />
        );
      }}
    </Show>
  );
}
