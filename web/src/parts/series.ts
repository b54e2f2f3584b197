// Series for charts: smoothed, cut to what is in view, and thinned to what a screen can show.
//
// A chart of W pixel columns cannot show more than a lowest and a highest value for each of them, so that is what
// is drawn of long series: no spike is lost, and ten series of 100,000 points cost as much as ten of 2 W.

/** x ascends; y is NaN where there is no value.  Both of one length. */
export interface Series { key: string; label: string; x: ArrayLike<number>; y: ArrayLike<number> }
export interface Range { min: number; max: number }
/** One x for all, and of each series a value or null: what uPlot draws. */
export type Aligned = [number[], ...(number | null)[][]];

/** Index of the first x that is not below `at`. */
export function lowerBound(x: ArrayLike<number>, at: number): number {
  let low = 0, high = x.length;
  while (low < high) {
    const mid = (low + high) >> 1;
    if ((x[mid] as number) < at) low = mid + 1;
    else high = mid;
  }
  return low;
}

/** Exponential moving average of weight 0 (none) to below 1, with the correction of its start (Kingma and Ba,
 * arXiv:1412.6980, section 3), so that the first values are not drawn towards zero.  Gaps stay gaps. */
export function smooth(y: ArrayLike<number>, weight: number): Float64Array {
  const out = new Float64Array(y.length);
  let sum = 0, left = 1;
  for (let i = 0; i < y.length; i++) {
    const v = y[i] as number;
    if (Number.isNaN(v) || weight <= 0) {
      out[i] = v;
      continue;
    }
    sum = weight * sum + (1 - weight) * v;
    left = left > 1e-18 ? left * weight : 0; // below, it changes nothing but becomes denormal, which is slow
    out[i] = sum / (1 - left);
  }
  return out;
}

export function extent(all: Series[]): Range | undefined {
  let min = Infinity, max = -Infinity;
  for (const { x } of all) {
    if (!x.length) continue;
    min = Math.min(min, x[0] as number);
    max = Math.max(max, x[x.length - 1] as number);
  }
  return min <= max ? { min, max } : undefined;
}

/** Every point, on the union of the x: for what is short. */
function exact(all: Series[], from: number[], to: number[]): Aligned {
  const seen = new Set<number>();
  all.forEach((one, s) => {
    for (let i = from[s] as number; i < (to[s] as number); i++) seen.add(one.x[i] as number);
  });
  const xs = [...seen].sort((a, b) => a - b);
  const place = new Map(xs.map((x, i) => [x, i]));
  return [xs, ...all.map((one, s) => {
    const ys = new Array<number | null>(xs.length).fill(null);
    for (let i = from[s] as number; i < (to[s] as number); i++) {
      const y = one.y[i] as number;
      if (!Number.isNaN(y)) ys[place.get(one.x[i] as number) as number] = y;
    }
    return ys;
  })];
}

/** The lowest and the highest value of each column, in the order in which they come. */
function thinned(one: Series, from: number, to: number, range: Range, columns: number): (number | null)[] {
  const ys = new Array<number | null>(2 * columns).fill(null);
  const width = (range.max - range.min) / columns || 1;
  let i = from;
  while (i < to) {
    const column = Math.max(0, Math.min(columns - 1, Math.floor(((one.x[i] as number) - range.min) / width)));
    const end = range.min + (column + 1) * width;
    let low = NaN, high = NaN, lowAt = 0, highAt = 0;
    do {
      const y = one.y[i] as number;
      if (!(y >= low)) [low, lowAt] = Number.isNaN(y) ? [low, lowAt] : [y, i];
      if (!(y <= high)) [high, highAt] = Number.isNaN(y) ? [high, highAt] : [y, i];
      i++;
    } while (i < to && ((one.x[i] as number) < end || column === columns - 1));
    if (Number.isNaN(low)) continue;
    ys[2 * column] = lowAt <= highAt ? low : high;
    ys[2 * column + 1] = lowAt <= highAt ? high : low;
  }
  return ys;
}

/** What is drawn of `all` within `range` on `columns` pixels. */
export function inView(all: Series[], range: Range, columns: number): Aligned {
  // One point beyond either edge, so that lines run out of the picture.
  const from = all.map((one) => Math.max(0, lowerBound(one.x, range.min) - 1));
  const to = all.map((one) => Math.min(one.x.length, lowerBound(one.x, range.max) + 2));
  const longest = Math.max(0, ...all.map((_, s) => (to[s] as number) - (from[s] as number)));
  if (longest <= 2 * columns) return exact(all, from, to);
  const width = (range.max - range.min) / columns || 1;
  const xs = Array.from({ length: 2 * columns }, (_, i) => range.min + (i + 0.5) * (width / 2));
  return [xs, ...all.map((one) => thinned(one, lowerBound(one.x, range.min), Math.min(one.x.length, lowerBound(one.x, range.max) + 1), range, columns))];
}

/** The value at x, or the last before it; undefined beyond the ends. */
export function valueAt(one: Series, x: number): number | undefined {
  const i = lowerBound(one.x, x);
  const at = one.x[i] === x ? i : i - 1;
  const y = at >= 0 && (i < one.x.length || one.x[at] === x) ? one.y[at] : undefined;
  return y === undefined || Number.isNaN(y) ? undefined : y;
}
