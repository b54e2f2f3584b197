// What a detector found: boxes for an overlay, and precision by recall.
import { useTexts } from "../../i18n";
import type { ClassScore } from "../../types";

const SERIES = 6;

type Marked = { class_id: number; box: [number, number, number, number] };
export const shapesOf = (marks: Marked[]) => ({ boxes: marks.map((m): number[] => [m.class_id, ...m.box]) });

/** A line a class; the server sends 101 points of recall, 0 to 1. */
export function RecallCurves({ rows }: { rows: ClassScore[] }) {
  const { t } = useTexts();
  const lines = rows.filter((row) => row.precision_at_recall && row.precision_at_recall.length > 1);
  if (!lines.length) return null;
  const path = (of: number[]) => of.map((p, i) => `${i ? "L" : "M"}${(100 * i) / (of.length - 1)},${100 - 100 * Math.max(0, p)}`).join("");
  return (
    <figure>
      <svg viewBox="-11 -2 114 110" role="img" aria-label={t("validation.curve")} className="w-full">
        {[0, 25, 50, 75, 100].map((at) => (
          <g key={at} className="stroke-border">
            <line x1={at} y1={0} x2={at} y2={100} strokeWidth={0.3} />
            <line x1={0} y1={at} x2={100} y2={at} strokeWidth={0.3} />
            <text x={at} y={106} fontSize={4} textAnchor="middle" className="fill-muted stroke-none">{at / 100}</text>
            <text x={-1.5} y={101.5 - at} fontSize={4} textAnchor="end" className="fill-muted stroke-none">{at / 100}</text>
          </g>
        ))}
        {lines.map((row, i) => (
          <path key={row.class} d={path(row.precision_at_recall ?? [])} fill="none" strokeWidth={0.9}
            stroke={`rgb(var(--series-${(i % SERIES) + 1}))`}><title>{row.class}</title></path>
        ))}
      </svg>
      <figcaption className="space-y-2 text-xs text-muted">
        <ul className="flex flex-wrap gap-x-4 gap-y-1">
          {lines.map((row, i) => (
            <li key={row.class} className="flex items-center gap-1.5">
              <span className="h-0.5 w-4" style={{ background: `rgb(var(--series-${(i % SERIES) + 1}))` }} aria-hidden="true" />{row.class}
            </li>
          ))}
        </ul>
        <p>{t("validation.curveHint")}</p>
      </figcaption>
    </figure>
  );
}
