// What a model says of a picture, whoever computed it: the server or this tab.

export interface Mask {
  /** A grid over the whole picture, row by row: 1 inside. */
  width: number;
  height: number;
  inside: Uint8Array;
}
export interface Mark {
  class: string;
  class_id: number;
  /** Classification, boxes, outlines: 0 to 1. */
  confidence?: number;
  /** x, y, width, height in pixels of the picture. */
  box?: [number, number, number, number];
  /** Semantic segmentation: part of the picture. */
  share?: number;
  mask?: Mask;
}
export interface Answer {
  width: number;
  height: number;
  /** The best first. */
  marks: Mark[];
  ms: number;
  error?: string;
}

/** What is asked of a run. */
export interface Settings {
  top: number;
  confidence: number;
  iou: number;
}

/** COCO's run-length mask, as the server sends it, on a grid of at most `side` pixels a side.  The runs go column by
 * column, outside and inside in turn; each number is in groups of 5 bits (the 6th: more follow; the 5th of the
 * last: the sign), from the fourth on as the difference to the one two before. */
export function maskOf(rle: { size: [number, number]; counts: string }, side: number): Mask {
  const [h, w] = rle.size, scale = Math.min(1, side / Math.max(w, h));
  const width = Math.max(1, Math.round(w * scale)), height = Math.max(1, Math.round(h * scale));
  const ends: number[] = [], runs: number[] = [];
  let at = 0, sum = 0;
  while (at < rle.counts.length) {
    let value = 0, shift = 0, more = true;
    while (more && at < rle.counts.length) {
      const c = rle.counts.charCodeAt(at++) - 48;
      value += (c & 31) * 2 ** shift;
      shift += 5;
      more = (c & 32) !== 0;
      if (!more && c & 16) value -= 2 ** shift;
    }
    if (runs.length > 2) value += runs[runs.length - 2] ?? 0;
    runs.push(value);
    ends.push((sum += value));
  }
  const inside = new Uint8Array(width * height);
  let run = 0; // samples rise column by column, so the runs are walked once
  for (let x = 0; x < width; x++) {
    const column = Math.min(w - 1, Math.floor((x + 0.5) / scale)) * h;
    for (let y = 0; y < height; y++) {
      const pixel = column + Math.min(h - 1, Math.floor((y + 0.5) / scale));
      while (run < ends.length && (ends[run] ?? 0) <= pixel) run++;
      if (run % 2 && run < ends.length) inside[y * width + x] = 1;
    }
  }
  return { width, height, inside };
}

/** The part of a mask over the network's input that lies over the picture: input x = picture x * sx + x0. */
export function cropped(input: Uint8Array, size: number, map: { sx: number; sy: number; x0: number; y0: number },
  picture: { width: number; height: number }, value: number): Mask {
  const width = Math.max(1, Math.min(size, Math.round(picture.width * map.sx))), left = Math.round(map.x0);
  const height = Math.max(1, Math.min(size, Math.round(picture.height * map.sy))), top = Math.round(map.y0);
  const inside = new Uint8Array(width * height);
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++)
      if (input[(y + top) * size + x + left] === value) inside[y * width + x] = 1;
  return { width, height, inside };
}
