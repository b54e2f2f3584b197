// Parallel coordinates (Inselberg 1985): an axis a column, a line a run.  Drawn on a canvas, because ten thousand
// lines are; the axes and what is dragged on them are of the page, so that a keyboard and a reader can use them.
import { useEffect, useMemo, useRef, useState } from "react";

import { useTexts } from "../../i18n";
import { short } from "../../parts/chart";
import { Empty } from "../../parts/ui";
import { color, useTheme } from "../../theme";
import type { Run } from "./runs";

export interface Axis { key: string; title: string; value: (run: Run) => number | null | undefined }
type Range = readonly [low: number, high: number];

const HEIGHT = 280, TOP = 28, BOTTOM = 24;

interface Scale extends Axis { min: number; max: number }

export function scalesOf(axes: Axis[], runs: Run[]): Scale[] {
  return axes.flatMap((axis) => {
    let min = Infinity, max = -Infinity;
    for (const run of runs) {
      const v = axis.value(run);
      if (typeof v !== "number" || !Number.isFinite(v)) continue;
      min = Math.min(min, v);
      max = Math.max(max, v);
    }
    return min < max ? [{ ...axis, min, max }] : [];
  });
}

/** Runs within every range; a run without a value passes no range. */
export function passing(runs: Run[], axes: Axis[], ranges: ReadonlyMap<string, Range>): Run[] {
  const held = axes.flatMap((axis) => {
    const range = ranges.get(axis.key);
    return range ? [{ value: axis.value, range }] : [];
  });
  return runs.filter((run) => held.every(({ value, range }) => {
    const v = value(run);
    return typeof v === "number" && v >= range[0] && v <= range[1];
  }));
}

function draw(canvas: HTMLCanvasElement, width: number, scales: Scale[], runs: Run[], through: ReadonlySet<Run>, chosen: ReadonlySet<string>) {
  const c = canvas.getContext("2d");
  if (!c) return;
  const ratio = window.devicePixelRatio || 1;
  canvas.width = width * ratio;
  canvas.height = HEIGHT * ratio;
  c.scale(ratio, ratio);
  const x = (i: number) => ((i + 0.5) * width) / scales.length;
  const y = (s: Scale, v: number) => TOP + (1 - (v - s.min) / (s.max - s.min)) * (HEIGHT - TOP - BOTTOM);
  const lines = (of: Run[], stroke: string, lineWidth: number) => {
    c.strokeStyle = stroke;
    c.lineWidth = lineWidth;
    c.beginPath();
    for (const run of of) {
      let down = false;
      scales.forEach((scale, i) => {
        const v = scale.value(run);
        const there = typeof v === "number" && Number.isFinite(v);
        if (there) c[down ? "lineTo" : "moveTo"](x(i), y(scale, v));
        down = there;
      });
    }
    c.stroke();
  };
  const alpha = Math.max(0.06, Math.min(0.7, 40 / Math.max(1, runs.length)));
  lines(runs.filter((run) => !through.has(run)), color("muted", 0.08), 1);
  lines(runs.filter((run) => through.has(run) && !chosen.has(run.job)), color("series-2", alpha), 1);
  lines(runs.filter((run) => chosen.has(run.job)), color("series-1"), 2);
}

