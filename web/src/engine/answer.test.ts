import { expect, test } from "vitest";

import { cropped, maskOf } from "./answer";

/** COCO's text form of runs, as the server's rle.c writes it. */
function text(runs: number[]): string {
  let out = "";
  runs.forEach((run, i) => {
    let x = i > 2 ? run - (runs[i - 2] ?? 0) : run, more = true;
    while (more) {
      let c = x & 31;
      x >>= 5;
      more = c & 16 ? x !== -1 : x !== 0;
      if (more) c |= 32;
      out += String.fromCharCode(c + 48);
    }
  });
  return out;
}

test("runs of a mask go down the columns, small and large, up and down", () => {
  // 3 x 4, column by column: ..#. | ###. | .... -> outside 2, inside 1, outside 1, inside 3, outside 5
  const mask = maskOf({ size: [4, 3], counts: text([2, 1, 1, 3, 5]) }, 640);
  expect([mask.width, mask.height]).toEqual([3, 4]);
  expect([...mask.inside]).toEqual([0, 1, 0, 0, 1, 0, 1, 1, 0, 0, 0, 0]);
  const runs = [1000, 70, 930, 2, 3, 40, 7955];
  const large = maskOf({ size: [100, 100], counts: text(runs) }, 640);
  expect(large.inside.reduce((sum, v) => sum + v, 0)).toBe(70 + 2 + 40);
});

test("a large mask comes on a smaller grid, at its place", () => {
  const h = 2000, w = 1000; // the left half
  const mask = maskOf({ size: [h, w], counts: text([0, (w / 2) * h, (w / 2) * h]) }, 100);
  expect([mask.width, mask.height]).toEqual([50, 100]);
  const row = [...mask.inside.slice(0, 50)];
  expect(row.slice(0, 25).every((v) => v === 1)).toBe(true);
  expect(row.slice(25).every((v) => v === 0)).toBe(true);
});

test("nothing inside, and a text that is cut off, give a mask all the same", () => {
  expect(maskOf({ size: [5, 5], counts: text([25]) }, 10).inside.some((v) => v)).toBe(false);
  expect(maskOf({ size: [5, 5], counts: text([5, 10]).slice(0, 1) }, 10).inside.length).toBe(25);
});

test("of the network's input, the part over the picture is the mask", () => {
  const size = 8, input = new Uint8Array(size * size); // a picture of 16 x 8 lies in rows 2 to 5
  for (let y = 2; y < 4; y++) for (let x = 0; x < size; x++) input[y * size + x] = 3;
  const mask = cropped(input, size, { sx: 0.5, sy: 0.5, x0: 0, y0: 2 }, { width: 16, height: 8 }, 3);
  expect([mask.width, mask.height]).toEqual([8, 4]);
  expect([...mask.inside]).toEqual([...Array<number>(16).fill(1), ...Array<number>(16).fill(0)]);
  expect(cropped(input, size, { sx: 0.5, sy: 0.5, x0: 0, y0: 2 }, { width: 16, height: 8 }, 1).inside.some((v) => v)).toBe(false);
});
