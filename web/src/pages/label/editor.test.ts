import { expect, test } from "vitest";

import { begin, type Box, classOf, clip, edit, type Editor, fit, isLabelled, labelsOf, moved, nudged, resized, shapesOf, zoom } from "./editor";
import { commandOf } from "./keys";
import { areaOf, holds, isOutline, shifted, withCorner, withoutCorner } from "./outline";
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
    .toEqual({ label: -1, boxes: [[1, 1, 2, 3, 4]], polygons: [], scores: [0.9] });
  expect(suggestionOf(result([{ class: "cat", confidence: 0.6 }]), ["cat"], 0.5)).toEqual({ label: 0, boxes: [], polygons: [], scores: [0.6] });
  expect(suggestionOf(result([{ class: "cat", confidence: 0.4 }]), ["cat"], 0.5).label).toBe(-1);
  expect(suggestionOf([], ["cat"], 0.5).boxes).toEqual([]);
});

const square = [0, 10, 10, 30, 10, 30, 30, 10, 30];

test("an outline is drawn corner by corner, taken back and closed; what is no area is not", () => {
  const started = edit(begin({ ...none, boxes: [box] }), { do: "open", point: { x: 10, y: 10 } });
  const drawn = after(started, { do: "point", at: { x: 30, y: 10 } }, { do: "point", at: { x: 30, y: 10 } }, { do: "point", at: { x: 30, y: 30 } });
  expect(drawn.open?.points).toHaveLength(3);
  expect(after(drawn, { do: "undo" }, { do: "undo" }, { do: "close", cls: 1 }).open?.points).toHaveLength(1);
  expect(after(drawn, { do: "undo" }, { do: "redo" }, { do: "redo" }).open?.points).toEqual(drawn.open?.points);
  const closed = after(drawn, { do: "close", cls: 1 });
  expect([closed.now.polygons, closed.selected, closed.open]).toEqual([[[1, 10, 10, 30, 10, 30, 30]], 1, undefined]);
  expect(edit(closed, { do: "undo" }).now.polygons).toEqual([]);
  expect(after(started, { do: "undo" }, { do: "undo" }).open).toBeUndefined();
  expect(edit(drawn, { do: "cursor", to: { x: 1, y: 2 } }).open?.cursor).toEqual({ x: 1, y: 2 });
  expect(after(drawn, { do: "leave" }).open).toBeUndefined();
  expect(edit(begin(none), { do: "point", at: { x: 1, y: 1 } })).toEqual(begin(none));
});

test("corners are chosen, moved, inserted and deleted, down to three", () => {
  const e = after(begin({ ...none, boxes: [box], polygons: [square] }), { do: "select", at: 1 }, { do: "corner-step", by: 1 });
  expect(e.corner).toBe(0);
  const one = nudged(square, 0, -4, -400, 100, 100);
  expect(one.slice(0, 3)).toEqual([0, 6, 0]);
  const bent = after(e, { do: "bend", at: 1, outline: one, merge: "move", corner: 0 }, { do: "bend", at: 1, outline: nudged(one, 0, 1, 0, 100, 100), merge: "move", corner: 0 });
  expect(bent.past).toHaveLength(1);
  const more = after(bent, { do: "corner-add" });
  expect([more.now.polygons[0]?.length, more.corner]).toEqual([11, 1]);
  const less = after(more, { do: "corner-remove" }, { do: "corner-remove" });
  expect(less.now.polygons[0]).toHaveLength(7);
  expect(edit(less, { do: "corner-remove" })).toBe(less);
  expect(edit(less, { do: "corner", at: 9 }).corner).toBeUndefined();
  expect(after(less, { do: "leave" }, { do: "leave" }).selected).toBeUndefined();
  expect(edit(e, { do: "bend", at: 1, outline: [0, 1, 1, 2, 2, 3, 3] })).toBe(e);
  expect(edit(begin(none), { do: "corner-step", by: 1 }).corner).toBeUndefined();
});

test("boxes and outlines are numbered together", () => {
  const e = begin({ ...none, boxes: [box], polygons: [square, [1, 50, 50, 60, 50, 60, 60]] });
  expect(after(e, { do: "step", by: -1 }).selected).toBe(2);
  expect(after(e, { do: "class", at: 2, cls: 4 }).now.polygons[1]?.[0]).toBe(4);
  expect(edit(e, { do: "class", at: 2, cls: 1 })).toBe(e);
  expect(after(e, { do: "remove", at: 1 }).now.polygons).toHaveLength(1);
  expect(after(e, { do: "remove", at: 0 }).now.polygons).toHaveLength(2);
  expect([classOf(e.now, 0), classOf(e.now, 2), classOf(e.now, undefined)]).toEqual([0, 1, undefined]);
});

test("outlines stay within the picture, know what they hold, and lose no corner that they need", () => {
  expect(shifted(square, -50, 900, 100, 80)).toEqual([0, 0, 60, 20, 60, 20, 80, 0, 80]);
  expect([holds(square, 20, 20), holds(square, 5, 20), areaOf(square)]).toEqual([true, false, 400]);
  expect(withCorner(square, 3).slice(-2)).toEqual([10, 20]);
  expect(withoutCorner([0, 1, 1, 2, 2, 3, 1], 0)).toBeUndefined();
  expect([isOutline(square), isOutline([0, 1, 1, 2, 2]), isOutline([0, 1, 1, 2, 2, 3, 3])]).toEqual([true, false, false]);
});

test("the keys of an outline under way are its own", () => {
  const open = (code: string, more: Partial<KeyboardEvent> = {}) =>
    commandOf({ key: code, code, ctrlKey: false, metaKey: false, shiftKey: false, altKey: false, ...more }, false, true);
  expect(open("ArrowUp", { shiftKey: true })).toEqual({ do: "cursor", dx: 0, dy: -10 });
  expect([open("Space"), open("Enter"), open("Backspace"), open("Escape")].map((c) => c?.do)).toEqual(["point", "close", "undo", "leave"]);
  expect(open("Digit2", { key: "2" })).toEqual({ do: "class", cls: 1 });
  expect([press("KeyV"), press("KeyV", { shiftKey: true }), press("KeyI")].map((c) => c?.do)).toEqual(["next-corner", "last-corner", "corner-add"]);
});

test("a model's masks become outlines where outlines are drawn", () => {
  const predictions = [{ class: "dog", confidence: 0.9, box: [0, 0, 4, 4], mask: { size: [2, 4], counts: "044" } }, { class: "cat", confidence: 0.7, box: [1, 1, 3, 3] }];
  const said = suggestionOf([{ width: 8, height: 4, predictions }] as never, ["cat", "dog"], 0.5, true);
  expect([said.boxes, said.polygons[0]?.[0], said.scores]).toEqual([[[0, 1, 1, 3, 3]], 1, [0.7, 0.9]]);
  expect(areaOf(said.polygons[0] ?? [])).toBe(16);
});
