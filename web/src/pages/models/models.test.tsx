import { screen, waitFor, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { expect, test } from "vitest";

import { account, Refusal, serve, show } from "../../testing";
import ModelPage from "./model";
import ModelsPage from "./page";
import { scoreOf, type Version } from "./queries";

const model = {
  id: "m1", project_id: null, name: "flowers", task: "classification", description: "", created_by: "u1", created_by_name: "Ada",
  version_last: 3, versions: 3, aliases: [{ alias: "production", version: 2, since: 1 }], created_at: "2026-01-01T00:00:00Z", updated_at: "2026-01-02T00:00:00Z",
};
const version = (n: number, more: object) => ({
  model_id: "m1", model: "flowers", version: n, state: "draft", notes: "", job_id: `j${n}`, job_name: `job ${n}`, framework: "anneal", network: "resnet18",
  goal: "accuracy", epoch: 3, metric: "accuracy", value: 0.5, dataset_id: "d1", dataset_name: "flowers", dataset_version: "0123456789abcdef",
  config: { epochs: 3 }, engine: { version: "0.1.0", backend: "onednn" }, weights_sha256: "ab".repeat(32), weights_bytes: 1 << 20, created_by: "u1",
  created_by_name: "Ada", approved_by: null, approved_by_name: null, created_at: "2026-01-01T00:00:00Z", approved_at: null, updated_at: null,
  aliases: [], evaluation: null, ...more,
});
const measured = { id: "e", status: "completed", job_id: "t", split: "test", dataset_name: "flowers", dataset_version: "0", scores: { "test/accuracy": 0.91, "test/loss": 0.2 }, error: null };
const versions = [
  version(4, { state: "archived" }),
  version(3, { state: "evaluated", evaluation: measured, notes: "larger pictures" }),
  version(2, { state: "live", aliases: ["production"], evaluation: measured }),
  version(1, { state: "approved" }),
];
const publications = [
  { alias: "production", version: 2, back: 1, rollback: false, by_name: "Ada", at: "2026-01-02T00:00:00Z", ended_at: null },
  { alias: "production", version: 1, back: 0, rollback: true, by_name: "Bob", at: "2026-01-01T00:00:00Z", ended_at: "2026-01-02T00:00:00Z" },
];
const event = (id: number, kind: string, more: object = {}) => ({
  id, kind, version: 2, alias: "production", from: null, to: null, other: 1, note: null, by: "u1", by_name: "Ada", at: "2026-01-02T00:00:00Z", ...more });
const events = [event(3, "published", { note: "better on roses" }), event(2, "evaluated", { by_name: "" }), event(1, "link_revoked", { note: "l1" })];
const links = [
  { id: "l1", alias: "production", title: "For the fair", server: false, created_by_name: "Ada", created_at: "2026-01-01T00:00:00Z", expires_at: "2999-01-01T00:00:00Z", revoked_at: null, visits: 4, last_used_at: null },
  { id: "l2", alias: "production", title: "Old", server: true, created_by_name: "Ada", created_at: "2026-01-01T00:00:00Z", expires_at: "2026-01-02T00:00:00Z", revoked_at: null, visits: 1, last_used_at: null },
  { id: "l3", alias: "production", title: "Gone", server: true, created_by_name: "Ada", created_at: "2026-01-01T00:00:00Z", expires_at: "2999-01-02T00:00:00Z", revoked_at: "2026-01-02T00:00:00Z", visits: 1, last_used_at: null },
];
const job = { job: "j9", name: "Roses again", kind: "train", model: "resnet18", dataset_name: "My Roses", best: { epoch: 2 }, status: "completed" };
const rows = {
  "GET /registry/models": { models: [model], next: null },
  "GET /registry/models/:m": model,
  "GET /registry/models/:m/versions": { versions },
  "GET /registry/models/:m/history": { events, publications },
  "GET /registry/models/:m/links": { links },
  "GET /projects/default/registry": { approve_by_other: false },
  "GET /training/jobs": { jobs: [job], next: null },
  "GET /training/jobs/:j/checkpoints": { checkpoints: [{ epoch: 1, is_periodic: true }, { epoch: 2, is_periodic: false }] },
};
const dialog = () => waitFor(() => screen.queryByRole("alertdialog") ?? screen.getByRole("dialog")); // a confirmation is an alertdialog
const press = async (name: string | RegExp, among: HTMLElement = document.body) => userEvent.click(within(among).getByRole("button", { name }));

test("the list says what is live; nothing registered says what the registry is for", async () => {
  serve(rows);
  const { unmount } = await show(<ModelsPage />);
  expect((await screen.findByRole("link", { name: "flowers" })).getAttribute("href")).toBe("/app/models/flowers");
  screen.getByText("production (version 2)");
  unmount();
  serve({ ...rows, "GET /registry/models": { models: [], next: null } });
  await show(<ModelsPage />, { language: "ko" });
  await screen.findByText("등록된 모델이 없습니다.");
});

test("a long list is searched by name, and a failure can be tried again", async () => {
  const many = Array.from({ length: 7 }, (_, i) => ({ ...model, id: `m${i}`, name: `net-${i}`, aliases: [] }));
  serve({ ...rows, "GET /registry/models": { models: many, next: null } });
  const { unmount } = await show(<ModelsPage />);
  await userEvent.type(await screen.findByRole("searchbox"), "net-3");
  expect(screen.getAllByRole("link").map((a) => a.textContent)).toEqual(["net-3"]);
  await userEvent.type(screen.getByRole("searchbox"), "x");
  screen.getByText("No model has this in its name.");
  unmount();
  serve({ ...rows, "GET /registry/models": new Refusal(500, "the database is away") });
  await show(<ModelsPage />);
  expect((await screen.findByRole("alert")).textContent).toContain("the database is away");
});

test("a training is registered as a new model, with a name made of its data's", async () => {
  const server = serve({ ...rows, "POST /registry/models": { ...model, name: "my-roses" } });
  await show(<ModelsPage />, { path: "/app/models?register=j9" });
  const form = await dialog();
  expect((await within(form).findByLabelText<HTMLInputElement>("Name")).value).toBe("my-roses");
  await userEvent.selectOptions(await within(form).findByLabelText("Checkpoint"), await within(form).findByRole("option", { name: "Epoch 1" }));
  await userEvent.type(within(form).getByLabelText(/What is new/), "first");
  await press("Register a model", form);
  await screen.findByRole("link", { name: "flowers" });
  expect(server.calls).toContainEqual({ method: "POST", path: "/registry/models", query: "", body: { name: "my-roses", description: "", job: "j9", checkpoint: "1", notes: "first" } });
  expect(window.location.pathname).toBe("/app/models/my-roses");
});

test("a name that the server refuses is said at the name; a model that is there gets a version", async () => {
  const server = serve({ ...rows, "POST /registry/models": new Refusal(409, "the project has a model of this name", "conflict", "name"), "POST /registry/models/:m/versions": versions[0] });
  await show(<ModelsPage />);
  await userEvent.click(await screen.findByRole("button", { name: "Register a model" }));
  const form = await dialog();
  await userEvent.type(await within(form).findByLabelText("Name"), "x");
  await press("Register a model", form);
  expect((await within(form).findByLabelText("Name")).getAttribute("aria-invalid")).toBe("true");
  await userEvent.selectOptions(within(form).getByLabelText("Register as"), "m1");
  expect(within(form).queryByLabelText("Name")).toBeNull();
  await press("Register a model", form);
  await screen.findByRole("link", { name: "flowers" });
  expect(server.calls.some((c) => c.method === "POST" && c.path === "/registry/models/m1/versions")).toBe(true);
});

test("a model's page: what is live, versions with score and origin, history, and archived ones on demand", async () => {
  serve(rows);
  await show(<ModelPage name="flowers" />, { path: "/app/models/flowers" });
  await screen.findByRole("heading", { level: 1, name: "flowers" });
  const three = await screen.findByRole("listitem", { name: "Version 3" });
  within(three).getByText("0.910");
  within(three).getByText("on Test of flowers");
  within(three).getByText("larger pictures");
  const one = screen.getByRole("listitem", { name: "Version 1" });
  within(one).getByText("while training");
  expect(screen.queryByRole("listitem", { name: "Version 4" })).toBeNull();
  await userEvent.click(screen.getByLabelText("Show archived versions"));
  screen.getByRole("listitem", { name: "Version 4" });
  await press("Details: Version 3");
  expect(within(three).getByRole("link", { name: "job 3" }).getAttribute("href")).toBe("/app/jobs/j3");
  within(three).getByText("0.9100");
  screen.getByText("Ada published version 2 as 'production'");
  screen.getByText("better on roses");
  screen.getByText("Version 2 was evaluated");
  screen.getByText("production: version 1");
  screen.getByText("roll back");
});

test("what is done to a version is asked for, named, and sent with its note", async () => {
  const server = serve({ ...rows, "POST /registry/models/:m/versions/:v/state": versions[1], "POST /registry/models/:m/versions/:v/evaluate": job,
    "PUT /registry/models/:m/aliases/:a": versions[3], "POST /registry/models/:m/aliases/:a/rollback": versions[3], "DELETE /registry/models/:m/aliases/:a": undefined });
  await show(<ModelPage name="flowers" />, { path: "/app/models/flowers" });
  await userEvent.click(await screen.findByRole("button", { name: "Approve: Version 3" }));
  await userEvent.type(within(await dialog()).getByLabelText(/Why/), "good");
  await press("Approve", await dialog());
  await userEvent.click(await screen.findByRole("button", { name: "Publish: Version 1" }));
  const publish = await dialog();
  within(publish).getByText("'production' answers with version 2 now and with version 1 from the next request on.");
  await userEvent.clear(within(publish).getByLabelText("Alias"));
  await userEvent.type(within(publish).getByLabelText("Alias"), "staging");
  within(publish).getByText("'staging' will answer with version 1. Nothing is live under it now.");
  await press("Publish", publish);
  await userEvent.click(await screen.findByRole("button", { name: "Roll back to version 1" }));
  within(await dialog()).getByText(/answers with version 2 now and with version 1 again/);
  await press("Roll back", await dialog());
  await userEvent.click(await screen.findByRole("button", { name: "Unpublish: production" }));
  within(await dialog()).getByText(/Version 2 stops answering under 'production'/);
  await press("Unpublish", await dialog());
  await userEvent.click(await screen.findByRole("button", { name: "Evaluate: Version 1" }));
  await userEvent.selectOptions(within(await dialog()).getByLabelText("Split"), "val");
  await press("Evaluate", await dialog());
  await userEvent.click(await screen.findByRole("button", { name: "Details: Version 1" }));
  await userEvent.click(await screen.findByRole("button", { name: "Archive: Version 1" }));
  await press("Archive", await dialog());
  const sent = server.calls.filter((c) => c.method !== "GET").map((c) => [c.method, c.path, c.body]);
  expect(sent).toEqual([
    ["POST", "/registry/models/m1/versions/3/state", { action: "approve", note: "good" }],
    ["PUT", "/registry/models/m1/aliases/staging", { version: 1, expected: 0, note: "" }],
    ["POST", "/registry/models/m1/aliases/production/rollback", { expected: 2, note: "" }],
    ["DELETE", "/registry/models/m1/aliases/production", undefined],
    ["POST", "/registry/models/m1/versions/1/evaluate", { split: "val", dataset: "" }],
    ["POST", "/registry/models/m1/versions/1/state", { action: "archive", note: "" }],
  ]);
});

test("a refusal stays in its dialog", async () => {
  serve({ ...rows, "POST /registry/models/:m/versions/:v/state": new Refusal(403, "somebody else has to approve it", "forbidden"),
    "PUT /registry/models/:m/aliases/:a": new Refusal(400, "a name has 1 to 64 characters", "invalid_request", "alias"),
    "POST /registry/models/:m/versions/:v/evaluate": new Refusal(400, "no images in 'test'", "invalid_request", "split") });
  await show(<ModelPage name="flowers" />);
  await userEvent.click(await screen.findByRole("button", { name: "Approve: Version 3" }));
  await press("Approve", await dialog());
  await within(await dialog()).findByText(/somebody else has to approve it/);
  await press("Back", await dialog());
  await press("Publish: Version 1");
  await press("Publish", await dialog());
  await within(await dialog()).findByText("a name has 1 to 64 characters");
  await press("Back", await dialog());
  await press("Evaluate: Version 3");
  await press("Evaluate", await dialog());
  await within(await dialog()).findByText("no images in 'test'");
});

test("an export says how it was verified and where it is", async () => {
  const made = { file: "flowers.c", format: "c", bytes: 2048, sha256: "0", verified_by: "compiler", pictures: 8, max_difference: 2e-7, allowed_difference: 1e-4,
    url: "/registry/models/m1/versions/3/export?format=c&pixels=true", header_url: "/registry/models/m1/versions/3/export?format=c&pixels=true&part=header", cached: false };
  const server = serve({ ...rows, "POST /registry/models/:m/versions/:v/export": made });
  await show(<ModelPage name="flowers" />);
  await userEvent.click(await screen.findByRole("button", { name: "Export: Version 3" }));
  const form = await dialog();
  await userEvent.click(within(form).getByLabelText(/C file/));
  await userEvent.click(within(form).getByLabelText(/Its input is pixels/));
  await press("Export", form);
  await within(form).findByText("Verified on 8 pictures: largest difference 2.0e-7 (allowed 1.0e-4).");
  expect(within(form).getByRole("link", { name: "Download" }).getAttribute("href")).toBe(made.url);
  expect(within(form).getByRole("link", { name: "Download the header" }).getAttribute("download")).toBe("flowers.h");
  expect(server.calls.at(-1)?.body ?? server.calls.find((c) => c.method === "POST")?.body).toEqual({ format: "c", pixels: true });
  await userEvent.click(within(form).getByLabelText(/ONNX/));
  expect(within(form).queryByRole("link", { name: "Download" })).toBeNull();
});

test("links for visitors are made once, shown once, and revoked", async () => {
  const server = serve({ ...rows, "POST /registry/models/:m/links": { url: "http://x/try#try_secret" }, "DELETE /registry/models/:m/links/:l": undefined });
  await show(<ModelPage name="flowers" />);
  await screen.findByText("For the fair");
  screen.getByText("ended");
  screen.getByText("revoked");
  await press("Make a link");
  const form = await dialog();
  await userEvent.clear(within(form).getByLabelText("Days until it ends"));
  await userEvent.type(within(form).getByLabelText("Days until it ends"), "7");
  await userEvent.click(within(form).getByLabelText("Pictures may be sent to this server"));
  await press("Make a link", form);
  expect((await within(form).findByLabelText<HTMLInputElement>("Copy")).value).toBe("http://x/try#try_secret");
  expect(server.calls.find((c) => c.method === "POST")?.body).toEqual({ alias: "production", title: "flowers", days: 7, server: true });
  await userEvent.click(within(form).getAllByRole("button", { name: "Close" }).at(-1) as HTMLElement);
  await press("Revoke: For the fair");
  await press("Revoke", await dialog());
  await screen.findByText("For the fair");
  expect(server.calls.some((c) => c.method === "DELETE" && c.path === "/registry/models/m1/links/l1")).toBe(true);
});

test("the description is edited in place; a project's rule is set by managers alone", async () => {
  const server = serve({ ...rows, "PUT /registry/models/:m": { ...model, description: "roses" }, "PUT /projects/default/registry": { approve_by_other: true } });
  const { unmount } = await show(<ModelPage name="flowers" />);
  await userEvent.click(await screen.findByRole("button", { name: "Edit the description" }));
  await userEvent.type(screen.getByLabelText("Description"), "roses");
  await press("Save");
  await userEvent.click(await screen.findByLabelText(/Somebody else/));
  expect(server.calls.filter((c) => c.method === "PUT").map((c) => c.body)).toEqual([{ description: "roses" }, { approve_by_other: true }]);
  unmount();
  serve({ ...rows, "GET /auth/me": { ...account, role: "viewer" } });
  await show(<ModelPage name="flowers" />);
  expect((await screen.findByLabelText<HTMLInputElement>(/Somebody else/)).disabled).toBe(true);
  expect(screen.queryByRole("button", { name: /Approve|Publish|Revoke|Unpublish|Roll back|Make a link|Add a version/ })).toBeNull();
  screen.getByRole("button", { name: "Export: Version 3" });
});

test("an evaluation that runs or failed is said; nothing live is said too", async () => {
  serve({ ...rows, "GET /registry/models/:m": { ...model, aliases: [] }, "GET /registry/models/:m/history": { events: [], publications: [] },
    "GET /registry/models/:m/links": { links: [] },
    "GET /registry/models/:m/versions": { versions: [version(2, { evaluation: { ...measured, status: "running" } }), version(1, { evaluation: { ...measured, status: "failed", error: "other classes" } })] } });
  await show(<ModelPage name="flowers" />);
  await screen.findByText("Being evaluated…");
  await screen.findByText(/other classes/);
  screen.getByText(/Nothing is published yet/);
  expect(screen.queryByRole("button", { name: "Evaluate: Version 2" })).toBeNull();
  await press("Add a version");
  expect((await within(await dialog()).findByLabelText<HTMLSelectElement>("Register as")).value).toBe("m1");
});

test("the score that people look at first is the goal's, as measured; else the training's", () => {
  const of = (more: object) => scoreOf(version(1, more) as unknown as Version);
  expect(of({ evaluation: measured })).toEqual({ name: "accuracy", value: 0.91, measured: true });
  expect(of({ goal: "loss", evaluation: measured })).toEqual({ name: "loss", value: 0.2, measured: true });
  expect(of({ goal: "other", evaluation: measured })?.name).toBe("accuracy");
  expect(of({})).toEqual({ name: "accuracy", value: 0.5, measured: false });
  expect(of({ metric: null, value: null })).toBeUndefined();
});
