import { cleanup, screen, waitFor, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { expect, test } from "vitest";

import { account, Refusal, serve, show } from "../../testing";
import OperatePage from "./page";

const health = {
  status: "degraded", version: "0.1.0",
  parts: { database: { status: "up", ms: 0.42 }, store: { status: "up", ms: 3 }, trainers: { anneal: { status: "down", error: "it does not answer", checked_at: "2026-01-01T00:00:00Z" } } },
};
const quota = {
  user_id: "u1", email: "ada@example.org", name: "Ada", jobs_max: -1, bytes_max: -1, running: 1, waiting: 2, jobs: 12, datasets: 3, picture_bytes: 5e6, checkpoint_bytes: 1e6,
};
const hook = {
  id: "w1", project_id: null, url: "https://example.org/hook", description: "the lab's bot", events: "job.completed job.failed", created_by: "u1", active: true,
  created_at: "2026-01-01T00:00:00Z", waiting: 1, failed: 0,
};

test("health names the part that is down and why", async () => {
  serve({ "GET /health": health, "GET /training/jobs": { jobs: [], next: null } });
  await show(<OperatePage />, { path: "/app/operate" });
  await screen.findByText("it does not answer");
  expect(screen.getByText("Degraded")).toBeTruthy();
  expect(screen.getByText("answered in 0.4 ms")).toBeTruthy();
  await screen.findByText("Nothing runs or waits.");
});

test("a quota is changed, and emptied again", async () => {
  const { calls } = serve({ "GET /quotas": { quotas: [quota, { ...quota, user_id: "u2", name: "", email: "bob@example.org", jobs_max: 3, bytes_max: 0 }] }, "PUT /users/:id/quota": quota });
  await show(<OperatePage />, { path: "/app/operate?tab=use" });
  await userEvent.click(await screen.findByRole("button", { name: "Quota of Ada" }));
  const dialog = await screen.findByRole("dialog");
  await userEvent.type(within(dialog).getByLabelText("Jobs at once"), "2");
  await userEvent.type(within(dialog).getByLabelText("Storage limit in GiB"), "1.5");
  await userEvent.click(within(dialog).getByRole("button", { name: "Change the quota" }));
  await waitFor(() => expect(calls).toContainEqual({ method: "PUT", path: "/users/u1/quota", query: "", body: { jobs_max: 2, bytes_max: 1_610_612_736 } }));
  await waitFor(() => expect(screen.queryByRole("dialog")).toBeNull());
  await userEvent.click(screen.getByRole("button", { name: "Quota of bob@example.org" }));
  await userEvent.clear(within(await screen.findByRole("dialog")).getByLabelText("Jobs at once"));
  await userEvent.click(within(screen.getByRole("dialog")).getByRole("button", { name: "Change the quota" }));
  await waitFor(() => expect(calls).toContainEqual({ method: "PUT", path: "/users/u2/quota", query: "", body: { jobs_max: -1, bytes_max: 0 } }));
});

test("a webhook is added and its secret shown once; a bad URL is said at its field", async () => {
  let answer: unknown = new Refusal(400, "the URL names no host", "invalid_request", "url");
  const { calls } = serve({ "GET /webhooks": { webhooks: [] }, "POST /webhooks": () => answer });
  await show(<OperatePage />, { path: "/app/operate?tab=webhooks" });
  await screen.findByText("No webhooks yet.");
  await userEvent.click(screen.getByRole("button", { name: "Add a webhook" }));
  const dialog = await screen.findByRole("dialog");
  await userEvent.type(within(dialog).getByLabelText("URL"), "https://example.org/x");
  await userEvent.click(within(dialog).getByRole("checkbox", { name: "Job starts" }));
  await userEvent.click(within(dialog).getByRole("button", { name: "Add a webhook" }));
  await within(dialog).findByText("the URL names no host");
  answer = { ...hook, secret: "whsec_abc" };
  await userEvent.click(within(dialog).getByRole("button", { name: "Add a webhook" }));
  await screen.findByDisplayValue("whsec_abc");
  expect(calls.at(-2)?.body ?? calls.at(-1)?.body).toMatchObject({ url: "https://example.org/x", events: "job.running job.completed job.failed" });
});

test("a webhook is paused, tried, looked into and deleted after a question", async () => {
  const { calls } = serve({
    "GET /webhooks": { webhooks: [hook] }, "PATCH /webhooks/:id": hook, "POST /webhooks/:id/ping": {}, "DELETE /webhooks/:id": undefined,
    "GET /webhooks/:id/deliveries": { deliveries: [
      { id: "m1", event: "job.failed", created_at: "2026-01-01T00:00:00Z", attempts: 10, next_at: null, done_at: "2026-01-04T00:00:00Z", status: 500, error: "the receiver answered 500" },
      { id: "m2", event: "ping", created_at: "2026-01-01T00:00:00Z", attempts: 1, next_at: null, done_at: "2026-01-01T00:00:01Z", status: 204, error: null },
    ] },
  });
  await show(<OperatePage />, { path: "/app/operate?tab=webhooks" });
  await userEvent.click(await screen.findByRole("switch", { name: "Active" }));
  await waitFor(() => expect(calls).toContainEqual({ method: "PATCH", path: "/webhooks/w1", query: "", body: { active: false } }));
  await userEvent.click(screen.getByRole("button", { name: "Send a ping" }));
  await waitFor(() => expect(calls.some((one) => one.path === "/webhooks/w1/ping")).toBe(true));
  await screen.findByText("the receiver answered 500");
  expect(screen.getByText("delivered")).toBeTruthy();
  await userEvent.click(screen.getByRole("button", { name: "Delete" }));
  const question = await screen.findByRole("alertdialog");
  expect(question.textContent).toContain("1 delivery not yet made");
  await userEvent.click(within(question).getByRole("button", { name: "Delete" }));
  await waitFor(() => expect(calls.some((one) => one.method === "DELETE")).toBe(true));
});

test("the audit log is for administrators, and filters by refusal", async () => {
  const entry = { id: 7, at: "2026-01-01T00:00:00Z", actor_id: "u2", actor: "Bob", credential: "token", action: "DELETE /projects/{id}", object: "/projects/p1", status: 403, address: "127.0.0.1" };
  const { calls } = serve({ "GET /audit": { entries: [entry, { ...entry, id: 6, actor_id: null, actor: "", credential: "none", status: 401 }], next: "more" } });
  await show(<OperatePage />, { path: "/app/operate?tab=audit" });
  await screen.findByText("Bob");
  expect(screen.getByText("not logged in")).toBeTruthy();
  await userEvent.click(screen.getByRole("switch", { name: "Refused only" }));
  await waitFor(() => expect(calls.some((one) => one.query.includes("refused=true"))).toBe(true));
  await userEvent.click(await screen.findByRole("button", { name: "Load more" }));
  await waitFor(() => expect(calls.some((one) => one.query.includes("cursor=more"))).toBe(true));
});

const storage = {
  embedded: true, endpoint: "", bucket: "anneal", objects: 1200, object_bytes: 3 * 2 ** 30, contents: 1000, content_bytes: 2 ** 31, disk_free_bytes: 2 ** 35, disk_bytes: 2 ** 36,
  segments: 3, segment_bytes: 2 ** 20, segment_dead_bytes: 2 ** 19, damaged: 0, unverified: 0, scrubbed_at: null, scrub_done: 10, scrub_pending: 30,
  buckets: [{ name: "anneal", owner: "root", created_at: "2026-01-01T00:00:00Z", versioned: false, objects: 1200, bytes: 3 * 2 ** 30, versions: 0, version_bytes: 0 }],
};
test("storage tells sizes, what is saved, and how far the reading through is", async () => {
  serve({ "GET /storage": storage });
  await show(<OperatePage />, { path: "/app/operate?tab=storage" });
  await screen.findByText("1.0 GiB saved by storing each content once");
  expect(screen.getByText("Reading through: 10 of 40 contents")).toBeTruthy();
  expect(screen.getByText("No damage is known")).toBeTruthy();
});

test("damage is named with its remedy, and another store by its place", async () => {
  serve({ "GET /storage": { ...storage, damaged: 2, scrubbed_at: "2026-01-01T00:00:00Z", scrub_pending: 0 } });
  await show(<OperatePage />, { path: "/app/operate?tab=storage" });
  await screen.findByText("2 contents are damaged");
  expect(screen.getByText(/anneal store check/)).toBeTruthy();
  cleanup();
  serve({ "GET /storage": { ...storage, embedded: false, endpoint: "https://s3.example.org", buckets: [] } });
  await show(<OperatePage />, { path: "/app/operate?tab=storage" });
  await screen.findByText(/https:\/\/s3.example.org/);
});

test("settings stand in their groups, with where they came from", async () => {
  serve({ "GET /settings": { settings: [
    { name: "listen", group: "Server", value: "127.0.0.1:8000", default: "127.0.0.1:8000", source: "default", environment: "ANNEAL_LISTEN", help: "HOST:PORT." },
    { name: "trainer_token", group: "Training", value: "*****", default: "", source: "environment TRAINER_TOKEN", environment: "TRAINER_TOKEN", help: "Shared." },
  ] } });
  await show(<OperatePage />, { path: "/app/operate?tab=settings" });
  await screen.findByRole("heading", { name: "Server" });
  expect(screen.getByText("environment TRAINER_TOKEN")).toBeTruthy();
});

test("who may not is told so", async () => {
  serve({ "GET /auth/me": { ...account, role: "engineer" } });
  await show(<OperatePage />, { path: "/app/operate" });
  await screen.findByText("Your role does not allow this. Ask a manager.");
  serve({ "GET /auth/me": { ...account, role: "manager" } });
  await show(<OperatePage />, { path: "/app/operate?tab=settings" });
  await screen.findByText("Only administrators see this.");
});
