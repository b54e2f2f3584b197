import { act, screen, waitFor, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { expect, test } from "vitest";

import { type Call, Refusal, serve, show } from "../../testing";
import type { FormField, Preset } from "../../types";
import { roughly } from "./check";
import TrainPage from "./page";
import { presetOf, settingsOf } from "./presets";

const field = (name: string, dflt: FormField["default"], more: Partial<FormField> = {}): FormField => ({
  name, type: "int", default: dflt, group: "Training", required: false, advanced: false, description: `What ${name} does.`, min: 0, max: 1000, ...more,
});
const schema = [field("model", "tiny", { type: "str", group: "Model" }), field("weights", "", { type: "str", group: "Model" }), field("epochs", 20), field("batch_size", 64),
  field("nesterov", true, { type: "bool", group: "Optimiser", advanced: true }), field("optimizer", "sgd", { type: "select", group: "Optimiser", options: ["sgd", "adamw"] }),
  field("learning_rate", 0.05, { type: "float", group: "Optimiser" })];
const model = (name: string, task: string, measured: object | null = null) => ({
  framework: "anneal", name, title: name.toUpperCase(), task, parameters: 78_042, description: "A network.", image_size: 32, config_schema: schema, measured,
});
const measured = { image_size: 32, batch_size: 8, params: 78_042, weights_bytes: 314_856, memory_bytes: 16 * 2 ** 20, train_images_per_second: 1200, images_per_second: 3000 };
const presets: Preset[] = [
  { name: "quick", title: "Quick", help: "quick", settings: { classification: { epochs: 5 } } }, { name: "standard", title: "Standard", help: "as it is", settings: { classification: {} } },
  { name: "house", title: "House", help: "our own", settings: { classification: { epochs: 7 } } }];
const fine = { ok: true, errors: [], warnings: [], config: {}, estimate: { basis: "runs", seconds: 130, least: 100, most: 200, runs: 2, measured: null, reason: null } };
const version = { version: "v1", number: 1, images: 40, train: 32, val: 8, test: 0, none: 0 };
const dataset = (id: string, task: string) => ({ id, name: id, task, versions: 1, images: 40, classes: 2, bytes: 1, faults: 0 });

const server = (more: Record<string, unknown> = {}) => serve({
  "GET /datasets": { datasets: [dataset("pets", "classification"), dataset("boxes", "detection")], next: null },
  "GET /models/list": { models: [model("tiny", "classification", measured), model("large", "classification"), model("detect-n", "detection")],
    trainers: [{ framework: "other", state: "down", error: "gone" }] },
  "GET /training/presets": { presets }, "GET /datasets/:id/versions": { versions: [version] }, "GET /datasets/:id/versions/:v": version,
  "GET /training/jobs": { jobs: [{ job: "j7", name: "older", kind: "train" }], next: null }, "POST /training/check": fine,
  "POST /training/jobs": { job: "j1", name: "new", warnings: [{ field: "epochs", message: "few" }] }, ...more,
});
const open = (query = "", language: "en" | "ko" = "en") => show(<TrainPage />, { path: `/app/train${query}`, language });

test("a preset is what its settings are, weights aside", () => {
  expect(presetOf(presets, "classification", {})).toBe("standard");
  expect(presetOf(presets, "classification", { epochs: 5, weights: "job:x" })).toBe("quick");
  expect(presetOf(presets, "classification", { epochs: 6 })).toBeUndefined();
  expect(settingsOf(presets[0] as Preset, "semantic")).toEqual({});
  expect([roughly(42, "en"), roughly(200, "en"), roughly(7200, "en")]).toEqual(["42 sec", "3.3 min", "2 hr"]);
});

test("the form fills by a preset, is checked after a pause, and makes the job", async () => {
  const { calls } = server();
  await open("?dataset=pets");
  await userEvent.click(await screen.findByRole("radio", { name: /^Quick/ }));
  expect((screen.getByLabelText("Epochs") as HTMLInputElement).value).toBe("5");
  screen.getByRole("radio", { name: /^House our own/ });
  await screen.findByText("About 2.2 min");
  await screen.findByText(/by 2 earlier runs of this model/);
  await screen.findByText("Nothing doubtful was found.");
  await userEvent.selectOptions(screen.getByLabelText("Optimiser"), "adamw");
  await screen.findByText("Own settings");
  await userEvent.type(screen.getByLabelText("First weights"), "job:j7");
  await userEvent.type(screen.getByLabelText(/Name of the job/), "mine");
  await userEvent.click(screen.getByRole("button", { name: "Start training" }));
  await waitFor(() => expect(window.location.pathname).toBe("/app/jobs/j1"));
  const made = calls.find((c) => c.method === "POST" && c.path === "/training/jobs");
  expect(made?.body).toMatchObject({ dataset: "pets", framework: "anneal", name: "mine", version: "v1", config: { model: "tiny", epochs: 5, optimizer: "adamw", weights: "job:j7" } });
  expect(calls.filter((c) => c.path === "/training/check").every((c) => JSON.stringify(c.body).includes("tiny"))).toBe(true);
});

test("cards tell task, size, speed and memory; the chosen one is measured behind the warnings", async () => {
  server({ "POST /training/check": (call: Call) => ({ ...fine, warnings: [{ field: "batch_size", code: "batch_large", message: "the batch of 64 is larger than the 32 training pictures" },
    { field: "momentum", code: "setting", message: "odd" }], estimate: call.query.includes("true") ? { ...fine.estimate, basis: "measured", runs: 0, measured } : { ...fine.estimate, basis: null, seconds: null } }) });
  await open("?dataset=pets");
  const card = (await screen.findByRole("radio", { name: /^TINY/ })).closest("label") as HTMLElement;
  within(card).getByText("1,200 pictures/s");
  await screen.findByText("by a measurement on this machine", { exact: false });
  screen.getByText("2 things worth a second look");
  expect(screen.getByText("Batch size", { selector: "b" }).parentElement?.textContent).toContain("larger than the 32");
  screen.getByText("Momentum", { selector: "b" });
  screen.getAllByText("16 MiB", { exact: false });
  screen.getByText(/other: gone/);
});

test("warnings are told in Korean, with the server's words where there are none", async () => {
  server({ "POST /training/check": { ...fine, warnings: [{ field: "dataset", code: "small_validation", message: "x" }, { field: "seed", code: "new_one", message: "as the server says" }] } });
  await open("?dataset=pets", "ko");
  await screen.findByText(/검증 이미지가 아주 적어/);
  screen.getByText(/as the server says/);
});

test("a fault of the check stands at its field, and so does a refusal", async () => {
  server({ "POST /training/check": { ok: false, errors: [{ field: "config.epochs", message: "too many of them" }], warnings: [], estimate: null },
    "POST /training/jobs": new Refusal(400, "no such rate", "invalid", "config.learning_rate") });
  await open("?dataset=pets");
  const fault = await screen.findByText("too many of them");
  expect(screen.getByLabelText("Epochs").getAttribute("aria-describedby")).toBe(fault.parentElement?.id);
  await userEvent.click(screen.getByRole("button", { name: "Start training" }));
  expect((await screen.findAllByText("no such rate", { exact: false })).length).toBeGreaterThan(0);
});

test("another dataset has its own models; settings of an older job are taken along and can be dropped", async () => {
  server({ "GET /training/jobs/j5": { job: "j5", framework: "anneal", model: "tiny", dataset: "pets", config: { epochs: 33, model: "tiny", batch_size: 64, nesterov: false } } });
  await open("?from=j5");
  await waitFor(() => expect((screen.getByLabelText("Epochs") as HTMLInputElement).value).toBe("33"));
  await userEvent.click(screen.getByRole("button", { name: "Back to the defaults" }));
  expect((screen.getByLabelText("Epochs") as HTMLInputElement).value).toBe("20");
  await userEvent.selectOptions(screen.getByLabelText("Dataset"), "boxes");
  await screen.findByRole("radio", { name: /^DETECT-N/ });
  expect(screen.queryByRole("radio", { name: /^TINY/ })).toBeNull();
});

test("without data or models the page says what to do, and a viewer is told that he may not", async () => {
  server({ "GET /datasets": { datasets: [], next: null } });
  const empty = await open();
  await screen.findByText("There is no dataset to train on yet.");
  empty.unmount();
  server({ "GET /models/list": { models: [], trainers: [] } });
  const none = await open("?dataset=pets");
  await screen.findByText(/No trainer offers a model for this task yet/);
  none.unmount();
  server({ "GET /auth/me": { id: "u", name: "V", email: "v@x", role: "viewer", active: true } });
  await act(async () => {
    await open();
  });
  await waitFor(() => expect(screen.queryByText("Start training")).toBeNull());
});
