import { act, fireEvent, screen, waitFor, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { beforeEach, expect, test, vi } from "vitest";

import { App } from "../app";
import { type Command, strokes, useAllCommands, useCommands, useKeys } from "../keys";
import { Refusal, serve, show } from "../testing";
import { fits } from "./palette";

beforeEach(() => {
  serve({ "GET /datasets": (call: { query: string }) => ({ datasets: call.query.includes("q=") ? [{ id: "d1", name: "flowers", task: "classification", versions: 1, created_at: "2026-01-01T00:00:00Z", updated_at: "2026-01-01T00:00:00Z" }] : [], next: null }),
    "GET /training/jobs": (call: { query: string }) => ({ jobs: call.query.includes("q=") ? [{ job: "j1", name: "flowers run", status: "completed", kind: "train" }] : [], next: null }),
    "GET /registry/models": { models: [{ id: "m1", name: "flower-finder", task: "detection" }] },
    "GET /datasets/:id": new Refusal(404, "gone") });
});

test("Ctrl and K opens the palette; a page is found by part of its name and opened by Enter", async () => {
  await show(<App />, { path: "/app/jobs", session: false });
  await screen.findByRole("heading", { name: "Jobs", level: 1 });
  await userEvent.keyboard("{Control>}k{/Control}");
  const field = await screen.findByRole("combobox", { name: "Go to anything" });
  await userEvent.type(field, "proj");
  expect(screen.getByRole("option", { selected: true }).textContent).toContain("Projects");
  expect(field.getAttribute("aria-activedescendant")).toBe(screen.getByRole("option", { selected: true }).id);
  await userEvent.keyboard("{Enter}");
  await waitFor(() => expect(window.location.pathname).toBe("/app/projects"));
  expect(screen.queryByRole("combobox", { name: "Go to anything" })).toBeNull();
});

test("datasets and jobs are found by name, arrows go round the list", async () => {
  await show(<App />, { path: "/app/jobs", session: false });
  await userEvent.click((await screen.findAllByRole("button", { name: /^Search/ }))[0] as HTMLElement);
  await userEvent.type(await screen.findByRole("combobox", { name: "Go to anything" }), "flow");
  const jobs = await screen.findByRole("group", { name: "Jobs" });
  within(jobs).getByRole("option", { name: /flowers run/ });
  within(await screen.findByRole("group", { name: "Models" })).getByRole("option", { name: /flower-finder/ });
  await userEvent.keyboard("{ArrowUp}");
  expect(screen.getByRole("option", { selected: true }).textContent).toContain("flowers run");
  await userEvent.keyboard("{ArrowUp}{Enter}");
  await waitFor(() => expect(window.location.pathname).toBe("/app/datasets/d1"));
});

test("what nothing is called says so; a theme can be chosen by name", async () => {
  await show(<App />, { path: "/app/jobs", session: false });
  await userEvent.click((await screen.findAllByRole("button", { name: /^Search/ }))[0] as HTMLElement);
  const field = await screen.findByRole("combobox", { name: "Go to anything" });
  await userEvent.type(field, "dark");
  await userEvent.keyboard("{Enter}");
  await waitFor(() => expect(localStorage.getItem("anneal-theme")).toBe("dark"));
});

test("two keys one after the other lead to a page, but not while somebody types; the sheet names them", async () => {
  await show(<App />, { path: "/app/jobs", session: false });
  await screen.findByRole("heading", { name: "Jobs", level: 1 });
  await userEvent.keyboard("gd");
  await waitFor(() => expect(window.location.pathname).toBe("/app/datasets"));
  const search = await screen.findByRole("searchbox");
  await userEvent.type(search, "gj?");
  expect(window.location.pathname).toBe("/app/datasets");
  act(() => search.blur());
  await userEvent.keyboard("?");
  const sheet = await screen.findByRole("dialog", { name: "Keys" });
  within(sheet).getByText("Go to Jobs");
});

test("a page's keys are those of what is shown last, and go with it", async () => {
  const outer = vi.fn(), inner = vi.fn();
  function Page({ commands, children }: { commands: Command[]; children?: React.ReactNode }) {
    useKeys();
    useCommands(commands);
    return <p>{useAllCommands().length}{children}</p>;
  }
  const { rerender } = await show(<Page commands={[{ text: "Next", keys: "n", run: outer }]}><Page commands={[{ text: "New", keys: "n", run: inner }]} /></Page>, { session: false });
  fireEvent.keyDown(document.body, { key: "n" });
  expect(outer.mock.calls.length + inner.mock.calls.length).toBeGreaterThan(0);
  rerender(<p>none</p>);
  const before = outer.mock.calls.length + inner.mock.calls.length;
  fireEvent.keyDown(document.body, { key: "n" });
  expect(outer.mock.calls.length + inner.mock.calls.length).toBe(before);
});

test("words fit by their beginnings, and keys are named as they are labelled", () => {
  expect(fits("New training", "tra")).toBe(true);
  expect(fits("New training", "n t")).toBe(true);
  expect(fits("New training", "raining x")).toBe(false);
  expect(fits("학습 작업", "작업")).toBe(true);
  expect(strokes("Mod+k")).toEqual([["Ctrl", "K"]]);
  expect(strokes("g d")).toEqual([["G"], ["D"]]);
  expect(strokes("ArrowUp")).toEqual([["↑"]]);
});
