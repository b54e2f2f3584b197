// What the walk over all pages (pages.test.ts) opens: an installation with something of everything, and for each route
// of web/src/pages/*/route.ts where it stands and what opens over it.  A new route needs a row here, and so does a new
// dialog, menu or popover: the test holds the rows against the source.
import assert from "node:assert/strict";

import { type Anneal, until } from "../lib/anneal";
import { type Page, SLOW_MS } from "../lib/browser";
import { create, ended, upload } from "../lib/jobs";
import { patterns, tar, type TarFile } from "../lib/pictures";
import { person } from "../lib/people";

const LONG = "Roof tiles of the northern hall, autumn, second camera, after cleaning";
const small = { model: "tiny", epochs: 3, batch_size: 8, threads: 1, learning_rate: 0.02, checkpoint_every: 1, warmup_epochs: 0 };

export interface Furnished { dataset: string; job: string; waiting: string; project: string; link: string }

async function good(anneal: Anneal, method: string, path: string, body?: unknown): Promise<any> {
  const reply = await anneal.api(method, path, body), text = await reply.text();
  assert.ok(reply.ok, `${method} ${path}: ${reply.status} ${text}`);
  return text ? JSON.parse(text) : undefined;
}

async function registered(anneal: Anneal, job: string): Promise<string> {
  const M = "/registry/models/patterns";
  await good(anneal, "POST", "/registry/models", { name: "patterns", description: "Discs, squares and stripes.", job, checkpoint: "1", notes: "The first of its kind." });
  for (const checkpoint of ["2", "3"]) await good(anneal, "POST", `${M}/versions`, { job, checkpoint });
  for (const version of [1, 2, 3]) {
    await good(anneal, "POST", `${M}/versions/${version}/evaluate`, { split: "val" });
    await until(`version ${version} is evaluated`, async () => (await anneal.get(`${M}/versions/${version}`)).state === "evaluated", SLOW_MS);
    if (version === 3) continue; // waits for its approval
    await good(anneal, "POST", `${M}/versions/${version}/state`, { action: "approve" });
    await good(anneal, "PUT", `${M}/aliases/production`, { version });
  }
  const { url } = await good(anneal, "POST", `${M}/links`, { alias: "production", title: "Which pattern is it?", days: 30, server: true });
  return String(url).replace(anneal.url, "");
}

/** Something of everything: two versions of a dataset with a fault, runs that have ended and one that is paused, a model
 * that is live, people, a project, a token, a webhook. */
export async function furnish(anneal: Anneal): Promise<Furnished> {
  const broken: TarFile = { name: "train/disc/broken.png", data: Buffer.from("\x89PNG\r\n\x1a\nbroken", "latin1") };
  const done = await upload(anneal, "patterns", Buffer.concat([patterns(20, 8).subarray(0, -1024), tar([broken])]));
  assert.equal(done.state, "done", done.error);
  const dataset = done.dataset as string;
  const split = await good(anneal, "POST", `/datasets/${dataset}/versions/1/split`, { method: "ratio", train: 0.6, val: 0.2, test: 0.2, seed: 3 });
  await until("the second version is there", async () => (await anneal.get(`/datasets/imports/${split.import}`)).state === "done");
  await good(anneal, "PUT", `/datasets/${dataset}`, { name: LONG, description: "Three kinds of patterns in noise." });
  const job = await create(anneal, dataset, small, { name: "first" });
  await create(anneal, dataset, { ...small, learning_rate: 0.002, seed: 5 }, { name: `${LONG}, gentle` });
  const waiting = await create(anneal, dataset, { ...small, epochs: 900 }, { name: "a long run" });
  assert.equal((await ended(anneal, job)).status, "completed");
  await until("it has done an epoch", async () => (await anneal.get(`/training/jobs/${waiting}`)).best, SLOW_MS);
  await good(anneal, "POST", `/training/jobs/${waiting}/pause`, { now: true });
  await until("it is paused", async () => (await anneal.get(`/training/jobs/${waiting}`)).paused, SLOW_MS);
  const link = await registered(anneal, job);
  const project = (await good(anneal, "POST", "/projects", { name: LONG, description: "What the cameras of the northern hall see." })).id as string;
  await person(anneal, "viewer", "maximiliane.von-der-hohen-tanne");
  await good(anneal, "POST", `/projects/${project}/members`, { email: "maximiliane.von-der-hohen-tanne@example.org", role: "engineer" });
  await good(anneal, "POST", "/auth/tokens", { name: "the notebook of the night shift", scopes: "datasets:read datasets:write jobs:read jobs:write" });
  await good(anneal, "POST", "/webhooks", { url: "http://127.0.0.1:9/hooks/anneal", description: "The display in the hall", events: "job.completed job.failed" });
  await good(anneal, "POST", `/datasets/${dataset}/draft`, { task: "classification" });
  return { dataset, job, waiting, project, link };
}

