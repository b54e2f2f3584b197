// The outlines on a picture: the chosen one with its corners and, between them, places for new ones; and the one that
// is being drawn, from its first corner to the pointer or the keys' cursor.
import type { PointerEvent as ReactPointerEvent } from "react";

import { corners, middle, type Outline, type Point } from "./outline";

const CORNER = 10, MIDDLE = 8, CURSOR = 9; // pixels of the screen

const pointsOf = (points: Point[]) => points.map(({ x, y }) => `${x},${y}`).join(" ");

export interface Grip { corner: number; fresh: boolean }

/** The handles of the chosen outline. */
export function Corners({ of: one, scale, chosen, paint, onDown }: {
  of: Outline; scale: number; chosen: number | undefined; paint: string; onDown: (e: ReactPointerEvent, grip: Grip) => void;
}) {
  return (
    <>
      {corners(one).map((_, i) => {
        const { x, y } = middle(one, i);
        return <circle key={`m${i}`} data-middle={i} cx={x} cy={y} r={MIDDLE / 2 / scale} fill={paint} fillOpacity={0.5} stroke="rgb(var(--surface))"
          strokeWidth={1} vectorEffect="non-scaling-stroke" style={{ cursor: "copy" }} onPointerDown={(e) => onDown(e, { corner: i, fresh: true })} />;
      })}
      {corners(one).map(({ x, y }, i) => (
        <rect key={i} data-corner={i} aria-current={i === chosen || undefined} x={x - CORNER / 2 / scale} y={y - CORNER / 2 / scale} width={CORNER / scale} height={CORNER / scale}
          fill={i === chosen ? paint : "rgb(var(--surface))"} stroke={i === chosen ? "rgb(var(--surface))" : paint} strokeWidth={1.5} vectorEffect="non-scaling-stroke"
          style={{ cursor: "move" }} onPointerDown={(e) => onDown(e, { corner: i, fresh: false })} />
      ))}
    </>
  );
}

/** The outline under way; `to` is where its next corner would be. */
export function Open({ points, to, cursor, scale, paint }: { points: Point[]; to: Point | undefined; cursor: Point | undefined; scale: number; paint: string }) {
  const first = points[0], next = to ?? cursor, arm = CURSOR / scale;
  return (
    <g data-open={points.length} pointerEvents="none">
      <polyline points={pointsOf(next && points.length ? [...points, next] : points)} stroke={paint} strokeWidth={2} vectorEffect="non-scaling-stroke" fill={paint} fillOpacity={0.1} />
      {first && next && points.length > 1 && (
        <line x1={next.x} y1={next.y} x2={first.x} y2={first.y} stroke={paint} strokeWidth={1.5} strokeDasharray="4 4" vectorEffect="non-scaling-stroke" />
      )}
      {points.map(({ x, y }, i) => (
        <circle key={i} cx={x} cy={y} r={(i ? 3.5 : 6) / scale} fill={i ? paint : "rgb(var(--surface))"} stroke={paint} strokeWidth={2} vectorEffect="non-scaling-stroke" />
      ))}
      {cursor && (
        <path d={`M${cursor.x - arm},${cursor.y}h${2 * arm}M${cursor.x},${cursor.y - arm}v${2 * arm}`} stroke={paint} strokeWidth={2} vectorEffect="non-scaling-stroke" fill="none" data-cursor />
      )}
    </g>
  );
}
