// The labels of one picture while they are edited: what can be done to them, and how it is undone.  Pure; pixels of
// the picture throughout.
//
// Boxes and outlines are numbered together, boxes first: so they are chosen and listed.
import type { DraftPicture, Shapes } from "../../types";
import { bent, corners, isOutline, type Outline, outlineOf, type Point, round, withCorner, withoutCorner } from "./outline";

/** class, x, y, width, height */
export type Box = [number, number, number, number, number];
export interface Labels { label: number; boxes: Box[]; polygons: Outline[]; quads: (number | string)[][] }

export interface Editor {
  past: Labels[];
  now: Labels;
  future: Labels[];
  selected: number | undefined;
  /** The chosen corner of the chosen outline. */
  corner: number | undefined;
  /** An outline that is being drawn: its corners, those that were taken back, and where the keys' cursor is. */
  open: { points: Point[]; undone: Point[]; cursor: Point | undefined } | undefined;
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

export const begin = (now: Labels): Editor => ({ past: [], now, future: [], selected: undefined, corner: undefined, open: undefined, merge: undefined });

export const objects = (labels: Labels) => labels.boxes.length + labels.polygons.length;
/** The box or the outline of a number. */
export const boxOf = (labels: Labels, at: number | undefined): Box | undefined => (at === undefined ? undefined : labels.boxes[at]);
export const polygonOf = (labels: Labels, at: number | undefined): Outline | undefined => (at === undefined ? undefined : labels.polygons[at - labels.boxes.length]);
export const classOf = (labels: Labels, at: number | undefined): number | undefined => (boxOf(labels, at) ?? polygonOf(labels, at))?.[0];

export const isLabelled = (labels: Labels) => labels.label >= 0 || labels.boxes.length + labels.polygons.length + labels.quads.length > 0;

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
  | { do: "outline"; outline: Outline } // a new one
  | { do: "bend"; at: number; outline: Outline; merge?: string; corner?: number | undefined }
  | { do: "corner"; at: number | undefined }
  | { do: "corner-step"; by: 1 | -1 }
  | { do: "corner-add" }
  | { do: "corner-remove" }
  | { do: "open"; cursor?: Point; point?: Point }
  | { do: "cursor"; to: Point }
  | { do: "point"; at: Point }
  | { do: "close"; cls: number }
  | { do: "leave" }
  | { do: "class"; at: number; cls: number }
  | { do: "remove"; at: number }
  | { do: "clear" }
  | { do: "undo" }
  | { do: "redo" };

function change(e: Editor, now: Labels, selected: number | undefined, merge?: string, corner?: number): Editor {
  const past = merge !== undefined && merge === e.merge ? e.past : [...e.past, e.now].slice(-PAST);
  return { past, now, future: [], selected, corner, open: undefined, merge };
}

const within = (at: number | undefined, labels: Labels) => (at !== undefined && at < objects(labels) ? at : undefined);
const withPolygon = (labels: Labels, at: number, to: Outline): Labels =>
  ({ ...labels, polygons: labels.polygons.map((one, i) => (i === at - labels.boxes.length ? to : one)) });

/** While an outline is drawn: its corners come and go, and nothing else is changed. */
function draw(e: Editor, open: NonNullable<Editor["open"]>, a: Action): Editor | undefined {
  const { points, undone } = open, last = points.at(-1), again = undone.at(-1);
  switch (a.do) {
    case "cursor":
      return { ...e, open: { ...open, cursor: a.to } };
    case "point":
      return last?.x === a.at.x && last.y === a.at.y ? e : { ...e, open: { ...open, points: [...points, a.at], undone: [] } };
    case "close": {
      const outline = outlineOf(a.cls, points);
      return isOutline(outline) ? edit({ ...e, open: undefined }, { do: "outline", outline }) : e;
    }
    case "undo":
      return { ...e, open: last ? { ...open, points: points.slice(0, -1), undone: [...undone, last] } : undefined };
    case "redo":
      return again ? { ...e, open: { ...open, points: [...points, again], undone: undone.slice(0, -1) } } : e;
    default:
      return undefined;
  }
}

/** What is done to the corners of the chosen outline. */
function cornered(e: Editor, a: Action): Editor {
  const one = polygonOf(e.now, e.selected), n = one ? corners(one).length : 0, { selected: at, corner } = e;
  if (!one || at === undefined) return e;
  switch (a.do) {
    case "corner":
      return { ...e, corner: a.at !== undefined && a.at < n ? a.at : undefined, merge: undefined };
    case "corner-step":
      return { ...e, corner: corner === undefined ? (a.by > 0 ? 0 : n - 1) : (corner + a.by + n) % n, merge: undefined };
    case "corner-add": {
      const after = corner ?? n - 1;
      return change(e, withPolygon(e.now, at, withCorner(one, after)), at, undefined, after + 1);
    }
    case "corner-remove": {
      const less = corner === undefined ? undefined : withoutCorner(one, corner);
      return less ? change(e, withPolygon(e.now, at, less), at, undefined, Math.min(corner ?? 0, n - 2)) : e;
    }
    default:
      return e;
  }
}

function recolour(e: Editor, at: number, cls: number): Editor {
  const { now } = e, had = classOf(now, at);
  if (had === undefined || had === cls) return e;
  const polygon = polygonOf(now, at);
  const next = polygon ? withPolygon(now, at, [cls, ...polygon.slice(1)])
    : { ...now, boxes: now.boxes.map((one, i): Box => (i === at ? [cls, one[1], one[2], one[3], one[4]] : one)) };
  return change(e, next, at, undefined, e.corner);
}

function removed(labels: Labels, at: number): Labels {
  return { ...labels, boxes: labels.boxes.filter((_, i) => i !== at), polygons: labels.polygons.filter((_, i) => i !== at - labels.boxes.length) };
}

export function edit(e: Editor, a: Action): Editor {
  const { now } = e, drawn = e.open && draw(e, e.open, a);
  if (drawn) return drawn;
  switch (a.do) {
    case "load":
      return begin(a.labels);
    case "select":
      return { ...e, selected: within(a.at, now), corner: undefined, open: undefined, merge: undefined };
    case "step": {
      const n = objects(now);
      if (!n) return e;
      return { ...e, selected: e.selected === undefined ? (a.by > 0 ? 0 : n - 1) : (e.selected + a.by + n) % n, corner: undefined, merge: undefined };
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
    case "outline":
      return isOutline(a.outline) ? change(e, { ...now, polygons: [...now.polygons, a.outline] }, objects(now)) : e;
    case "bend":
      if (!polygonOf(now, a.at) || !isOutline(a.outline)) return e;
      return change(e, withPolygon(now, a.at, a.outline), a.at, a.merge && `${a.merge}:${a.at}:${a.corner}`, a.corner);
    case "open":
      return { ...e, selected: undefined, corner: undefined, merge: undefined, open: { points: a.point ? [a.point] : [], undone: [], cursor: a.cursor } };
    case "leave": // one step out: of the drawing, of the corner, of the object
      if (e.open || e.corner !== undefined) return { ...e, open: undefined, corner: undefined, merge: undefined };
      return { ...e, selected: undefined, merge: undefined };
    case "corner": case "corner-step": case "corner-add": case "corner-remove":
      return cornered(e, a);
    case "class":
      return recolour(e, a.at, a.cls);
    case "remove":
      return within(a.at, now) === undefined ? e : change(e, removed(now, a.at), undefined);
    case "clear":
      return isLabelled(now) ? change(e, { label: -1, boxes: [], polygons: now.polygons, quads: now.quads }, undefined) : e;
    case "undo": {
      const before = e.past.at(-1);
      return before ? { ...e, past: e.past.slice(0, -1), now: before, future: [now, ...e.future], selected: within(e.selected, before), corner: undefined, merge: undefined } : e;
    }
    case "redo": {
      const [next, ...future] = e.future;
      return next ? { ...e, past: [...e.past, now], now: next, future, selected: within(e.selected, next), corner: undefined, merge: undefined } : e;
    }
    default:
      return e; // of an outline that is not being drawn
  }
}

/** A corner moved by a step, within the picture. */
export const nudged = (one: Outline, at: number, dx: number, dy: number, width: number, height: number): Outline => {
  const c = corners(one)[at] ?? { x: 0, y: 0 };
  return bent(one, at, { x: c.x + dx, y: c.y + dy }, width, height);
};

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
