import { expect, test } from "vitest";

import type { Mask } from "./answer";
import { traced } from "./trace";

const mask = (...rows: string[]): Mask => ({ width: rows[0]?.length ?? 0, height: rows.length, inside: Uint8Array.from(rows.join(""), (c) => (c === "#" ? 1 : 0)) });
const text = (of: Mask, size = { width: of.width, height: of.height }) => traced(of, size)?.map(({ x, y }) => `${x},${y}`).join(" ");

test("a rectangle has its four corners, in the picture's pixels", () => {
  const one = mask("......", ".###..", ".###..", "......");
  expect(text(one)?.split(" ").sort()).toEqual(["1,1", "1,3", "4,1", "4,3"]);
  expect(text(one, { width: 60, height: 8 })?.split(" ").sort()).toEqual(["10,2", "10,6", "40,2", "40,6"]);
});

test("the largest part counts; what only touches by a corner is another one", () => {
  expect(text(mask("##....", "##....", "..####", "..####"))?.split(" ").sort()).toEqual(["2,2", "2,4", "6,2", "6,4"]);
});

test("it goes around a bay and over the edges of the grid", () => {
  const corners = text(mask("########", "##....##", "##....##", "##....##", "##....##", "##....##"))?.split(" ") ?? []; // wider than what is smoothed away
  expect(corners).toHaveLength(8);
  expect(corners).toContain("2,1");
  expect(corners).toContain("6,6");
});

test("a round thing has few corners, and encloses about its area", () => {
  const side = 200, inside = Uint8Array.from({ length: side * side }, (_, i) => (Math.hypot((i % side) - 99.5, Math.floor(i / side) - 99.5) < 80 ? 1 : 0));
  const out = traced({ width: side, height: side, inside }, { width: side, height: side }) ?? [];
  const area = Math.abs(out.reduce((sum, a, i) => sum + a.x * (out[(i + 1) % out.length]?.y ?? 0) - (out[(i + 1) % out.length]?.x ?? 0) * a.y, 0)) / 2;
  expect(out.length).toBeLessThan(61);
  expect(Math.abs(area / (Math.PI * 80 * 80) - 1)).toBeLessThan(0.02);
});

test("nothing has no outline", () => {
  expect(traced(mask("...", "..."), { width: 3, height: 2 })).toBeUndefined();
});
