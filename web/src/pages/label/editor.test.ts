import { expect, test } from "vitest";

import { begin, type Box, clip, edit, type Editor, fit, isLabelled, labelsOf, moved, resized, shapesOf, zoom } from "./editor";
import { commandOf } from "./keys";
import { neighbour } from "./queries";
import { suggestionOf } from "./suggest";

const none = { label: -1, boxes: [], polygons: [], quads: [] };
const box: Box = [0, 10, 10, 20, 20];
const after = (e: Editor, ...actions: Parameters<typeof edit>[1][]) => actions.reduce(edit, e);

test("every change is undone and done again, in order", () => {
  const start = begin(none);
  const e = after(start, { do: "add", boxes: [box] }, { do: "class", at: 0, cls: 3 }, { do: "remove", at: 0 }, { do: "label", cls: 2 }, { do: "clear" });
  expect(e.now).toEqual(none);
  const back = after(e, { do: "undo" }, { do: "undo" }, { do: "undo" });
  expect(back.now.boxes).toEqual([[3, 10, 10, 20, 20]]);
  expect(after(back, { do: "undo" }, { do: "undo" }, { do: "undo" }).now).toEqual(none);
  expect(after(back, { do: "redo" }, { do: "redo" }).now.label).toBe(2);
  expect(after(back, { do: "label", cls: 1 }).future).toEqual([]);
});

test("nudges of one box are one step back", () => {
  const e = after(begin({ ...none, boxes: [box] }), { do: "select", at: 0 },
    ...[1, 2, 3].map((d) => ({ do: "put" as const, at: 0, box: moved(box, d, 0, 100, 100), merge: "move" })));
  expect(e.now.boxes[0]?.[1]).toBe(13);
  expect(edit(e, { do: "undo" }).now.boxes[0]).toEqual(box);
});

test("what cannot be is left alone", () => {
  const e = begin({ ...none, boxes: [box] });
  expect(edit(e, { do: "add", boxes: [[0, 1, 1, 0.2, 5]] })).toBe(e);
  expect(edit(e, { do: "put", at: 4, box })).toBe(e);
  expect(edit(e, { do: "remove", at: 4 })).toBe(e);
  expect(edit(e, { do: "undo" })).toBe(e);
  expect(edit(e, { do: "redo" })).toBe(e);
  expect(edit(e, { do: "select", at: 9 }).selected).toBeUndefined();
  expect(edit(begin(none), { do: "step", by: 1 }).selected).toBeUndefined();
  expect(edit(begin(none), { do: "clear" }).past).toEqual([]);
  expect(after(e, { do: "step", by: -1 }).selected).toBe(0);
});

test("boxes stay within the picture", () => {
  expect(clip([1, 30, 30, -50, 10], 40, 35)).toEqual([1, 0, 30, 30, 5]);
  expect(moved(box, 500, -500, 100, 100)).toEqual([0, 80, 0, 20, 20]);
  expect(resized(box, "nw", -50, 5, 100, 100)).toEqual([0, 0, 15, 30, 15]);
  expect(resized(box, "e", -30, 0, 100, 100)).toEqual([0, 0, 10, 10, 20]);
});

test("polygons and quadrangles are kept", () => {
  const shapes = { boxes: [[1, 2, 3, 4, 5]], polygons: [[0, 1, 1, 2, 2, 3, 1]], quads: [[0, 0, 1, 0, 1, 1, 0, 1, "text"]] };
  const labels = labelsOf({ label_id: -1, shapes });
  expect(isLabelled(labels)).toBe(true);
  expect(isLabelled(none)).toBe(false);
  expect(shapesOf(labels)).toEqual(shapes);
  expect(shapesOf(labelsOf({ label_id: 1, shapes: {} }))).toEqual({});
});