/** One axis: drag up or down to hold a range; arrows move its lower end, with Shift its upper. */
function AxisBox({ scale, range, onRange }: { scale: Scale; range: Range | undefined; onRange: (to: Range | undefined) => void }) {
  const from = useRef<number>();
  const track = useRef<HTMLDivElement>(null);
  const [low, high] = range ?? [scale.min, scale.max];
  const share = (v: number) => (v - scale.min) / (scale.max - scale.min);
  const at = (clientY: number) => {
    const box = track.current?.getBoundingClientRect();
    return box ? scale.min + Math.max(0, Math.min(1, 1 - (clientY - box.top) / box.height)) * (scale.max - scale.min) : scale.min;
  };
  const key = (e: React.KeyboardEvent) => {
    const step = ({ ArrowUp: 1, ArrowDown: -1 } as Record<string, number>)[e.key];
    if (e.key === "Escape" || e.key === "Delete") onRange(undefined);
    else if (step) {
      const by = (step * (scale.max - scale.min)) / 20;
      const clamp = (v: number) => Math.max(scale.min, Math.min(scale.max, v));
      onRange(e.shiftKey ? [low, Math.max(low, clamp(high + by))] : [Math.min(high, clamp(low + by)), high]);
    } else return;
    e.preventDefault();
  };
  return (
    <div className="relative min-w-0">
      <p className="truncate text-center text-xs text-muted" title={scale.title}>{scale.title}</p>
      <div ref={track} role="slider" tabIndex={0} aria-orientation="vertical" aria-label={scale.title} aria-valuemin={scale.min} aria-valuemax={scale.max} aria-valuenow={low}
        aria-valuetext={`${short(low)} – ${short(high)}`} onKeyDown={key}
        onPointerDown={(e) => {
          e.currentTarget.setPointerCapture(e.pointerId);
          from.current = at(e.clientY);
        }}
        onPointerMove={(e) => {
          if (from.current === undefined) return;
          const to = at(e.clientY);
          onRange([Math.min(from.current, to), Math.max(from.current, to)]);
        }}
        onPointerUp={(e) => {
          if (from.current !== undefined && Math.abs(share(at(e.clientY)) - share(from.current)) < 0.02) onRange(undefined);
          from.current = undefined;
        }}
        className="absolute left-1/2 w-6 -translate-x-1/2 cursor-ns-resize touch-none" style={{ top: TOP, height: HEIGHT - TOP - BOTTOM }}>
        <div className="absolute left-1/2 h-full w-px bg-muted" />
        {range && <div className="absolute left-1/2 w-2.5 -translate-x-1/2 rounded-sm border border-primary bg-primary/30" style={{ top: `${(1 - share(high)) * 100}%`, height: `${Math.max(1, (share(high) - share(low)) * 100)}%` }} />}
      </div>
      <p className="numbers absolute inset-x-0 text-center text-[0.7rem] text-muted" style={{ top: HEIGHT - BOTTOM + 4 }}>{short(scale.min)} – {short(scale.max)}</p>
    </div>
  );
}

export function Parallel({ runs, axes, chosen, ranges, onRanges }: {
  runs: Run[]; axes: Axis[]; chosen: ReadonlySet<string>; ranges: ReadonlyMap<string, Range>; onRanges: (to: ReadonlyMap<string, Range>) => void;
}) {
  const { t } = useTexts();
  const box = useRef<HTMLDivElement>(null);
  const canvas = useRef<HTMLCanvasElement>(null);
  const [width, setWidth] = useState(0);
  const theme = useTheme();
  const scales = useMemo(() => scalesOf(axes, runs), [axes, runs]);
  const through = useMemo(() => new Set(passing(runs, axes, ranges)), [runs, axes, ranges]);
  const few = scales.length < 2;
  useEffect(() => {
    const host = box.current;
    if (!host) return;
    const size = new ResizeObserver(() => setWidth(host.clientWidth));
    size.observe(host);
    setWidth(host.clientWidth);
    return () => size.disconnect();
  }, [few]);
  useEffect(() => {
    if (!canvas.current || !width) return;
    const frame = requestAnimationFrame(() => canvas.current && draw(canvas.current, width, scales, runs, through, chosen));
    return () => cancelAnimationFrame(frame);
  }, [width, scales, runs, through, chosen, theme]);
  if (few) return <Empty title={t("compare.parallelNone")} />;
  return (
    <div className="space-y-2">
      <p className="text-xs text-muted">{t("compare.parallelHelp")}</p>
      <div ref={box} className="relative overflow-hidden" style={{ height: HEIGHT }}>
        <canvas ref={canvas} aria-hidden="true" className="absolute inset-0 h-full w-full" />
        <div className="absolute inset-0 grid" style={{ gridTemplateColumns: `repeat(${scales.length}, minmax(0, 1fr))` }}>
          {scales.map((scale) => (
            <AxisBox key={scale.key} scale={scale} range={ranges.get(scale.key)} onRange={(to) => {
              const next = new Map(ranges);
              if (to) next.set(scale.key, to);
              else next.delete(scale.key);
              onRanges(next);
            }} />
          ))}
        </div>
      </div>
      <p role="status" className="text-xs text-muted">{t("compare.passing", { n: through.size, all: runs.length })}</p>
    </div>
  );
}
