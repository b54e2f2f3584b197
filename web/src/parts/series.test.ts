import { expect, test } from "vitest";

import { extent, inView, lowerBound, type Series, smooth, valueAt } from "./series";

const of = (x: number[], y: number[], key = "a"): Series => ({ key, label: key, x, y });
const long = (n: number, y: (i: number) => number): Series => ({ key: "l", label: "l", x: Float64Array.from({ length: n }, (_, i) => i), y: Float64Array.from({ length: n }, (_, i) => y(i)) });

test("smoothing neither moves a constant nor fills a gap", () => {
  expect([...smooth([2, 2, NaN, 2], 0.9)].map((v) => Math.round(v * 1e9) / 1e9)).toEqual([2, 2, NaN, 2]);
  expect([...smooth([1, 5], 0)]).toEqual([1, 5]);
  const [, second] = smooth([0, 1], 0.5);
  expect(second).toBeCloseTo(0.5 / 0.75); // by hand: (0.5 * 0 + 0.5 * 1) / (1 - 0.25)
});

test("short series keep every point, on the union of their x", () => {
  const [xs, a, b] = inView([of([1, 3], [10, 30]), of([2, 3], [NaN, 31], "b")], { min: 1, max: 3 }, 100);
  expect(xs).toEqual([1, 2, 3]);
  expect(a).toEqual([10, null, 30]);
  expect(b).toEqual([null, null, 31]);
});

test("no spike of a long series is lost, and the order within a column stays", () => {
  const one = long(100_000, (i) => (i === 54_321 ? 99 : i === 54_322 ? -99 : 0));
  const [xs, ys] = inView([one], { min: 0, max: 99_999 }, 500);
  expect(xs.length).toBe(1000);
  const high = ys?.indexOf(99) ?? -1;
  expect(high).toBeGreaterThan(0);
  expect(ys?.[high + 1]).toBe(-99);
  expect(xs[high]).toBeGreaterThan(54_321 - 200);
  expect(xs[high]).toBeLessThan(54_321 + 200);
});

test("a zoom shows the points themselves again, with a neighbour beyond either edge", () => {
  const [xs] = inView([long(100_000, (i) => i)], { min: 500, max: 510 }, 500);
  expect(xs[0]).toBe(499);
  expect(xs.at(-1)).toBe(511);
});

test("a column without values is a gap", () => {
  const [, ys] = inView([long(10_000, (i) => (i < 5000 ? 1 : NaN))], { min: 0, max: 9999 }, 100);
  expect(ys?.slice(0, 98).every((v) => v === 1)).toBe(true);
  expect(ys?.slice(102).every((v) => v === null)).toBe(true);
});

test("edges: nothing, one point, a value between two", () => {
  expect(extent([])).toBeUndefined();
  expect(extent([of([], []), of([4], [1])])).toEqual({ min: 4, max: 4 });
  expect(inView([of([4], [1])], { min: 4, max: 4 }, 10)).toEqual([[4], [1]]);
  expect(lowerBound([1, 2, 2, 3], 2)).toBe(1);
  expect(valueAt(of([1, 3], [10, 30]), 2)).toBe(10);
  expect(valueAt(of([1, 3], [10, 30]), 3)).toBe(30);
  expect(valueAt(of([1, 3], [10, 30]), 4)).toBeUndefined();
  expect(valueAt(of([1, 3], [10, 30]), 0)).toBeUndefined();
});