test("the view fits, and zooms around a point", () => {
  const view = fit({ width: 100, height: 50 }, { width: 400, height: 400 });
  expect(view).toEqual({ scale: 4, x: 0, y: 100 });
  const near = zoom(view, 2, { x: 100, y: 200 }, view.scale);
  expect([(100 - near.x) / near.scale, (200 - near.y) / near.scale]).toEqual([25, 25]);
  expect(zoom(view, 0.1, { x: 0, y: 0 }, view.scale).scale).toBe(4);
});

const press = (code: string, more: Partial<KeyboardEvent> = {}, chosen = false) =>
  commandOf({ key: code.replace(/^Key|^Digit/, "").toLowerCase(), code, ctrlKey: false, metaKey: false, shiftKey: false, altKey: false, ...more }, chosen);

test("keys go by their place, so that a Korean layout works", () => {
  expect(press("KeyN", { key: "ㅜ" })).toEqual({ do: "new" });
  expect(press("Digit0", { key: "0" })).toEqual({ do: "class", cls: 9 });
  expect(press("Numpad3", { key: "3" })).toEqual({ do: "class", cls: 2 });
  expect(press("ArrowRight", { key: "ArrowRight" })).toEqual({ do: "go", by: 1 });
  expect(press("ArrowRight", { key: "ArrowRight", shiftKey: true, ctrlKey: true }, true)).toEqual({ do: "nudge", dx: 10, dy: 0, grow: true });
  expect(press("ArrowUp", { key: "ArrowUp" })).toBeUndefined();
  expect(press("ArrowLeft", { key: "ArrowLeft", altKey: true })).toBeUndefined();
  for (const [code, command] of Object.entries({ KeyZ: "undo", KeyY: "redo", KeyC: "copy", KeyV: "paste", KeyD: "duplicate" }))
    expect(press(code, { ctrlKey: true })).toEqual({ do: command });
  expect(press("KeyZ", { metaKey: true, shiftKey: true })).toEqual({ do: "redo" });
  expect(press("KeyR", { ctrlKey: true })).toBeUndefined();
  for (const [code, command] of Object.entries({ BracketRight: "next-box", BracketLeft: "last-box", Delete: "delete", Enter: "accept", Escape: "leave", KeyF: "fit", KeyS: "suggest" }))
    expect(press(code)).toEqual({ do: command });
  expect(press("KeyD")).toEqual({ do: "go", by: 1 });
  expect(press("KeyA")).toEqual({ do: "go", by: -1 });
  expect(press("Slash", { key: "?" })).toEqual({ do: "help" });
  expect(press("Equal", { key: "+" })).toMatchObject({ do: "zoom" });
  expect(press("Minus", { key: "-" })).toMatchObject({ do: "zoom" });
  expect(press("KeyQ")).toBeUndefined();
});

test("one goes over all pictures or over a list of some", () => {
  expect(neighbour(undefined, 3, 0, -1)).toBeUndefined();
  expect(neighbour(undefined, 3, 1, 1)).toBe(2);
  expect(neighbour([2, 5, 9], 10, 4, 1)).toBe(5);
  expect(neighbour([2, 5, 9], 10, 5, -1)).toBe(2);
  expect(neighbour([2, 5, 9], 10, 9, 1)).toBeUndefined();
});

test("a model's words are taken by the names of classes", () => {
  const result = (predictions: unknown[]) => [{ predictions }] as never;
  expect(suggestionOf(result([{ class: "dog", confidence: 0.9, box: [1, 2, 3, 4] }, { class: "wolf", confidence: 0.8, box: [0, 0, 9, 9] }, { class: "cat", confidence: 0.3, box: [0, 0, 0.5, 9] }]), ["cat", "dog"], 0.5))
    .toEqual({ label: -1, boxes: [[1, 1, 2, 3, 4]], scores: [0.9] });
  expect(suggestionOf(result([{ class: "cat", confidence: 0.6 }]), ["cat"], 0.5)).toEqual({ label: 0, boxes: [], scores: [0.6] });
  expect(suggestionOf(result([{ class: "cat", confidence: 0.4 }]), ["cat"], 0.5).label).toBe(-1);
  expect(suggestionOf([], ["cat"], 0.5).boxes).toEqual([]);
});
