import { afterEach, beforeEach, expect, test, vi } from "vitest";

import { TAB_BYTES_MAX, TabModel, whyNotHere } from "./tab";
import type { Asked } from "./worker";

const info = { model: "tiny", task: "classification" };
let workers: FakeWorker[] = [];

class FakeWorker {
  onmessage: ((e: { data: unknown }) => void) | null = null;
  onerror: ((e: { message: string }) => void) | null = null;
  asked: Asked[] = [];
  ended = false;
  constructor() {
    workers.push(this);
  }
  postMessage(asked: Asked) {
    this.asked.push(asked);
    if (asked.ask.kind === "load") queueMicrotask(() => this.onmessage?.({ data: { id: asked.id, value: info } }));
  }
  terminate() {
    this.ended = true;
  }
}

beforeEach(() => {
  workers = [];
  vi.stubGlobal("Worker", FakeWorker);
  vi.stubGlobal("OffscreenCanvas", class {});
});
afterEach(() => vi.unstubAllGlobals());

test("why a model cannot run in the tab is told: no engine, no browser for it, too large", () => {
  expect(whyNotHere(1000, null)).toBe("tab.missing");
  expect(whyNotHere(TAB_BYTES_MAX, "/e.wasm")).toBeUndefined();
  expect(whyNotHere(TAB_BYTES_MAX + 1, "/e.wasm")).toBe("tab.large");
  vi.stubGlobal("OffscreenCanvas", undefined);
  expect(whyNotHere(1000, "/e.wasm")).toBe("tab.browser");
});

test("answers find who asked, errors too, and a worker that stops fails all that wait", async () => {
  const { model, info: got } = await TabModel.load(new ArrayBuffer(8), "/e.wasm");
  expect(got).toEqual(info);
  const settings = { top: 1, confidence: 0.1, iou: 0.5 };
  const [a, b, c] = [1, 2, 3].map(() => model.run(new Blob(["x"]), settings));
  const [worker] = workers;
  const say = (at: number, more: object) => worker?.onmessage?.({ data: { id: worker.asked[at]?.id, ...more } });
  say(2, { value: "second" });
  say(1, { error: { code: "corrupt_data", message: "no picture" } });
  await expect(b).resolves.toBe("second");
  await expect(a).rejects.toMatchObject({ code: "corrupt_data", message: "no picture" });
  worker?.onerror?.({ message: "" });
  await expect(c).rejects.toThrow(/stopped/);
});

test("a model that is put away ends its worker and whoever waits for it", async () => {
  const { model } = await TabModel.load(new ArrayBuffer(8), "/e.wasm");
  const waits = model.run(new Blob(["x"]), { top: 1, confidence: 0.1, iou: 0.5 });
  model.close();
  await expect(waits).rejects.toMatchObject({ code: "cancelled" });
  expect(workers[0]?.ended).toBe(true);
});

test("without an engine nothing is loaded", async () => {
  await expect(TabModel.load(new ArrayBuffer(8), null)).rejects.toMatchObject({ code: "unsupported_media" });
  expect(workers).toEqual([]);
});