export interface Opening {
  /** Of its screenshots, behind the page's. */
  name: string;
  /** The file below web/src in which it is written. */
  in: string;
  open: (page: Page) => Promise<unknown>;
  /** Where to begin, instead of at the page's own address. */
  at?: (f: Furnished) => string;
}
export interface Walk { at: (f: Furnished) => string; opens?: Opening[] }

const button = (page: Page, name: string | RegExp) => page.locator("main").getByRole("button", { name }).first().click();
const press = (name: string, file: string, text: string | RegExp): Opening => ({ name, in: file, open: (page) => button(page, text) });
const inMenu = (name: string, file: string, text: string): Opening => ({ name, in: file, open: async (page) => {
  await button(page, "More actions");
  await page.getByRole("menuitem", { name: text }).click();
} });

export const walks: Record<string, Walk> = {
  "/app": { at: () => "/app" },
  "/app/account": { at: () => "/app/account", opens: [press("revoke", "pages/account/page.tsx", "Revoke")] },
  "/app/compare": {
    at: () => "/app/compare",
    opens: [press("columns", "pages/compare/page.tsx", "Columns"), press("notes", "pages/compare/page.tsx", /^Notes and tags of/)],
  },
  "/app/datasets": { at: () => "/app/datasets" },
  "/app/datasets/:id": {
    at: (f) => `/app/datasets/${f.dataset}`,
    opens: [
      { name: "picture", in: "pages/dataset/viewer.tsx", open: (page) => page.locator("[data-tile='0'] button").click() },
      press("split", "pages/dataset/splits.tsx", "Split anew"),
      press("menu", "pages/dataset/page.tsx", "More actions"),
      inMenu("describe", "pages/dataset/dialogs.tsx", "Rename"),
      inMenu("delete", "pages/dataset/dialogs.tsx", "Delete"),
      inMenu("classes", "pages/dataset/classes.tsx", "Change classes"),
      { name: "classes-lost", in: "pages/dataset/classes.tsx", open: async (page) => {
        await button(page, "More actions");
        await page.getByRole("menuitem", { name: "Change classes" }).click();
        await page.getByRole("checkbox", { name: "Choose disc" }).check();
        await page.getByRole("button", { name: "Remove the chosen" }).click();
        await page.getByRole("button", { name: "Make the version" }).click();
        await page.getByRole("alertdialog").waitFor();
      } },
      { name: "leave", in: "pages/dataset/splits.tsx", open: async (page) => {
        await button(page, "Select");
        await page.locator("[data-tile='1'] button").click();
        await button(page, "Leave out");
      } },
    ],
  },
  "/app/datasets/:id/label": {
    at: (f) => `/app/datasets/${f.dataset}/label`,
    opens: [
      press("keys", "pages/label/page.tsx", "Keys"),
      press("class", "pages/label/panel.tsx", /^Rename/),
      press("menu", "pages/label/page.tsx", "More actions"),
      press("commit", "pages/label/commit.tsx", "Commit"),
      inMenu("discard", "pages/label/commit.tsx", "Discard"),
    ],
  },
  "/app/jobs": { at: () => "/app/jobs" },
  "/app/jobs/:id": {
    at: (f) => `/app/jobs/${f.job}`,
    opens: [
      press("menu", "pages/job/actions.tsx", "More actions"),
      press("resume", "pages/job/actions.tsx", "Resume"),
      press("test", "pages/job/actions.tsx", "Score on a split"),
      { name: "stop", in: "pages/job/actions.tsx", at: (f) => `/app/jobs/${f.waiting}`, open: (page) => button(page, "Stop and keep") },
      { name: "cancel", in: "pages/job/actions.tsx", at: (f) => `/app/jobs/${f.waiting}`, open: (page) => button(page, "Cancel the job") },
      { name: "pictures", in: "pages/job/viewer.tsx", at: (f) => `/app/jobs/${f.job}?tab=validation`, open: (page) => button(page, "All pictures") },
      { name: "picture", in: "pages/job/viewer.tsx", at: (f) => `/app/jobs/${f.job}?tab=validation`, open: async (page) => {
        await button(page, "All pictures");
        await page.getByRole("dialog").getByRole("button", { name: /^Open / }).first().click();
      } },
    ],
  },
  "/app/models": { at: () => "/app/models", opens: [press("register", "pages/models/register.tsx", "Register a model")] },
  "/app/models/:name": {
    at: () => "/app/models/patterns",
    opens: [
      press("evaluate", "pages/models/actions.tsx", "Evaluate: Version 3"),
      press("approve", "pages/models/actions.tsx", "Approve: Version 3"),
      press("publish", "pages/models/actions.tsx", "Publish: Version 1"),
      press("export", "pages/models/actions.tsx", "Export: Version 2"),
      press("rollback", "pages/models/actions.tsx", "Roll back to version 1"),
      press("unpublish", "pages/models/live.tsx", "Unpublish: production"),
      press("link", "pages/models/links.tsx", "Make a link"),
      press("revoke", "pages/models/links.tsx", /^Revoke: /),
      { name: "details", in: "pages/models/versions.tsx", open: (page) => button(page, "Details: Version 2") },
    ],
  },
  "/app/operate": {
    at: () => "/app/operate",
    opens: [
      { name: "quota", in: "pages/operate/use.tsx", at: () => "/app/operate?tab=use", open: (page) => button(page, /^Quota of/) },
      { name: "webhook", in: "pages/operate/webhooks.tsx", at: () => "/app/operate?tab=webhooks", open: (page) => button(page, "Add a webhook") },
      { name: "webhook-secret", in: "pages/operate/webhooks.tsx", at: () => "/app/operate?tab=webhooks", open: async (page) => {
        await button(page, "Add a webhook");
        await page.getByLabel("URL").fill("http://127.0.0.1:9/second");
        await page.getByRole("dialog").getByRole("button", { name: "Add a webhook" }).click();
        await page.getByRole("dialog").getByRole("textbox", { name: "Copy" }).waitFor();
      } },
      { name: "webhook-delete", in: "pages/operate/webhooks.tsx", at: () => "/app/operate?tab=webhooks", open: (page) => button(page, "Delete") },
    ],
  },
  "/app/projects": { at: () => "/app/projects", opens: [press("add", "pages/projects/page.tsx", "Make a project")] },
  "/app/projects/:open": { at: (f) => `/app/projects/${f.project}`, opens: [press("delete", "pages/projects/page.tsx", "Delete")] },
  "/app/train": { at: (f) => `/app/train?dataset=${f.dataset}` },
  "/app/try": { at: () => "/app/try?model=patterns" },
  "/app/users": { at: () => "/app/users", opens: [press("add", "pages/users/page.tsx", "Add a user")] },
};

/** Over any page; shown over one of them. */
export const everywhere: Opening[] = [
  { name: "palette", in: "parts/palette.tsx", open: (page) => page.keyboard.press("Control+k") },
  { name: "keys", in: "parts/keys-sheet.tsx", open: (page) => page.keyboard.press("?") },
];
