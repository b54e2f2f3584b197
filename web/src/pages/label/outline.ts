// Outlines in pixels of a picture: [class, x1, y1, x2, y2, ..].  Pure.
export type Outline = number[];
export interface Point { x: number; y: number }

/** To an eighth of a pixel: the server keeps 32-bit floats, which hold it exactly. */
export const round = (v: number) => Math.round(v * 8) / 8;
const within = (v: number, max: number) => round(Math.max(0, Math.min(max, v)));

export const corners = ([, ...xy]: Outline): Point[] => Array.from({ length: xy.length >> 1 }, (_, i) => ({ x: xy[2 * i] ?? 0, y: xy[2 * i + 1] ?? 0 }));
export const outlineOf = (cls: number, points: Point[]): Outline => [cls, ...points.flatMap(({ x, y }) => [x, y])];

/** By the shoelace formula. */
export function areaOf(one: Outline): number {
  const p = corners(one);
  return Math.abs(p.reduce((sum, a, i) => {
    const b = p[(i + 1) % p.length] ?? a;
    return sum + a.x * b.y - b.x * a.y;
  }, 0)) / 2;
}

/** Even-odd rule: how often a ray to the right meets its sides. */
export function holds(one: Outline, x: number, y: number): boolean {
  const p = corners(one);
  return p.reduce((inside, a, i) => {
    const b = p[(i + 1) % p.length] ?? a;
    return (a.y > y) !== (b.y > y) && x < ((b.x - a.x) * (y - a.y)) / (b.y - a.y) + a.x ? !inside : inside;
  }, false);
}

export function bounds(one: Outline): [number, number, number, number] {
  const p = corners(one), xs = p.map((c) => c.x), ys = p.map((c) => c.y);
  const x = Math.min(...xs), y = Math.min(...ys);
  return [x, y, Math.max(...xs) - x, Math.max(...ys) - y];
}

/** As a whole: it stops at the picture's edges. */
export function shifted(one: Outline, dx: number, dy: number, width: number, height: number): Outline {
  const [x, y, w, h] = bounds(one);
  const by = { x: Math.max(-x, Math.min(width - x - w, dx)), y: Math.max(-y, Math.min(height - y - h, dy)) };
  return outlineOf(one[0] ?? 0, corners(one).map((c) => ({ x: round(c.x + by.x), y: round(c.y + by.y) })));
}

/** One corner to a place within the picture. */
export const bent = (one: Outline, at: number, to: Point, width: number, height: number): Outline =>
  outlineOf(one[0] ?? 0, corners(one).map((c, i) => (i === at ? { x: within(to.x, width), y: within(to.y, height) } : c)));

export function middle(one: Outline, after: number): Point {
  const p = corners(one), a = p[after] ?? { x: 0, y: 0 }, b = p[(after + 1) % p.length] ?? a;
  return { x: round((a.x + b.x) / 2), y: round((a.y + b.y) / 2) };
}

/** With one more corner behind `after`, on the middle of that side unless told. */
export const withCorner = (one: Outline, after: number, at: Point = middle(one, after)): Outline =>
  outlineOf(one[0] ?? 0, corners(one).flatMap((c, i) => (i === after ? [c, at] : [c])));

export const LEAST_CORNERS = 3;
/** undefined: too few would be left. */
export function withoutCorner(one: Outline, at: number): Outline | undefined {
  const p = corners(one);
  return p.length > LEAST_CORNERS && at < p.length ? outlineOf(one[0] ?? 0, p.filter((_, i) => i !== at)) : undefined;
}

/** What can be kept: three corners, and an area of a pixel. */
export const isOutline = (one: Outline) => one.length >= 1 + 2 * LEAST_CORNERS && areaOf(one) >= 1;
