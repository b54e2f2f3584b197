import { fireEvent, screen, waitFor } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { expect, test, vi } from "vitest";

import { Refusal, serve, show } from "../../testing";
import type { Job } from "../../types";
import JobsPage from "./page";
import { moved, placeOf } from "./queue";

const job = (id: string, more: Partial<Job> = {}) => ({
  job: id, name: id, status: "queued", kind: "train", model: "tiny", dataset_name: "pets", priority: 50, queue_place: 1, paused: false, wish: "none", starred: false,
  epoch: 1, epochs: 4, progress: 0.25, best: null, waiting_reason: null, created_at: "2026-01-01T00:00:00Z", ...more,
}) as unknown as Job;
/** jsdom has no PointerEvent. */
const pointer = (at: Element, kind: string, clientY = 0) => fireEvent(at, new MouseEvent(`pointer${kind}`, { bubbles: true, cancelable: true, button: 0, clientY }));
const names = () => screen.getAllByRole("link", { name: /^(★ )?(one|two|three)/ }).map((a) => a.textContent?.replace("★ ", ""));

test("a place in the queue is told by the job behind it, the last one by the end", () => {
  const list = [job("a", { priority: 90 }), job("b"), job("c", { priority: 10 })];
  expect(moved([1, 2, 3], 0, 2)).toEqual([2, 3, 1]);
  expect(moved([1, 2, 3], 5, 0)).toEqual([1, 2, 3]);
  expect(placeOf(list, 0)).toEqual({ before: "b" });
  expect(placeOf(list, 2)).toEqual({ before: "end", priority: 50 });
  expect(placeOf([list[0] as Job], 0)).toEqual({ before: "end" });
});

test("the queue is put in order by keys and by dragging, and by priority", async () => {
  const { calls } = serve({ "GET /training/jobs": { jobs: [job("one"), job("two"), job("three", { paused: true })], next: null }, "PATCH /training/jobs/:id": job("one") });
  await show(<JobsPage />, { path: "/app/jobs?sort=queue" });
  const handle = await screen.findByRole("button", { name: "Move three" });
  screen.getByText("Paused");
  handle.focus();
  await userEvent.keyboard("{ArrowUp}");
  await waitFor(() => expect(calls.find((c) => c.method === "PATCH")).toMatchObject({ path: "/training/jobs/three", body: { before: "two" } }));
  await screen.findByText("three is at place 2 of 3.");
  await waitFor(() => expect(names()).toEqual(["one", "two", "three"])); // as the server still says
  const rect = vi.spyOn(Element.prototype, "getBoundingClientRect").mockImplementation(function (this: Element) {
    const at = this.parentElement ? [...this.parentElement.children].indexOf(this) : 0;
    return { top: at * 50, bottom: at * 50 + 50, left: 0, right: 100, width: 100, height: 50, x: 0, y: at * 50, toJSON: () => "" };
  });
  const one = screen.getByRole("button", { name: "Move one" });
  pointer(one, "down");
  pointer(one, "move", 120);
  expect(names()).toEqual(["two", "three", "one"]);
  pointer(one, "up");
  await waitFor(() => expect(calls.filter((c) => c.method === "PATCH").at(-1)).toMatchObject({ path: "/training/jobs/one", body: { before: "end", priority: 50 } }));
  const two = screen.getByRole("button", { name: "Move two" });
  pointer(two, "down");
  pointer(two, "cancel");
  rect.mockRestore();
  const priority = screen.getAllByLabelText("Priority")[0] as HTMLInputElement;
  await userEvent.clear(priority);
  await userEvent.type(priority, "80{Enter}");
  await waitFor(() => expect(calls.some((c) => c.method === "PATCH" && (c.body as { priority?: number }).priority === 80)).toBe(true));
});

test("the list filters, sorts and searches by the address, and says when it is empty", async () => {
  const { calls } = serve({ "GET /training/jobs": (call: { query: string }) => ({ jobs: call.query.includes("q=zebra") ? [] : [job("one", { status: "running", waiting_reason: "soon", starred: true, best: { epoch: 1, metric: "accuracy", value: 0.5 } })], next: null }) });
  await show(<JobsPage />, { path: "/app/jobs" });
  await screen.findByText("1 of 4");
  await userEvent.selectOptions(screen.getByLabelText("Status"), "failed");
  await waitFor(() => expect(calls.some((c) => c.query.includes("status=failed"))).toBe(true));
  await userEvent.selectOptions(screen.getByLabelText("Sort"), "score");
  await waitFor(() => expect(calls.some((c) => c.query.includes("sort=score"))).toBe(true));
  await userEvent.type(screen.getByRole("searchbox", { name: "Search" }), "zebra");
  await screen.findByText("Nothing found.");
});

test("a refused move is told, an empty queue too", async () => {
  serve({ "GET /training/jobs": { jobs: [job("one"), job("two")], next: null }, "PATCH /training/jobs/:id": new Refusal(409, "it runs already", "conflict") });
  const shown = await show(<JobsPage />, { path: "/app/jobs?sort=queue" });
  (await screen.findByRole("button", { name: "Move two" })).focus();
  await userEvent.keyboard("{ArrowUp}");
  await screen.findByText(/it runs already/);
  await waitFor(() => expect(names()).toEqual(["one", "two"]));
  shown.unmount();
  serve({ "GET /training/jobs": { jobs: [], next: null } });
  await show(<JobsPage />, { path: "/app/jobs?sort=queue" });
  await screen.findByText("Nothing waits.");
});
