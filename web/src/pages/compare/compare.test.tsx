import { fireEvent, screen, waitFor, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { expect, test, vi } from "vitest";

import { Refusal, serve, show } from "../../testing";
import ComparePage from "./page";
import { passing, scalesOf } from "./parallel";
import { differing, type Run, runsOf } from "./runs";

vi.mock("uplot", () => ({
  default: class {
    over = document.createElement("div");
    destroy() {}
    setData() {}
    setScale() {}
    batch(fn: () => void) {
      fn();
    }
  },
}));

const columns = ["job", "name", "status", "kind", "model", "dataset", "version", "created_by", "tags", "notes", "starred", "epoch", "epochs", "best",
  "best_metric", "best_epoch", "created_at", "started_at", "ended_at", "paused"];
const row = (job: string, best: number | null, lr: number, loss: number | null) =>
  [job, `run ${job}`, "completed", "train", "tiny", "pets", "v1", "Ada", ["a"], "", false, 3, 3, best, "accuracy", 2, 1000, 1000, 61_000, false, lr, 16, loss];
const reply = { columns, settings: ["learning_rate", "batch_size"], metrics: ["val/loss"], rows: [row("j1", 0.5, 0.01, 1.5), row("j2", 0.9, 0.1, null)], more: false };
const points = (a: number, b: number) => [{ epoch: 1, step: 1, value: a, time: 0 }, { epoch: 2, step: 2, value: b, time: 0 }];
const server = () => serve({
  "GET /training/runs": reply,
  "GET /models/list": { models: [{ config_schema: [{ name: "learning_rate" }, { name: "momentum" }, { name: "model" }] }], trainers: [] },
  "GET /training/jobs/j1/metrics": { metrics: { "val/loss": points(2, 1.5), loss: points(3, 2) } },
  "GET /training/jobs/j2/metrics": { metrics: { "val/loss": points(1, 0.5) } },
  "GET /training/jobs/j1": { config: { learning_rate: 0.01, batch_size: 16 } },
  "GET /training/jobs/j2": { config: { learning_rate: 0.1, batch_size: 16 } },
  "PATCH /training/jobs/:id": {},
});
const names = async () => {
  const table = await screen.findByRole("table", { name: "Compare" });
  return within(table).getAllByRole("link").map((one) => one.textContent);
};

test("rows of values become runs, and what differs is found", () => {
  const { runs } = runsOf(reply);
  expect(runs[0]).toMatchObject({ job: "j1", best: 0.5, settings: { learning_rate: 0.01, batch_size: 16 }, metrics: { "val/loss": 1.5 } });
  expect(runs[1]?.metrics).toEqual({ "val/loss": null });
  expect(differing([{ a: 1, b: [1] as never }, { a: 1, b: [2] as never, c: true }])).toEqual(["b", "c"]);
});

test("a paused run is told from one that waits", async () => {
  const queued = (job: string, paused: boolean) => row(job, null, 0.1, null).map((value, i) => ({ status: "queued", paused }[columns[i] ?? ""] ?? value));
  serve({ "GET /training/runs": { ...reply, rows: [queued("j1", true), queued("j2", false)] }, "GET /models/list": { models: [], trainers: [] } });
  await show(<ComparePage />, { path: "/app/compare" });
  await screen.findByText("Paused");
  expect(screen.getAllByText("Queued").length).toBeGreaterThan(0);
});

test("the table sorts by a setting, and a filter asks the server", async () => {
  const { calls } = server();
  await show(<ComparePage />, { path: "/app/compare" });
  expect(await names()).toEqual(["run j1", "run j2"]);
  await userEvent.click(within(screen.getByRole("columnheader", { name: "learning_rate" })).getByRole("button"));
  expect(await names()).toEqual(["run j2", "run j1"]);
  await userEvent.selectOptions(screen.getByLabelText("Status"), "failed");
  await waitFor(() => expect(calls.some((one) => one.path === "/training/runs" && one.query.includes("status=failed"))).toBe(true));
});

test("chosen runs stand in the address, over each other and with their differences", async () => {
  server();
  await show(<ComparePage />, { path: "/app/compare" });
  await userEvent.click(await screen.findByRole("checkbox", { name: "Choose run j1" }));
  await userEvent.click(screen.getByRole("checkbox", { name: "Choose run j2" }));
  expect(window.location.search).toBe("?runs=j1%2Cj2");
  const chart = await screen.findByRole("img", { name: /val\/loss: run j1 1.5, run j2 0.5/ });
  expect(chart).toBeTruthy();
  const differences = await screen.findByRole("rowheader", { name: "learning_rate" });
  expect(within(differences.closest("tr") as HTMLElement).getAllByRole("cell").map((one) => one.textContent)).toEqual(["0.01", "0.1"]);
  expect(screen.queryByRole("rowheader", { name: "batch_size" })).toBeNull();
  const legend = screen.getByRole("button", { name: /run j2/, pressed: true });
  await userEvent.click(legend);
  expect(legend.getAttribute("aria-pressed")).toBe("false");
  await userEvent.click(screen.getByRole("button", { name: "Choose none" }));
  expect(window.location.search).toBe("");
});

test("a star and notes are sent", async () => {
  const { calls } = server();
  await show(<ComparePage />, { path: "/app/compare" });
  await userEvent.click(await screen.findByRole("button", { name: "Star run j1" }));
  await waitFor(() => expect(calls).toContainEqual({ method: "PATCH", path: "/training/jobs/j1", query: "", body: { starred: true } }));
  await userEvent.click(screen.getByRole("button", { name: "Notes and tags of run j2" }));
  const dialog = await screen.findByRole("dialog");
  await userEvent.clear(within(dialog).getByLabelText("Tags, separated by commas"));
  await userEvent.type(within(dialog).getByLabelText("Tags, separated by commas"), "x, y,");
  await userEvent.type(within(dialog).getByLabelText("Notes"), "good");
  await userEvent.click(within(dialog).getByRole("button", { name: "Save" }));
  await waitFor(() => expect(calls).toContainEqual({ method: "PATCH", path: "/training/jobs/j2", query: "", body: { notes: "good", tags: ["x", "y"] } }));
  await waitFor(() => expect(screen.queryByRole("dialog")).toBeNull());
});

test("columns are chosen and kept", async () => {
  const { calls } = server();
  await show(<ComparePage />, { path: "/app/compare" });
  await userEvent.click(await screen.findByRole("button", { name: "Columns" }));
  await userEvent.click(await screen.findByRole("checkbox", { name: "momentum" }));
  await waitFor(() => expect(calls.some((one) => one.query.includes("momentum"))).toBe(true));
  expect(localStorage.getItem("anneal-compare")).toContain("momentum");
});

test("an axis holds a range by the keyboard, and lets go by Escape", async () => {
  server();
  await show(<ComparePage />, { path: "/app/compare" });
  const axis = await screen.findByRole("slider", { name: "learning_rate" });
  axis.focus();
  fireEvent.keyDown(axis, { key: "ArrowUp" });
  expect((await screen.findAllByRole("status")).map((one) => one.textContent)).toContain("1 of 2 runs pass");
  expect(await names()).toEqual(["run j2"]);
  fireEvent.keyDown(axis, { key: "ArrowDown", shiftKey: true });
  expect(await screen.findByText("0 of 2 runs pass")).toBeTruthy();
  fireEvent.keyDown(axis, { key: "Escape" });
  expect(await screen.findByText("2 of 2 runs pass")).toBeTruthy();
});

test("an axis without two values is left out, and a run without a value passes no range", () => {
  const { runs } = runsOf(reply);
  const loss = { key: "l", title: "l", value: (run: Run) => run.metrics["val/loss"] };
  const best = { key: "b", title: "b", value: (run: Run) => run.best };
  expect(scalesOf([loss, best], runs).map((one) => one.key)).toEqual(["b"]);
  expect(passing(runs, [loss, best], new Map([["l", [0, 9] as const]])).map((one) => one.job)).toEqual(["j1"]);
});

test("nothing, and an error, are said", async () => {
  serve({ "GET /training/runs": { ...reply, rows: [] } });
  await show(<ComparePage />, { path: "/app/compare" });
  await screen.findByText("No runs yet. Train a model, and it stands here.");
  serve({ "GET /training/runs": new Refusal(503, "the database is away") });
  await show(<ComparePage />, { path: "/app/compare?q=x" });
  await screen.findByText(/the database is away/);
});
