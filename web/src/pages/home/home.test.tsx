import { screen } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { expect, test } from "vitest";

import { account, Refusal, serve, show } from "../../testing";
import type { Version } from "../../types";
import Home from "./page";
import { quickConfig } from "./queries";

const nothing = { "GET /datasets": { datasets: [], next: null }, "GET /training/jobs": { jobs: [], next: null } };
const dataset = { id: "d1", name: "glyphs", task: "classification", versions: 1, version: "v1", images: 10, classes: 2, created_at: "2026-01-01T00:00:00Z", updated_at: "2026-01-01T00:00:00Z" };
const version = { version: "v1", train: 1440, val: 360, test: 0, stats: { width: { max: 32 }, height: { max: 32 } } } as unknown as Version;
const images = [0, 1].map((index) => ({ index, name: `${index}.png`, sha256: `s${index}`, label: "A", url: `/p/${index}`, thumb_url: `/p/${index}`, shapes: {} }));
const job = { job: "j1", name: "first", model: "tiny", kind: "train", status: "completed", progress: 1, epoch: 12, epochs: 12, best: { epoch: 12, metric: "accuracy", value: 0.9 },
  error: null, created_at: "2026-01-01T00:00:00Z", dataset_name: "glyphs", queue_place: 0 };
const data = {
  "GET /datasets/d1": dataset, "GET /datasets/d1/versions/v1": version, "GET /datasets/d1/versions/v1/images": { images, next: null },
  "GET /training/jobs/j1": job, "GET /training/jobs/j1/metrics": { job: "j1", epoch: 12, metrics: {} }, "GET /training/jobs/j1/logs": { logs: [], next: null },
  "GET /p/:n": () => Object.assign(new Response("png"), { blob: async () => new Blob(["png"]) }), // jsdom's FormData takes jsdom's Blob
};

test("without a model there is the guided run; sample data is drawn, followed to its end and shown", async () => {
  let asked = 0;
  const server = serve({ ...nothing, ...data, "POST /datasets/sample": { import: "i1", dataset: "d1" },
    "GET /datasets/imports/i1": () => (asked++ ? { state: "done", dataset: "d1" } : { state: "running" }) });
  await show(<Home />);
  await userEvent.click(await screen.findByRole("button", { name: /Sample: letters/ }));
  await screen.findByRole("button", { name: "Start training" });
  expect(await screen.findAllByRole("img", { name: "A" })).toHaveLength(2);
  expect(server.calls.find((one) => one.method === "POST")?.body).toEqual({ kind: "glyphs", count: 1800, size: 32 });
  expect(new URLSearchParams(window.location.search).get("dataset")).toBe("d1");
});

test("drawing that fails says why and can be tried again", async () => {
  serve({ ...nothing, "POST /datasets/sample": new Refusal(503, "the machine has no usable font", "unavailable") });
  await show(<Home />);
  await userEvent.click(await screen.findByRole("button", { name: /Sample: letters/ }));
  expect((await screen.findByRole("alert")).textContent).toContain("no usable font");
});

test("one click starts a small training, whose refusal is shown", async () => {
  const server = serve({ ...nothing, ...data, "POST /training/jobs": new Refusal(409, "the queue is full", "limit") });
  await show(<Home />, { path: "/app?start=1&dataset=d1" });
  await userEvent.click(await screen.findByRole("button", { name: "Start training" }));
  await screen.findByText(/the queue is full/);
  expect(server.calls.at(-1)?.body).toEqual({ dataset: "d1", config: { model: "tiny", epochs: 12, batch_size: 16, flip: 0 } });
});

test("a model is tried at once on pictures that it has not learned from", async () => {
  serve({ ...nothing, ...data, "POST /training/jobs/j1/predict": { results: [
    { width: 32, height: 32, predictions: [{ class_id: 0, class: "A", confidence: 0.93 }] }, { width: 32, height: 32, predictions: [{ class_id: 1, class: "B", confidence: 0.5 }] }] } });
  await show(<Home />, { path: "/app?start=1&dataset=d1&job=j1" });
  await screen.findByText(/93\s%/);
  screen.getByText("It is A.");
  screen.getByText("Completed");
});

test("a failed training says why and leads back to its start", async () => {
  serve({ ...nothing, ...data, "GET /training/jobs/j1": { ...job, status: "failed", best: null, error: { code: "data", text: "no pictures are left" } } });
  await show(<Home />, { path: "/app?start=1&dataset=d1&job=j1" });
  await screen.findByText(/no pictures are left/);
  await userEvent.click(screen.getByRole("button", { name: "Try again" }));
  await screen.findByRole("button", { name: "Start training" });
});

test("with a model there is what came last; a viewer is offered no training", async () => {
  serve({ "GET /datasets": { datasets: [dataset], next: null }, "GET /training/jobs": { jobs: [job], next: null }, "GET /auth/me": { ...account, role: "viewer" } });
  await show(<Home />);
  await screen.findByRole("heading", { name: "Hello, Ada" });
  await screen.findByRole("link", { name: "first" });
  expect(screen.queryByRole("link", { name: "New training" })).toBeNull();
  expect(screen.queryByRole("button", { name: "Guided run" })).toBeNull();
});

test("a small network for small pictures, few epochs for many, none for what no network learns", () => {
  const large = { ...version, train: 100_000, stats: { width: { max: 640 }, height: { max: 480 } } } as unknown as Version;
  expect(quickConfig("classification", large)).toEqual({ model: "mobilenetv3-small", epochs: 5 });
  expect(quickConfig("detection", version)).toMatchObject({ model: "detect-tiny" });
  expect(quickConfig("detection", large)).toMatchObject({ model: "detect-n" });
  expect(quickConfig("segmentation", large)).toMatchObject({ model: "segment-n" });
  expect(quickConfig("semantic", version)).toMatchObject({ model: "semseg-tiny" });
  expect(quickConfig("text", version)).toBeUndefined();
});
