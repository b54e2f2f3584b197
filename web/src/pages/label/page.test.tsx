import { fireEvent, screen, waitFor, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { beforeEach, expect, test, vi } from "vitest";

import { type Call, Refusal, serve, show } from "../../testing";
import type { Shapes } from "../../types";
import LabelPage from "./page";

interface Stored { revision: number; label: number; shapes: Shapes; state: string; scores: number[] }
const hash = "a".repeat(64);

/** A dataset of three pictures and its draft, as the server would keep it. */
function world(task: "classification" | "detection" | "segmentation", classes: string[], open = true) {
  const stored = new Map<number, Stored>();
  let draft = open ? { id: "d1", dataset: "x", base_version: hash, base_number: 1, state: "open", task, classes, revision: 1, edited: 0, suggested: 0 } : null;
  const at = (call: Call) => Number(call.path.split("/").at(-1));
  const picture = (index: number) => {
    const s = stored.get(index) ?? { revision: 0, label: -1, shapes: {}, state: "base", scores: [] };
    return { index, name: `${index}.png`, split: "none", sha256: hash, bytes: 9, width: 100, height: 80, type: "png", label: classes[s.label] ?? null,
      label_id: s.label, shapes: s.shapes, url: `/b/${index}`, thumb_url: `/t/${index}`, revision: s.revision, state: s.state, scores: s.scores,
      base: { label_id: -1, shapes: {} }, updated_by: s.revision ? "Ada" : "" };
  };
  const server = serve({
    "GET /datasets/x": { id: "x", name: "leaves", versions: 1, version: hash, colours: {} },
    "GET /datasets/x/draft": () => draft ?? new Refusal(404, "no draft"),
    "POST /datasets/x/draft": (call: Call) => (draft = { id: "d1", dataset: "x", base_version: hash, base_number: 1, state: "open",
      task: (call.body as { task?: "detection" }).task ?? task, classes, revision: 1, edited: 0, suggested: 0 }),
    "PUT /datasets/x/draft": (call: Call) => {
      const body = call.body as { revision: number; classes: string[] };
      classes = body.classes;
      return (draft = { ...(draft as NonNullable<typeof draft>), classes, revision: body.revision + 1 });
    },
    "DELETE /datasets/x/draft": undefined,
    "GET /datasets/x/draft/edits": () => ({ edits: [...stored].map(([index, s]) => ({ index, revision: s.revision, state: s.state, label_id: s.label })), next: null }),
    "GET /datasets/x/versions/:v": { dataset: "x", version: hash, number: 1, task, images: 3, classes, stats: null },
    "GET /datasets/x/versions/:v/anchors": { count: 3, every: 1, anchors: [0, 1, 2] },
    "GET /datasets/x/draft/images/:i": (call: Call) => picture(at(call)),
    "PUT /datasets/x/draft/images/:i": (call: Call) => {
      const body = call.body as { revision: number; label: number; shapes: Shapes; state?: string; scores?: number[] };
      const old = stored.get(at(call))?.revision ?? 0;
      if (body.revision !== old) return new Refusal(412, "somebody else");
      stored.set(at(call), { revision: old + 1, label: body.label, shapes: body.shapes, state: body.state ?? "edited", scores: body.scores ?? [] });
      return picture(at(call));
    },
    "DELETE /datasets/x/draft/images/:i": (call: Call) => {
      stored.set(at(call), { revision: 9, label: -1, shapes: {}, state: "base", scores: [] });
      return picture(at(call));
    },
    "GET /training/jobs": { jobs: [{ job: "j1", kind: "train", name: "", model: "tiny", dataset_name: "leaves", status: "completed" }], next: null },
    "GET /b/:i": () => new Response("bytes"),
    "POST /training/jobs/:j/predict": { results: [{ width: 100, height: 80, predictions: task === "segmentation" ? [{ class: "oak", confidence: 0.8, box: [0, 0, 50, 80], mask: { size: [2, 4], counts: "044" } }] : task === "detection" ? [{ class: "oak", confidence: 0.8, box: [5, 5, 20, 20] }] : [{ class: "oak", confidence: 0.8 }] }] },
    "POST /datasets/x/draft/commit": { import: "i1", state: "queued" },
    "GET /datasets/imports/i1": { import: "i1", state: "done", images: 3, progress: 1 },
  });
  return { server, stored };
}

beforeEach(() => {
  vi.stubGlobal("PointerEvent", class extends MouseEvent {}); // jsdom has none
  vi.stubGlobal("Image", class {
    src = "";
  });
});

const key = (code: string, more = {}) => fireEvent.keyDown(document.body, { key: code.replace(/^Key|^Digit/, "").toLowerCase(), code, ...more });

test("a version without classes asks what is labelled; classes are added", async () => {
  const { server } = world("detection", [], false);
  await show(<LabelPage id="x" />, { path: "/app/datasets/x/label" });
  await userEvent.click(await screen.findByRole("button", { name: /Boxes around things/ }));
  await screen.findByText("Name the first class to begin.");
  expect(server.calls).toContainEqual(expect.objectContaining({ method: "POST", path: "/datasets/x/draft", body: { task: "detection" } }));
  await userEvent.type(screen.getByRole("textbox", { name: "New class" }), "oak{Enter}");
  await screen.findByRole("button", { name: /^oak/ });
  await userEvent.click(screen.getByRole("button", { name: "Rename or colour oak" }));
  const name = await screen.findByRole("textbox", { name: "Name of the class" });
  await userEvent.clear(name);
  await userEvent.type(name, "maple{Enter}");
  await screen.findByRole("button", { name: /^maple/ });
});

test("a number gives the class, saves it and goes on; Delete takes it away", async () => {
  const { stored } = world("classification", ["oak", "elm"]);
  await show(<LabelPage id="x" />, { path: "/app/datasets/x/label" });
  await screen.findByText("1 / 3");
  await screen.findByText("0.png");
  key("Digit2");
  await screen.findByText("2 / 3");
  await waitFor(() => expect(stored.get(0)?.label).toBe(1));
  await screen.findByText("1 of 3 labelled");
  await screen.findByText("1.png");
  key("Digit9"); // no such class
  key("Digit1");
  await screen.findByText("3 / 3");
  await screen.findByText("2.png");
  key("ArrowRight", { key: "ArrowRight" });
  await screen.findByText("No further picture here.");
  key("ArrowLeft", { key: "ArrowLeft" });
  await screen.findByText("1.png");
  key("Delete");
  await waitFor(() => expect(stored.get(1)?.label).toBe(-1));
});

test("who comes back before a label is saved sees it", async () => {
  const { stored } = world("classification", ["oak", "elm"]);
  await show(<LabelPage id="x" />, { path: "/app/datasets/x/label" });
  await screen.findByText("0.png");
  const real = fetch;
  let arrive = () => {};
  const way = new Promise<void>((done) => (arrive = done));
  vi.stubGlobal("fetch", async (...all: Parameters<typeof fetch>) => {
    if (all[1]?.method === "PUT") await way;
    return real(...all);
  });
  key("Digit2");
  await screen.findByText("2 / 3");
  await screen.findByText("1.png");
  key("ArrowLeft", { key: "ArrowLeft" });
  await screen.findByText("1 / 3");
  await waitFor(() => expect(screen.getByRole("button", { name: /^elm/ }).getAttribute("aria-pressed")).toBe("true"));
  arrive();
  key("Delete");
  await waitFor(() => expect(stored.get(0)?.label).toBe(-1));
});

test("boxes by key: new, moved, resized, class, copied, undone", async () => {
  const { stored } = world("detection", ["oak", "elm"]);
  await show(<LabelPage id="x" />, { path: "/app/datasets/x/label" });
  await screen.findByText("0.png");
  key("KeyN");
  key("ArrowRight", { key: "ArrowRight" });
  key("ArrowDown", { key: "ArrowDown", ctrlKey: true });
  key("Digit2");
  await waitFor(() => expect(stored.get(0)?.shapes.boxes).toEqual([[1, 36, 28, 30, 25]]));
  key("KeyC", { ctrlKey: true });
  key("KeyV", { ctrlKey: true });
  await screen.findByRole("button", { name: "Delete box 2" });
  expect(screen.getByText("Box 2 of 2: elm")).toBeTruthy();
  await userEvent.click(screen.getByRole("button", { name: "Delete box 1" }));
  key("KeyZ", { ctrlKey: true });
  await screen.findByRole("button", { name: "Delete box 2" });
  key("BracketRight");
  key("KeyD", { ctrlKey: true });
  await screen.findByRole("button", { name: "Delete box 3" });
  key("Escape");
  key("Enter");
  await screen.findByText("2 / 3");
  await waitFor(() => expect(stored.get(0)?.shapes.boxes).toHaveLength(3));
});

test("a box is drawn and moved by the pointer, and the wheel zooms", async () => {
  const { stored } = world("detection", ["oak"]);
  await show(<LabelPage id="x" />, { path: "/app/datasets/x/label" });
  const canvas = await screen.findByRole("application");
  const drag = (x1: number, y1: number, x2: number, y2: number) => {
    fireEvent.pointerDown(canvas, { button: 0, clientX: x1, clientY: y1 });
    fireEvent.pointerMove(canvas, { clientX: x2, clientY: y2 });
    fireEvent.pointerUp(canvas);
  };
  const [, left = 0, top = 0, scale = 1] = /translate\((\S+) (\S+)\) scale\((\S+)\)/.exec(canvas.querySelector("g")?.getAttribute("transform") ?? "")?.map(Number) ?? [];
  const x = (v: number) => left + v * scale, y = (v: number) => top + v * scale;
  drag(x(10), y(10), x(40), y(40));
  await waitFor(() => expect(stored.get(0)?.shapes.boxes).toEqual([[0, 10, 10, 30, 30]]));
  drag(x(20), y(20), x(30), y(20));
  await waitFor(() => expect(stored.get(0)?.shapes.boxes).toEqual([[0, 20, 10, 30, 30]]));
  fireEvent.pointerDown(canvas.querySelector("[data-handle=se]") as Element, { button: 0, clientX: x(50), clientY: y(40) });
  fireEvent.pointerMove(canvas, { clientX: x(60), clientY: y(50) });
  fireEvent.pointerUp(canvas);
  await waitFor(() => expect(stored.get(0)?.shapes.boxes).toEqual([[0, 20, 10, 40, 40]]));
  drag(x(90), y(70), x(90), y(70)); // a click beside it: nothing is chosen
  await waitFor(() => expect(canvas.querySelector("[data-handle]")).toBeNull());
  fireEvent.wheel(canvas, { deltaY: -200 });
  await waitFor(() => expect((screen.getByRole("button", { name: "Whole picture" }) as HTMLButtonElement).disabled).toBe(false));
  await userEvent.click(screen.getByRole("button", { name: "Zoom in" }));
  await userEvent.click(screen.getByRole("button", { name: "Whole picture" }));
  fireEvent.pointerDown(canvas, { button: 1, clientX: 5, clientY: 5 });
  fireEvent.pointerMove(canvas, { clientX: 25, clientY: 25 });
  fireEvent.pointerUp(canvas);
});

test("somebody else's labels are taken or gone over, as one says", async () => {
  const { stored } = world("classification", ["oak", "elm"]);
  await show(<LabelPage id="x" />, { path: "/app/datasets/x/label" });
  await screen.findByText("0.png");
  await userEvent.click(screen.getByRole("switch", { name: /Go on after/ }));
  stored.set(0, { revision: 4, label: 1, shapes: {}, state: "edited", scores: [] });
  key("Digit1");
  await userEvent.click(await screen.findByRole("button", { name: "Keep mine" }));
  await waitFor(() => expect(stored.get(0)).toMatchObject({ revision: 5, label: 0 }));
  stored.set(0, { revision: 7, label: 1, shapes: {}, state: "edited", scores: [] });
  key("Delete");
  await userEvent.click(await screen.findByRole("button", { name: "Take theirs" }));
  await waitFor(() => expect(document.querySelector("[data-label=elm]")).not.toBeNull());
});

test("without a connection it is saved later", async () => {
  const { stored } = world("classification", ["oak"]);
  await show(<LabelPage id="x" />, { path: "/app/datasets/x/label" });
  await screen.findByText("0.png");
  const real = fetch;
  let lost = 1;
  vi.stubGlobal("fetch", async (...all: Parameters<typeof fetch>) => {
    if (all[1]?.method === "PUT" && lost-- > 0) throw new TypeError("no network");
    return real(...all);
  });
  key("Digit1");
  await screen.findByText(/No connection/);
  await waitFor(() => expect(stored.get(0)?.label).toBe(0));
  await screen.findByText("Saved");
});

test("a model suggests, a person accepts; then a version is made", async () => {
  const { server, stored } = world("detection", ["oak"]);
  await show(<LabelPage id="x" />, { path: "/app/datasets/x/label" });
  await screen.findByText("0.png");
  await screen.findByText("tiny · leaves");
  key("KeyS");
  await waitFor(() => expect(stored.get(0)).toMatchObject({ state: "suggested", scores: [0.8] }));
  await screen.findByText("Suggested by a model");
  await userEvent.click(screen.getByRole("button", { name: "Accept and go on" }));
  await waitFor(() => expect(stored.get(0)).toMatchObject({ state: "edited", shapes: { boxes: [[0, 5, 5, 20, 20]] } }));
  await userEvent.click(await screen.findByRole("button", { name: "For 2 without labels" }));
  await waitFor(() => expect(stored.get(2)?.state).toBe("suggested"));
  await userEvent.click(await screen.findByRole("button", { name: "Accept all 2" }));
  await waitFor(() => expect(stored.get(2)?.state).toBe("edited"));
  await userEvent.click(screen.getByRole("button", { name: "Commit" }));
  await userEvent.type(await screen.findByRole("textbox", { name: "Message" }), "three oaks");
  await userEvent.click(within(screen.getByRole("dialog")).getByRole("button", { name: "Commit" }));
  await screen.findByText("The version is there");
  expect(server.calls).toContainEqual(expect.objectContaining({ path: "/datasets/x/draft/commit", body: { message: "three oaks", val: 0.2 } }));
});

test("the draft is discarded only after a word on what goes; keys are told", async () => {
  const { server } = world("classification", ["oak"]);
  await show(<LabelPage id="x" />, { path: "/app/datasets/x/label", language: "ko" });
  await screen.findByText("0.png");
  key("Slash", { key: "?" });
  await screen.findByText("다음, 이전 이미지");
  await userEvent.keyboard("{Escape}");
  await userEvent.click(await screen.findByRole("button", { name: "다른 작업" }));
  await userEvent.click(await screen.findByRole("menuitem", { name: "버리기" }));
  const ask = await screen.findByRole("alertdialog");
  await userEvent.click(within(ask).getByRole("button", { name: "버리기" }));
  await waitFor(() => expect(server.calls).toContainEqual(expect.objectContaining({ method: "DELETE", path: "/datasets/x/draft" })));
});

test("an address of another version than the draft's leads to the draft's own pictures", async () => {
  world("classification", ["oak"]);
  await show(<LabelPage id="x" />, { path: "/app/datasets/x/label?version=7&picture=2" });
  await screen.findByText("0.png");
  expect(location.search).toBe("");
});

test("an outline by keys: cursor, corners, closed, bent, copied, undone", async () => {
  const { stored } = world("segmentation", ["oak", "elm"]);
  await show(<LabelPage id="x" />, { path: "/app/datasets/x/label" });
  await screen.findByText("0.png");
  const arrow = (name: string, n: number, more = {}) => Array.from({ length: n }, () => key(`Arrow${name}`, { key: `Arrow${name}`, ...more }));
  key("KeyN");
  await screen.findByText(/New outline with 0 corners/);
  key("Space");
  arrow("Right", 2, { shiftKey: true });
  key("Space");
  key("Enter"); // two corners are no outline
  arrow("Down", 2, { shiftKey: true });
  key("Space");
  await screen.findByText(/New outline with 3 corners/);
  key("Backspace");
  key("KeyZ", { ctrlKey: true, shiftKey: true });
  key("Enter");
  await waitFor(() => expect(stored.get(0)?.shapes.polygons).toEqual([[0, 50, 40, 70, 40, 70, 60]]));
  await screen.findByText("Outline 1 of 1: oak");
  key("KeyV");
  arrow("Left", 3);
  await screen.findByText("Outline 1 of 1: oak, corner 1");
  key("KeyI");
  key("Digit2");
  await waitFor(() => expect(stored.get(0)?.shapes.polygons).toEqual([[1, 47, 40, 58.5, 40, 70, 40, 70, 60]]));
  key("Delete");
  key("Escape");
  arrow("Down", 1);
  key("KeyC", { ctrlKey: true });
  key("KeyV", { ctrlKey: true });
  key("KeyD", { ctrlKey: true });
  await waitFor(() => expect(stored.get(0)?.shapes.polygons).toEqual([[1, 47, 41, 70, 41, 70, 61], [1, 55, 41, 78, 41, 78, 61], [1, 63, 49, 86, 49, 86, 69]]));
  await userEvent.click(screen.getByRole("button", { name: "Delete outline 2" }));
  await waitFor(() => expect(stored.get(0)?.shapes.polygons).toHaveLength(2));
});

test("an outline by the pointer: clicked, closed on its first corner, moved, bent, a corner inserted", async () => {
  const { stored } = world("segmentation", ["oak"]);
  await show(<LabelPage id="x" />, { path: "/app/datasets/x/label" });
  const canvas = await screen.findByRole("application", { name: /click corner by corner/ });
  const [, left = 0, top = 0, scale = 1] = /translate\((\S+) (\S+)\) scale\((\S+)\)/.exec(canvas.querySelector("g")?.getAttribute("transform") ?? "")?.map(Number) ?? [];
  const at = (x: number, y: number) => ({ clientX: left + x * scale, clientY: top + y * scale });
  const drag = (from: [number, number], to: [number, number], on: Element = canvas) => {
    fireEvent.pointerDown(on, { button: 0, ...at(...from) });
    fireEvent.pointerMove(canvas, at(...to));
    fireEvent.pointerUp(canvas);
  };
  const click = (x: number, y: number) => drag([x, y], [x, y]);
  click(10, 10);
  click(40, 10);
  click(40, 40);
  expect((screen.getByRole("button", { name: "Close the outline" }) as HTMLButtonElement).disabled).toBe(false);
  await userEvent.click(screen.getByRole("button", { name: "Undo" }));
  click(40, 40);
  click(10.2, 10.1); // on the first corner
  await waitFor(() => expect(stored.get(0)?.shapes.polygons).toEqual([[0, 10, 10, 40, 10, 40, 40]]));
  drag([35, 20], [45, 30]);
  await waitFor(() => expect(stored.get(0)?.shapes.polygons).toEqual([[0, 20, 20, 50, 20, 50, 50]]));
  drag([20, 20], [10, 25], canvas.querySelector("[data-corner='0']") as Element);
  await waitFor(() => expect(stored.get(0)?.shapes.polygons).toEqual([[0, 10, 25, 50, 20, 50, 50]]));
  drag([50, 35], [60, 35], canvas.querySelector("[data-middle='1']") as Element);
  await waitFor(() => expect(stored.get(0)?.shapes.polygons).toEqual([[0, 10, 25, 50, 20, 60, 35, 50, 50]]));
  drag([60, 35], [60, 35], canvas.querySelector("[data-corner='2']") as Element); // chosen
  key("Delete");
  await waitFor(() => expect(stored.get(0)?.shapes.polygons).toEqual([[0, 10, 25, 50, 20, 50, 50]]));
  click(90, 70); // beside it another one begins
  await userEvent.click(await screen.findByRole("button", { name: "Cancel" }));
  click(45, 30);
  await waitFor(() => expect(canvas.querySelectorAll("[data-corner]")).toHaveLength(3));
});

test("a segmenter's masks are suggested as outlines, and accepted", async () => {
  const { stored } = world("segmentation", ["oak"]);
  await show(<LabelPage id="x" />, { path: "/app/datasets/x/label" });
  await screen.findByText("0.png");
  await screen.findByText("tiny · leaves");
  key("KeyS");
  await waitFor(() => expect(stored.get(0)).toMatchObject({ state: "suggested", scores: [0.8], shapes: { polygons: [expect.anything()] } }));
  await screen.findByText("Suggested by a model");
  key("Enter");
  await waitFor(() => expect(stored.get(0)?.state).toBe("edited"));
  expect(stored.get(0)?.shapes.polygons?.[0]?.slice(1).filter((v) => v === 50)).toHaveLength(2);
});
