// The labels of one picture while they are edited: what can be done to them, and how it is undone.  Pure; pixels of
// the picture throughout.
import type { DraftPicture, Shapes } from "../../types";

/** class, x, y, width, height */
export type Box = [number, number, number, number, number];
export interface Labels { label: number; boxes: Box[]; polygons: number[][]; quads: (number | string)[][] }

export interface Editor {
  past: Labels[];
  now: Labels;
  future: Labels[];
  selected: number | undefined;
  /** Changes of one kind to one thing, one after the other, are undone at once. */
  merge: string | undefined;
}

const PAST = 200;
/** No box is smaller than that, in pixels. */
export const LEAST = 1;

export function labelsOf(picture: Pick<DraftPicture, "label_id" | "shapes">): Labels {
  return {
    label: picture.label_id,
    boxes: (picture.shapes.boxes ?? []).map(([c = 0, x = 0, y = 0, w = 0, h = 0]): Box => [c, x, y, w, h]),
    polygons: picture.shapes.polygons ?? [],
    quads: picture.shapes.quads ?? [],
  };
}

export function shapesOf({ boxes, polygons, quads }: Labels): Shapes {
  return { ...(boxes.length && { boxes }), ...(polygons.length && { polygons }), ...(quads.length && { quads }) };
}

export const begin = (now: Labels): Editor => ({ past: [], now, future: [], selected: undefined, merge: undefined });

export const isLabelled = (labels: Labels) => labels.label >= 0 || labels.boxes.length + labels.polygons.length + labels.quads.length > 0;

/** To an eighth of a pixel: the server keeps 32-bit floats, which hold it exactly. */
const round = (v: number) => Math.round(v * 8) / 8;

/** Within the picture, with its corners in order. */
export function clip([cls, x, y, w, h]: Box, width: number, height: number): Box {
  const x1 = Math.max(0, Math.min(x, x + w)), y1 = Math.max(0, Math.min(y, y + h));
  const x2 = Math.min(width, Math.max(x, x + w)), y2 = Math.min(height, Math.max(y, y + h));
  return [cls, round(x1), round(y1), round(Math.max(0, x2 - x1)), round(Math.max(0, y2 - y1))];
}

/** Moved as a whole: it stops at the picture's edges. */
export function moved([cls, x, y, w, h]: Box, dx: number, dy: number, width: number, height: number): Box {
  return [cls, round(Math.max(0, Math.min(width - w, x + dx))), round(Math.max(0, Math.min(height - h, y + dy))), w, h];
}

/** Handles by compass: "n" moves the upper edge, "se" the lower right corner. */
export type Handle = "n" | "s" | "e" | "w" | "ne" | "nw" | "se" | "sw";

export function resized([cls, x, y, w, h]: Box, handle: Handle, dx: number, dy: number, width: number, height: number): Box {
  const left = x + (handle.includes("w") ? dx : 0), right = x + w + (handle.includes("e") ? dx : 0);
  const top = y + (handle.includes("n") ? dy : 0), bottom = y + h + (handle.includes("s") ? dy : 0);
  return clip([cls, left, top, right - left, bottom - top], width, height);
}

export type Action =
  | { do: "load"; labels: Labels }
  | { do: "select"; at: number | undefined }
  | { do: "step"; by: 1 | -1 }
  | { do: "label"; cls: number }
  | { do: "add"; boxes: Box[] }
  | { do: "put"; at: number; box: Box; merge?: string }
  | { do: "class"; at: number; cls: number }
  | { do: "remove"; at: number }
  | { do: "clear" }
  | { do: "undo" }
  | { do: "redo" };

function change(e: Editor, now: Labels, selected: number | undefined, merge?: string): Editor {
  const past = merge !== undefined && merge === e.merge ? e.past : [...e.past, e.now].slice(-PAST);
  return { past, now, future: [], selected, merge };
}

const within = (at: number | undefined, labels: Labels) => (at !== undefined && at < labels.boxes.length ? at : undefined);

export function edit(e: Editor, a: Action): Editor {
  const { now } = e;
  switch (a.do) {
    case "load":
      return begin(a.labels);
    case "select":
      return { ...e, selected: within(a.at, now), merge: undefined };
    case "step": {
      const n = now.boxes.length;
      if (!n) return e;
      return { ...e, selected: e.selected === undefined ? (a.by > 0 ? 0 : n - 1) : (e.selected + a.by + n) % n, merge: undefined };
    }
    case "label":
      return a.cls === now.label ? e : change(e, { ...now, label: a.cls }, e.selected);
    case "add": {
      const boxes = a.boxes.filter(([, , , w, h]) => w >= LEAST && h >= LEAST);
      return boxes.length ? change(e, { ...now, boxes: [...now.boxes, ...boxes] }, now.boxes.length + boxes.length - 1) : e;
    }
    case "put":
      if (a.at >= now.boxes.length || a.box[3] < LEAST || a.box[4] < LEAST) return e;
      return change(e, { ...now, boxes: now.boxes.map((one, i) => (i === a.at ? a.box : one)) }, a.at, a.merge && `${a.merge}:${a.at}`);
    case "class":
      if (now.boxes[a.at]?.[0] === a.cls) return e;
      return change(e, { ...now, boxes: now.boxes.map((one, i): Box => (i === a.at ? [a.cls, one[1], one[2], one[3], one[4]] : one)) }, a.at);
    case "remove":
      return a.at < now.boxes.length ? change(e, { ...now, boxes: now.boxes.filter((_, i) => i !== a.at) }, undefined) : e;
    case "clear":
      return isLabelled(now) ? change(e, { label: -1, boxes: [], polygons: now.polygons, quads: now.quads }, undefined) : e;
    case "undo": {
      const before = e.past.at(-1);
      return before ? { past: e.past.slice(0, -1), now: before, future: [now, ...e.future], selected: within(e.selected, before), merge: undefined } : e;
    }
    case "redo": {
      const [next, ...future] = e.future;
      return next ? { past: [...e.past, now], now: next, future, selected: within(e.selected, next), merge: undefined } : e;
    }
  }
}

// ---- the view: where the picture lies on the screen

export interface View { scale: number; x: number; y: number }
export interface Size { width: number; height: number }

const SCALE_MAX = 64;

export function fit(picture: Size, screen: Size): View {
  const scale = Math.min(screen.width / picture.width, screen.height / picture.height) || 1;
  return { scale, x: (screen.width - picture.width * scale) / 2, y: (screen.height - picture.height * scale) / 2 };
}

/** By a factor around a point of the screen, which stays where it is. */
export function zoom(view: View, factor: number, at: { x: number; y: number }, least: number): View {
  const scale = Math.max(Math.min(least, view.scale), Math.min(SCALE_MAX, view.scale * factor));
  const by = scale / view.scale;
  return { scale, x: at.x - (at.x - view.x) * by, y: at.y - (at.y - view.y) * by };
}
