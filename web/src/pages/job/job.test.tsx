import { act, fireEvent, screen, waitFor, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { beforeEach, expect, test, vi } from "vitest";

import { Toasts } from "../../parts/toast";
import { type Call, Refusal, serve, show } from "../../testing";
import type { Course, Job, Result, Validation } from "../../types";
import { groupOf, groupsOf, timeOf } from "./charts";
import { classCurves, countsAt } from "./curves";
import JobPage from "./page";
import { appended } from "./queries";
import { place } from "./samples";
import { loadOf } from "./system";
import { countsOf } from "./viewer";

vi.mock("uplot", () => ({
  default: class {
    over = document.createElement("div");
    destroy() {}
    setData() {}
    setScale() {}
    setSize() {}
    batch(fn: () => void) {
      fn();
    }
  },
}));

class Socket {
  static all: Socket[] = [];
  onopen?: () => void;
  onmessage?: (e: { data: string }) => void;
  onclose?: (e: { code: number }) => void;
  onerror?: () => void;
  constructor(readonly url: string) {
    Socket.all.push(this);
    setTimeout(() => this.onopen?.(), 0);
  }
  addEventListener(name: string, fn: never) {
    (this as Record<string, unknown>)[`on${name}`] = fn;
  }
  close() {}
  say(id: number, event: string, data: unknown) {
    this.onmessage?.({ data: JSON.stringify({ id, event, data }) });
  }
}
beforeEach(() => {
  Socket.all = [];
  vi.stubGlobal("WebSocket", Socket);
});

const job = (more: Partial<Job> = {}): Job => ({
  job: "j1", name: "cats", status: "running", kind: "train", framework: "anneal", model: "tiny", project: null, dataset: "d1", dataset_name: "pets",
  dataset_version: "v1", split: null, progress: 0.5, epoch: 2, epochs: 4, step: 5, steps: 10, message: "training", waiting_reason: null, error: null,
  attempt: 1, failures: 0, attempts: 3, best: { epoch: 1, metric: "accuracy", value: 0.75 }, weights_sha256: null, engine: null, wish: "none", paused: false,
  priority: 50, queue_place: 0, base_job: null, created_by: "u1", created_by_name: "Ada", created_at: "2026-01-01T00:00:00Z", queued_at: "2026-01-01T00:00:00Z",
  started_at: "2026-01-01T00:00:00Z", ended_at: null, tags: [], notes: "", starred: false, goal: "accuracy", config: {}, warnings: null, ...more,
} as unknown as Job);
const course: Course = {
  n: [1, 2, 3], step: [5, 10, 15], epochs: [0.5, 1, 1.5], time: [1000, 2000, 3000],
  metrics: { "train/loss": [3, 2, 1], "val/loss": [null, 2.5, null], "system/cpu": [1, 2, 1.5], "system/memory": [2 ** 20, 2 ** 21, 2 ** 21], images_per_second: [10, 20, 30] },
};
const other: Course = { ...course, metrics: { "train/loss": [5, 4, 3] } };
const point = (epoch: number, value: number) => ({ epoch, step: 10, value, time: 0 });
const results: Result[] = [
  { index: 1, name: "a.png", sha256: "aa", label: 0, predicted: 0, confidence: 0.9, top: [[0, 0.9], [1, 0.1]] },
  { index: 2, name: "b.png", sha256: "bb", label: 0, predicted: 1, confidence: 0.95, top: [[1, 0.95], [0, 0.05]] },
  { index: 3, name: "c.png", sha256: "cc", label: 1, predicted: 0, confidence: 0.4, top: [[0, 0.4], [1, 0.3]] },
];
const validation: Validation = {
  epoch: 1, split: "val", task: "classification", classes: ["cat", "dog"], images: 3, accuracy: 0.33, top5: 1, precision: 0.3, recall: 0.3, f1: 0.3, loss: 1,
  per_class: [{ class: "cat", precision: 0.5, recall: 0.5, f1: 0.5, support: 2 }, { class: "dog", precision: 0, recall: 0, f1: 0, support: 1 }], confusion: [[1, 1], [1, 0]],
};
/** Of `results`, as the server counts them. */
const upTo = (...confidences: number[]) => Array.from({ length: 101 }, (_, i) => confidences.filter((c) => c >= i / 100).length);
const counts = { epoch: 1, split: "val", images: 3, objects: 3, hits: upTo(0.9), false: upTo(0.95, 0.4) };
const samples = { columns: 4, cell: 128, gap: 4, classes: ["cat", "dog"], pictures: [
  { name: "x.png", size: 32, labels: [[0, 0.7], [1, 0.3]], boxes: [] }, { name: "y.png", size: 32, labels: [], boxes: [[1, 2, 3, 10, 12]] }] };

/** As the server ranks them: two to a page. */
function ranked(query: string) {
  const asked = new URLSearchParams(query), hardest = asked.get("order") === "hardest";
  const all = asked.get("predicted") === "1" || asked.get("mistake") ? [results[1]] : hardest ? [results[1], results[2], results[0]] : results;
  const at = Number(asked.get("after") ?? 0);
  return { epoch: 1, split: "val", ...(hardest && { total: all.length }), next: at + 2 < all.length ? at + 2 : null, images: all.slice(at, at + 2) };
}

const server = (one: Job, more: Record<string, unknown> = {}) => serve({
  "GET /training/jobs/j1": one, "GET /training/jobs/j1/metrics": { job: "j1", epoch: 2, metrics: { "train/loss": [point(1, 2), point(2, 1)] } },
  "GET /training/jobs/j1/series": course, "GET /training/jobs/j1/samples": samples, "GET /training/jobs/j1/logs": { logs: [
    { seq: 2, time: 0, level: "warning", epoch: 1, message: "careful" }, { seq: 1, time: 0, level: "info", epoch: 1, message: "begun" }], next: null },
  "GET /training/jobs/j1/checkpoints": { checkpoints: [{ epoch: 1, is_best: true, is_last: true, is_periodic: false, metric: "accuracy", value: 0.75, weights_sha256: "ab".repeat(32), weights_bytes: 1000, attempt: 1, time: 0 }] },
  "GET /training/jobs/j1/attempts": { attempts: [{ attempt: 1, status: "running", trainer: "anneal", reason: null, last_seq: 3, created_at: null, started_at: null, ended_at: null }] },
  "GET /training/jobs/j1/validation": { validations: [{ epoch: 1, split: "val" }] }, "GET /training/jobs/j1/validation/1": validation,
  "GET /training/jobs/j1/validation/1/counts": counts,
  "GET /training/jobs/j1/validation/1/images": (call: Call) => ranked(call.query),
  "GET /training/jobs": { jobs: [one, job({ job: "j2", name: "dogs", status: "completed" })], next: null },
  "GET /training/jobs/j2": job({ job: "j2", name: "dogs", status: "completed" }), "GET /training/jobs/j2/series": other,
  "GET /datasets/d1/versions/v1": { val: 3, test: 2, train: 9 }, ...more,
});
const open = (tab = "") => show(<><JobPage id="j1" /><Toasts /></>, { path: `/app/jobs/j1${tab && `?tab=${tab}`}` });

test("metrics stand in groups of one scale, without gaps, over epochs, steps or time", () => {
  expect(["val/map50", "val/top5", "train/loss", "val/f1", "miou", "x/odd"].map(groupOf)).toEqual(["map", "accuracy", "loss", "scores", "miou", "odd"]);
  const [loss] = groupsOf([{ id: "j1", name: "cats", course }], "step");
  expect(loss?.series.map((s) => [s.label, [...(s.x as Float64Array)], [...(s.y as Float64Array)]])).toEqual([["train/loss", [5, 10, 15], [3, 2, 1]], ["val/loss", [10], [2.5]]]);
  const two = groupsOf([{ id: "j1", name: "cats", course }, { id: "j2", name: "dogs", course: other }], "time");
  expect(two.map((g) => g.name)).toEqual(["loss"]);
  expect(two[0]?.series.map((s) => s.label)).toEqual(["cats · train/loss", "cats · val/loss", "dogs · train/loss"]);
  expect([...(two[0]?.series[0]?.x as Float64Array)]).toEqual([0, 1, 2]);
  expect(timeOf({ ...course, time: [0, 600e3] }).unit).toBe("time");
  expect([...(loadOf(course, "system/memory", 1 / 2 ** 20, "m").y as Float64Array)]).toEqual([1, 2, 2]);
});

test("what the feed tells is appended, and an epoch that is run again replaces its own", () => {
  const next = appended(course, { epoch: 2, step: 8, steps: 10, time: 4000, metrics: { "train/loss": 0.5, fresh: 7 } }, 4);
  expect([next.n, next.step.at(-1), next.epochs.at(-1)]).toEqual([[1, 2, 3, 4], 18, 1.8]);
  expect(next.metrics["fresh"]).toEqual([null, null, null, 7]);
  expect(next.metrics["val/loss"]).toEqual([null, 2.5, null, null]);
  const again = appended(course, { epoch: 1, step: 5, steps: 10, time: 9000, metrics: { "train/loss": 9 } }, 4);
  expect([again.epochs, again.metrics["train/loss"]]).toEqual([[0.5, 0.5], [3, 9]]);
});

test("thresholds say what they mean in numbers", () => {
  expect(countsAt(counts, 0.5)).toEqual({ hits: 1, wrong: 1, missed: 2, left: 1 });
  const c = classCurves(counts);
  expect([c.precision[0], c.recall[0], c.precision[92], c.recall[92]]).toEqual([1 / 3, 1 / 3, 0, 0]);
  expect([c.precision[100], c.f1[100]]).toEqual([1, 0]);
  expect(countsAt({ ...counts, objects: 10 }, 7)).toEqual({ hits: 0, wrong: 0, missed: 10, left: 3 });
  const box: Result = { ...results[0]!, truths: [{ class_id: 0, box: [0, 0, 1, 1], prediction: null }],
    predictions: [{ class_id: 0, box: [0, 0, 1, 1], confidence: 0.9, truth: null, iou: 0 }, { class_id: 0, box: [0, 0, 1, 1], confidence: 0.2, truth: 0, iou: 0.8 }] };
  expect(countsOf(box, 0.5)).toEqual({ found: 0, missed: 1, wrong: 1 });
  expect(place(samples as never, 5)).toMatchObject({ left: "-103.125%", top: "-103.125%" });
});

test("curves take axis, smoothing, log scale and other runs", async () => {
  server(job());
  await open();
  await screen.findByRole("img", { name: /^Loss: train\/loss 1, val\/loss 2.5/ });
  await userEvent.selectOptions(screen.getByLabelText("Axis"), "time");
  expect(window.location.search).toContain("axis=time");
  await userEvent.click(screen.getByRole("switch", { name: "Log scale" }));
  screen.getByRole("slider", { name: "Smoothing" }).focus();
  await userEvent.keyboard("{ArrowRight}");
  await userEvent.selectOptions(await screen.findByLabelText("Lay over"), "j2");
  await screen.findByRole("img", { name: /cats · train\/loss 1.*dogs · train\/loss 3/ });
  await userEvent.click(screen.getByRole("button", { name: "Take dogs away" }));
  await screen.findByRole("img", { name: /^Loss: train\/loss 1/ });
  expect(screen.getByText("The last 2 epochs as a table")).toBeTruthy();
});

test("the feed moves progress, curves and state, as a burst", async () => {
  server(job());
  await open();
  await waitFor(() => expect(Socket.all.length).toBe(1));
  await act(async () => {
    Socket.all[0]?.say(10, "progress", { attempt: 1, epoch: 3, epochs: 4, step: 5, steps: 10, progress: 0.6, metrics: { "train/loss": 0.25, images_per_second: 44 }, time: 5000 });
    Socket.all[0]?.say(11, "log", { time: 1, level: "info", epoch: 3, message: "hello" });
    Socket.all[0]?.say(12, "epoch", { attempt: 1, epoch: 3, epochs: 4, step: 10, steps: 10, progress: 0.75, metrics: { "train/loss": 0.2 }, time: 6000, best: { epoch: 3, metric: "accuracy", value: 0.8 } });
    await new Promise((r) => setTimeout(r, 120));
  });
  await screen.findByText("3 of 4");
  await act(async () => {
    Socket.all[0]?.say(13, "state", { status: "queued", wish: "pause", paused: true, waiting_reason: "paused after epoch 3" });
    await new Promise((r) => setTimeout(r, 120));
  });
});

test("pause, go on, stop and keep ask the server, and say what will be", async () => {
  const { calls } = server(job(), { "POST /training/jobs/j1/pause": job({ wish: "pause" }), "POST /training/jobs/j1/resume": job(), "POST /training/jobs/j1/stop": job({ wish: "finish" }) });
  await open("log");
  await userEvent.click(await screen.findByRole("button", { name: "Pause" }));
  await screen.findByText("It pauses at the end of this epoch.");
  await screen.findByText("It will pause when the epoch ends.");
  await userEvent.click(screen.getByRole("button", { name: "Go on instead" }));
  await userEvent.click(await screen.findByRole("button", { name: "Stop and keep" }));
  await userEvent.click(await screen.findByRole("button", { name: "After this epoch" }));
  await screen.findByText("It ends with this epoch and keeps the best so far.");
  expect(calls.filter((c) => c.method === "POST").map((c) => [c.path.split("/").at(-1), c.body])).toEqual([["pause", { now: false }], ["resume", {}], ["stop", { now: false }]]);
});

test("a paused job says so and goes on; a refusal is told", async () => {
  server(job({ status: "queued", paused: true, wish: "pause", waiting_reason: "paused after epoch 2" }), { "POST /training/jobs/j1/resume": new Refusal(409, "it has ended meanwhile", "conflict") });
  await open("log");
  await screen.findByText("Paused");
  await screen.findByText("paused after epoch 2");
  await userEvent.click(screen.getByRole("button", { name: "Go on" }));
  await screen.findByText(/it has ended meanwhile/);
});

test("an ended job can be resumed, tested, restarted, starred; a pending one queued; a running one cancelled", async () => {
  const made = job({ job: "j9", name: "again" });
  const { calls } = server(job({ status: "completed", ended_at: "2026-01-01T01:00:00Z" }), { "POST /training/jobs/j1/resume": made, "POST /training/jobs/j1/test": made,
    "POST /training/jobs/j1/restart": made, "PATCH /training/jobs/j1": job({ status: "completed", starred: true }) });
  await open("details");
  await userEvent.click(await screen.findByRole("button", { name: "Resume" }));
  await userEvent.click(within(await screen.findByRole("dialog")).getByRole("button", { name: "Resume" }));
  await waitFor(() => expect(calls.some((c) => c.path.endsWith("/resume"))).toBe(true));
});

test("a running job is cancelled after a question that names what is lost", async () => {
  const { calls } = server(job(), { "DELETE /training/jobs/j1": job({ status: "cancelled" }) });
  await open("details");
  await userEvent.click(await screen.findByRole("button", { name: "Cancel the job" }));
  const dialog = await screen.findByRole("alertdialog");
  within(dialog).getByText(/best checkpoint \(epoch 1\)/);
  await userEvent.click(within(dialog).getByRole("button", { name: "Cancel the job" }));
  await waitFor(() => expect(calls.some((c) => c.method === "DELETE")).toBe(true));
});

test("the samples show each picture of the sheet with its labels, or say that there are none", async () => {
  server(job());
  await open("samples");
  await screen.findByText(/cat 70.%, dog 30.%/);
  expect(screen.getByRole("img", { name: "y.png: 1 object" })).toBeTruthy();
  screen.getByText("1 object");
});

test("a trainer without samples or load is told of", async () => {
  server(job(), { "GET /training/jobs/j1/samples": new Refusal(404, "none", "not_found"), "GET /training/jobs/j1/series": { n: [], step: [], epochs: [], time: [], metrics: {} } });
  await open("samples");
  await screen.findByText("This run has not shown its training pictures.");
  await userEvent.click(screen.getByRole("tab", { name: "System load" }));
  await screen.findByText("The trainer has told nothing of its load.");
  await userEvent.click(screen.getByRole("tab", { name: "Curves" }));
  await screen.findByText("No metrics yet. They come with the first epoch.");
});

test("the load is shown in units, the log by level, text and end", async () => {
  server(job());
  await open("system");
  await screen.findByRole("img", { name: "Memory (MiB): Memory (MiB) 2" });
  await userEvent.click(screen.getByRole("tab", { name: "Log" }));
  await screen.findByText("begun");
  const box = screen.getByRole("log");
  Object.defineProperty(box, "scrollHeight", { configurable: true, value: 5000 });
  fireEvent.scroll(box);
  await waitFor(() => expect(screen.getByRole("switch", { name: "Follow the end" }).getAttribute("aria-checked")).toBe("false"));
  await userEvent.selectOptions(screen.getByLabelText("Level"), "warning");
  expect(screen.queryByText("begun")).toBeNull();
  await userEvent.type(screen.getByRole("searchbox", { name: "Search" }), "zebra");
  await screen.findByText("Nothing found.");
});

test("a cell of the matrix opens its pictures, the keys go on, a threshold counts", async () => {
  const { calls } = server(job());
  await open("validation");
  await screen.findByText("Left to a person");
  const slider = screen.getByRole("slider", { name: "Confidence threshold" });
  slider.focus();
  await userEvent.keyboard("{Home}");
  expect(screen.getByText("Wrong").parentElement?.textContent).toBe("Wrong2");
  await userEvent.click(screen.getByRole("button", { name: "1 × cat, predicted dog" }));
  let dialog = await screen.findByRole("dialog", { name: "cat, taken for dog" });
  await within(dialog).findByRole("button", { name: "Open b.png" });
  await userEvent.click(within(dialog).getByRole("button", { name: "Close" }));
  await userEvent.click(screen.getByRole("button", { name: "All pictures" }));
  dialog = await screen.findByRole("dialog", { name: "All pictures" });
  const names = () => within(dialog).getAllByRole("button", { name: /^Open / }).map((b) => b.getAttribute("aria-label"));
  await waitFor(() => expect(names()).toEqual(["Open b.png", "Open c.png"]));
  await within(dialog).findByText("3 pictures");
  await userEvent.click(within(dialog).getByRole("button", { name: "Load more" }));
  await waitFor(() => expect(names()).toEqual(["Open b.png", "Open c.png", "Open a.png"]));
  await userEvent.selectOptions(within(dialog).getByLabelText("Class"), "1");
  await userEvent.selectOptions(within(dialog).getByLabelText("Mistake"), "wrong_class");
  await waitFor(() => expect(names()).toEqual(["Open b.png"]));
  expect(calls.at(-1)?.query).toContain("class=1&mistake=wrong_class&order=hardest");
  await userEvent.selectOptions(within(dialog).getByLabelText("Mistake"), "");
  await userEvent.selectOptions(within(dialog).getByLabelText("Class"), "");
  await userEvent.selectOptions(within(dialog).getByLabelText("Order"), "index");
  await waitFor(() => expect(names()).toEqual(["Open a.png", "Open b.png"]));
  await userEvent.click(within(dialog).getByRole("button", { name: "Open a.png" }));
  await within(dialog).findByText("Picture 1 of 3");
  await userEvent.keyboard("{ArrowRight}");
  await within(dialog).findByText("Picture 2 of 3");
  within(dialog).getByRole("list", { name: "Prediction" });
  await waitFor(() => expect(within(dialog).getByRole("button", { name: "Next picture" })).toHaveProperty("disabled", false)); // the next page came by itself
  await userEvent.keyboard("k");
  await within(dialog).findByText("Picture 1 of 3");
  await userEvent.click(within(dialog).getByRole("button", { name: "Next picture" }));
  await userEvent.click(within(dialog).getByRole("button", { name: "Back" }));
  await within(dialog).findByRole("button", { name: "Open a.png" });
});

test("a detector's pictures show truth and prediction side by side or overlaid", async () => {
  const found: Result = { ...results[0]!, width: 100, height: 50, missed: 1, matched: 1, false: 0,
    truths: [{ class_id: 0, box: [1, 2, 30, 20], prediction: 0 }, { class_id: 1, box: [40, 2, 30, 20], prediction: null }],
    predictions: [{ class_id: 0, box: [1, 2, 31, 20], confidence: 0.8, truth: 0, iou: 0.9 }, { class_id: 1, box: [1, 2, 3, 2], confidence: 0.05, truth: null, iou: 0.1 }] };
  const half = Array<number>(101).fill(0.5);
  const { calls } = server(job(), {
    "GET /training/jobs/j1/validation/1/counts": { ...counts, objects: 2, hits: upTo(0.8), false: upTo(0.05) },
    "GET /training/jobs/j1/validation/1": { ...validation, task: "detection", map50: 0.5, map: 0.3, best_confidence: 0.3, confusion: [[1, 0, 1], [0, 0, 0], [0, 0, 0]],
      per_class: [{ class: "cat", ap50: 0.5, ap: 0.3, precision: 0.5, recall: 0.5, support: 2, precision_at_recall: half }, { class: "dog", ap50: -1, ap: -1, support: 0 }],
      curves: { precision: half, recall: half, f1: half } },
    "GET /training/jobs/j1/validation/1/images": { epoch: 1, split: "val", next: null, images: [found] },
  });
  await open("validation");
  expect((await screen.findByText("Found")).parentElement?.textContent).toBe("Found1");
  await userEvent.click(screen.getByRole("button", { name: "1 × cat, predicted (nothing)" }));
  await screen.findByRole("dialog", { name: "cat, taken for (nothing)" });
  await waitFor(() => expect(calls.at(-1)?.query).toContain("label=0&predicted=2&threshold=0.3&order=hardest"));
  await userEvent.keyboard("{Escape}");
  await waitFor(() => expect(screen.queryByRole("dialog")).toBeNull());
  screen.getByRole("img", { name: "Precision by recall, IoU 0.5" });
  await userEvent.click(screen.getByRole("button", { name: "Pictures with mistakes" }));
  const dialog = await screen.findByRole("dialog");
  await userEvent.click(await within(dialog).findByRole("button", { name: "Open a.png" }));
  await within(dialog).findByText("1 found, 1 missed, 0 false");
  expect(within(dialog).getAllByRole("img", { name: "a.png" })).toHaveLength(2);
  await userEvent.click(within(dialog).getByRole("button", { name: "Overlaid" }));
  expect(within(dialog).getAllByRole("img", { name: "a.png" })).toHaveLength(1);
  within(dialog).getByRole("slider", { name: "Confidence threshold" }).focus();
  await userEvent.keyboard("{Home}");
  await within(dialog).findByText("1 found, 1 missed, 1 false");
});

test("segments show the dataset's outlines and the model's masks", async () => {
  const found: Result = { ...results[0]!, width: 4, height: 2, truths: [{ class_id: 1, box: [0, 0, 2, 2], prediction: 0 }],
    predictions: [{ class_id: 1, box: [0, 0, 2, 2], confidence: 0.8, truth: 0, iou: 0.9, mask: { size: [2, 4], counts: "044" } }] };
  const one = { index: 0, name: "a.png", shapes: { polygons: [[0, 0, 0, 2, 0, 2, 2], [5, 0, 0, 1, 0, 1, 1]] } };
  server(job(), {
    "GET /training/jobs/j1/validation/1": { ...validation, task: "segmentation", best_confidence: 0.3, confusion: [[0, 0, 0], [0, 1, 0], [0, 0, 0]] },
    "GET /training/jobs/j1/validation/1/images": { epoch: 1, split: "val", total: 1, next: null, images: [found] },
    "GET /datasets/d1/versions/v1/images": { images: [{ ...one, name: "aa.png" }, one], next: null }, "GET /datasets/d1/versions/v1": { classes: ["dog"] },
  });
  await open("validation");
  await userEvent.click(await screen.findByRole("button", { name: "1 × dog, predicted dog" }));
  const dialog = await screen.findByRole("dialog");
  await userEvent.click(await within(dialog).findByRole("button", { name: "Open a.png" }));
  await waitFor(() => expect(dialog.querySelectorAll("figure polygon")).toHaveLength(1)); // of a class that the model knows
  expect(dialog.querySelectorAll("figure canvas")).toHaveLength(1);
});

test("a matrix of pixels says so and opens its pictures, with areas and outlines", async () => {
  const one: Result = { ...results[0]!, width: 4, height: 2, miou: 0.5, areas: [{ class_id: 1, iou: 0.5, mask: { size: [2, 4], counts: "044" } }, { class_id: 0, iou: 0 }] };
  const { calls } = server(job(), {
    "GET /training/jobs/j1/validation/1": { ...validation, task: "semantic", miou: 0.5, per_class: [{ class: "cat", iou: 0.5, dice: 0.6 }] },
    "GET /training/jobs/j1/validation/1/images": { epoch: 1, split: "val", total: 1, next: null, images: [one] },
    "GET /datasets/d1/versions/v1/images": { images: [], next: null }, "GET /datasets/d1/versions/v1": { classes: ["dog"] },
  });
  await open("validation");
  await screen.findByText(/^Pixels\./);
  await userEvent.click(screen.getByRole("button", { name: "1 × cat, predicted dog" }));
  const dialog = await screen.findByRole("dialog");
  await userEvent.click(await within(dialog).findByRole("button", { name: "Open a.png" }));
  await waitFor(() => expect(calls.some((c) => c.query.includes("label=0&predicted=1&order=hardest"))).toBe(true));
  expect(dialog.querySelectorAll("figure canvas")).toHaveLength(1);
  within(dialog).getByText("mIoU 50.0 %");
});
