// A mask's outline, as a person would click it: around its largest part, along the edges of its pixels, with the
// corners that matter (Ramer 1972, Douglas and Peucker 1973).
import type { Mask } from "./answer";

export interface Corner { x: number; y: number }

const CORNERS_MAX = 60;

/** 1 where the largest part of the mask is; parts touch by sides. */
function largest({ width, height, inside }: Mask): Uint8Array | undefined {
  const part = new Int32Array(width * height), stack: number[] = [];
  let best = 0, most = 0, n = 0;
  for (let start = 0; start < part.length; start++) {
    if (!inside[start] || part[start]) continue;
    let size = 0;
    part[start] = ++n;
    stack.push(start);
    for (let at = stack.pop(); at !== undefined; at = stack.pop()) {
      size++;
      const x = at % width;
      for (const [next, there] of [[at - 1, x > 0], [at + 1, x + 1 < width], [at - width, at >= width], [at + width, at + width < part.length]] as const)
        if (there && inside[next] && !part[next]) {
          part[next] = n;
          stack.push(next);
        }
    }
    if (size > most) [best, most] = [n, size];
  }
  return best ? Uint8Array.from(part, (p) => (p === best ? 1 : 0)) : undefined;
}

/** Around it clockwise, the inside on the right hand; one corner for each turn. */
function around(one: Uint8Array, width: number, height: number): Corner[] {
  const is = (x: number, y: number) => x >= 0 && y >= 0 && x < width && y < height && one[y * width + x] === 1;
  const first = one.indexOf(1), begin = { x: first % width, y: Math.floor(first / width) };
  const step = [[1, 0], [0, 1], [-1, 0], [0, -1]] as const, right = [[0, 0], [-1, 0], [-1, -1], [0, -1]] as const, left = [[0, -1], [0, 0], [-1, 0], [-1, -1]] as const;
  const out: Corner[] = [];
  let { x, y } = begin, way = 0;
  do {
    const [dx, dy] = step[way] ?? [0, 0];
    x += dx;
    y += dy;
    const [rx, ry] = right[way] ?? [0, 0], [lx, ly] = left[way] ?? [0, 0];
    const turn = !is(x + rx, y + ry) ? 1 : is(x + lx, y + ly) ? 3 : 0;
    if (turn) out.push({ x, y });
    way = (way + turn) % 4;
  } while (x !== begin.x || y !== begin.y || way !== 0);
  return out;
}

/** Of a line from its first to its last corner, those that lie further than `far` from what is left of it. */
function simple(line: Corner[], far: number): Corner[] {
  const a = line[0], b = line.at(-1);
  if (!a || !b || line.length < 3) return line;
  const length = Math.hypot(b.x - a.x, b.y - a.y);
  let at = 0, most = far;
  line.forEach((c, i) => {
    const off = length ? Math.abs((b.x - a.x) * (a.y - c.y) - (a.x - c.x) * (b.y - a.y)) / length : Math.hypot(c.x - a.x, c.y - a.y);
    if (off > most) [at, most] = [i, off];
  });
  return at ? [...simple(line.slice(0, at + 1), far).slice(0, -1), ...simple(line.slice(at), far)] : [a, b];
}

/** In pixels of the picture that the mask lies over; undefined: there is nothing, or nothing with an area. */
export function traced(mask: Mask, picture: { width: number; height: number }): Corner[] | undefined {
  const one = largest(mask);
  if (!one) return undefined;
  const ring = around(one, mask.width, mask.height), start = ring[0];
  if (!start) return undefined;
  const away = (c: Corner) => Math.hypot(c.x - start.x, c.y - start.y);
  const half = ring.reduce((best, c, i) => (away(c) > away(ring[best] ?? start) ? i : best), 0);
  let out = ring;
  for (let far = 1.25; out === ring || out.length > CORNERS_MAX; far *= 1.5)
    out = [...simple(ring.slice(0, half + 1), far).slice(0, -1), ...simple([...ring.slice(half), start], far).slice(0, -1)];
  const sx = picture.width / mask.width, sy = picture.height / mask.height;
  return out.length < 3 ? undefined : out.map(({ x, y }) => ({ x: x * sx, y: y * sy }));
}
