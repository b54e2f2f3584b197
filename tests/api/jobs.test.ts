// A job's life through the API with the real trainer: make, list, change, run, look at the results, try
// the model, restart, resume, test, follow live.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { Anneal, until } from "../lib/anneal";
import { create, ended, upload } from "../lib/jobs";
import { patterns, png } from "../lib/pictures";

let anneal: Anneal;
let done: any; // a job that has run to its end
const small = { model: "tiny", epochs: 2, batch_size: 8, threads: 1 };

before(async () => {
  anneal = await Anneal.start();
  const got = await upload(anneal, "patterns", patterns(8, 4));
  assert.equal(got.state, "done");
  done = await ended(anneal, await create(anneal, "patterns", small, { name: "first", tags: ["a"] }));
});
after(() => anneal.remove());

async function refused(body: unknown, status: number, field: string | undefined, words: RegExp): Promise<void> {
  const reply = await anneal.api("POST", "/training/jobs", body);
  const problem = (await reply.json()) as any;
  assert.equal(reply.status, status, JSON.stringify(problem));
  if (field) assert.equal(problem.errors[0].field, field);
  assert.match(problem.detail, words);
}

test("a finished job says what it was and what came of it", async () => {
  assert.equal(done.status, "completed");
  assert.equal(done.progress, 1);
  assert.equal(done.epoch, 2);
  assert.match(done.weights_sha256, /^[0-9a-f]{64}$/);
  assert.equal(done.best.metric, "accuracy");
  assert.equal(done.config.batch_size, 8);
  assert.equal(done.config.learning_rate, 0.05, "defaults are written out");
  assert.equal(done.error, null);
});

test("settings that are wrong are refused by name", async () => {
  await refused({ dataset: "patterns", config: { epochz: 1 } }, 400, "config.epochz", /epochz/);
  await refused({ dataset: "patterns", config: { epochs: 0 } }, 400, "config.epochs", /between/);
  await refused({ dataset: "patterns", colour: 1 }, 400, "colour", /colour/);
  await refused({ dataset: "patterns", framework: "nope" }, 400, "framework", /anneal/);
  await refused({ dataset: "patterns", epochs: 3, config: { epochs: 3 } }, 400, "epochs", /twice/);
  await refused({ dataset: "nothing" }, 404, undefined, /nothing/);
  await refused({}, 400, "dataset", /dataset/);
});

test("the short form of the settings works", async () => {
  const reply = await anneal.api("POST", "/training/jobs",
    { dataset: "patterns", model_name: "tiny", epochs: 7, batch_size: 4, learning_rate: 0.25, start: false });
  const job = (await reply.json()) as any;
  assert.equal(reply.status, 201);
  assert.equal(job.status, "pending");
  assert.deepEqual([job.config.model, job.config.epochs, job.config.batch_size, job.config.learning_rate],
    ["tiny", 7, 4, 0.25]);
});

test("lists filter, search, sort and page without gaps while jobs are added", async () => {
  const names: string[] = [];
  for (let i = 0; i < 7; i++) {
    await create(anneal, "patterns", small, { name: `page-${i}`, start: false, tags: ["paged"] });
    names.push(`page-${i}`);
  }
  const seen: string[] = [];
  let cursor = "";
  do {
    const page = await anneal.get(`/training/jobs?q=paged&sort=name&limit=3${cursor && `&cursor=${cursor}`}`);
    seen.push(...page.jobs.map((j: any) => j.name));
    await create(anneal, "patterns", small, { name: `page-${seen.length}a`, start: false, tags: ["other"] });
    cursor = page.next ?? "";
  } while (cursor);
  assert.deepEqual(seen, names);
  assert.equal((await anneal.get("/training/jobs?status=completed")).jobs[0].name, "first");
  assert.equal((await anneal.get("/training/jobs?dataset=patterns&model=tiny&limit=1")).jobs.length, 1);
  assert.equal((await anneal.get("/training/jobs?model=other")).jobs.length, 0);
  for (const bad of ["limit=0", "limit=201", "status=asleep", "sort=luck", "cursor=%%%", "colour=1"])
    assert.equal((await anneal.api("GET", `/training/jobs?${bad}`)).status, 400, bad);
});

test("what may be changed is changed and the rest stays", async () => {
  const id = await create(anneal, "patterns", small, { start: false, notes: "n", tags: ["t"] });
  const patch = async (body: unknown, status = 200) => {
    const reply = await anneal.api("PATCH", `/training/jobs/${id}`, body);
    const job = (await reply.json()) as any;
    assert.equal(reply.status, status, JSON.stringify(job));
    return job;
  };
  let job = await patch({ name: "renamed", starred: true, priority: 0 });
  assert.deepEqual([job.name, job.starred, job.priority, job.notes, job.tags], ["renamed", true, 0, "n", ["t"]]);
  job = await patch({ notes: "", tags: [] });
  assert.deepEqual([job.name, job.notes, job.tags], ["renamed", "", []]);
  await patch({ tags: [1] }, 400);
  await patch({ starred: "yes" }, 400);
  await patch({ priority: 101 }, 400);
  await patch({ status: "completed" }, 400);
  await patch({ before: "nothing" }, 400);
  await patch({ before: done.job }, 409);
  assert.equal((await anneal.api("PATCH", "/training/jobs/nothing", { name: "x" })).status, 404);
});

test("cancel: at once, again, and not what has ended", async () => {
  const id = await create(anneal, "patterns", small, { start: false });
  for (let i = 0; i < 2; i++) {
    const reply = await anneal.api("DELETE", `/training/jobs/${id}`);
    assert.equal(reply.status, 202);
    assert.equal(((await reply.json()) as any).status, "cancelled");
  }
  assert.equal((await anneal.api("POST", `/training/jobs/${id}/start`)).status, 409);
  const late = await anneal.api("DELETE", `/training/jobs/${done.job}`);
  assert.equal(late.status, 409);
  assert.match(((await late.json()) as any).detail, /completed/);
});

test("results: metrics, checkpoints, attempts, validation and every picture", async () => {
  const at = `/training/jobs/${done.job}`;
  const { metrics } = await anneal.get(`${at}/metrics`);
  for (const name of ["train/loss", "val/loss", "val/accuracy", "val/f1", "learning_rate"])
    assert.deepEqual(metrics[name]?.map((p: any) => p.epoch), [1, 2], name);
  assert.deepEqual(Object.keys((await anneal.get(`${at}/metrics?name=val/loss&since=1`)).metrics), ["val/loss"]);
  const { checkpoints } = await anneal.get(`${at}/checkpoints`);
  assert.equal(checkpoints.filter((k: any) => k.is_best).length, 1);
  assert.equal(checkpoints.filter((k: any) => k.is_last).length, 1);
  const best = await anneal.get(`${at}/checkpoints/best`);
  assert.equal(best.weights_sha256, done.weights_sha256);
  const weights = Buffer.from(await (await fetch(best.weights_url)).arrayBuffer());
  assert.equal(weights.length, best.weights_bytes);
  assert.equal((await anneal.api("GET", `${at}/checkpoints/99`)).status, 404);
  assert.equal((await anneal.get(`${at}/attempts`)).attempts[0].status, "completed");
  const summary = await anneal.get(`${at}/validation/best`);
  assert.equal(summary.confusion.flat().reduce((a: number, b: number) => a + b), 12);
  const all: any[] = [];
  for (let after = 0; ;) {
    const page = await anneal.get(`${at}/validation/last/images?limit=5&after=${after}`);
    all.push(...page.images);
    if (page.next === null) break;
    after = page.next;
  }
  assert.equal(new Set(all.map((i) => i.name)).size, 12);
  const right = await anneal.get(`${at}/validation/last/images?correct=true`);
  const wrong = await anneal.get(`${at}/validation/last/images?correct=false`);
  assert.equal(right.images.length + wrong.images.length, 12);
  assert.ok(right.images.every((i: any) => i.label === i.predicted));
  const first = await anneal.get(`${at}/validation/last/images?label=1`);
  assert.ok(first.images.length === 4 && first.images.every((i: any) => i.label === 1));
  assert.equal((await anneal.api("GET", `${at}/validation/77`)).status, 404);
});

const picture = () => new Uint8Array(png(24, 24, (x, y) => [x * 9, y * 9, 80]));

async function predict(body: BodyInit, query = "", headers: Record<string, string> = {}): Promise<Response> {
  return fetch(`${anneal.url}/training/jobs/${done.job}/predict${query}`,
    { method: "POST", body, headers: { authorization: `Bearer ${anneal.token}`, ...headers } });
}

test("predict: many pictures, one plain, a broken one beside good ones", async () => {
  const form = new FormData();
  form.append("image", new Blob([picture()]), "one.png");
  form.append("image", new Blob(["no picture"]), "odd name;.png");
  form.append("image", new Blob([picture()]), "two.png");
  const many = (await (await predict(form, "?top_k=2")).json()) as any;
  assert.deepEqual(many.results.map((r: any) => r.file), ["one.png", "odd name;.png", "two.png"]);
  assert.deepEqual(many.results.map((r: any) => r.predictions.length), [2, 0, 2]);
  assert.ok(many.results[1].error);
  assert.deepEqual(many.results[0].predictions, many.results[2].predictions);
  const plain = (await (await predict(picture(), "?checkpoint=last&file=x.png", { "content-type": "image/png" })).json()) as any;
  assert.equal(plain.results[0].file, "x.png");
  const sum = plain.results[0].predictions.reduce((s: number, p: any) => s + p.confidence, 0);
  assert.ok(Math.abs(sum - 1) < 1e-3, `confidences of all 3 classes sum to ${sum}`);
  assert.equal((await predict("", "", { "content-type": "image/png" })).status, 400);
  assert.equal((await predict(picture(), "?checkpoint=9", { "content-type": "image/png" })).status, 404);
  const stray = new FormData();
  stray.append("colour", "red");
  assert.equal((await predict(stray)).status, 400);
});

test("restart keeps the old job; resume goes on; a test scores another split", async () => {
  const at = `/training/jobs/${done.job}`;
  const again = (await (await anneal.api("POST", `${at}/restart`, { name: "again" })).json()) as any;
  assert.equal(again.base_job, done.job);
  const twin = await ended(anneal, again.job);
  assert.equal(twin.weights_sha256, done.weights_sha256, "same settings, same data, same bytes");
  assert.equal((await anneal.get(at)).name, "first");

  assert.equal((await anneal.api("POST", `${at}/resume`)).status, 409, "nothing is left to do");
  const longer = (await (await anneal.api("POST", `${at}/resume`, { epochs: 3 })).json()) as any;
  const more = await ended(anneal, longer.job);
  assert.equal(more.status, "completed");
  const { metrics } = await anneal.get(`/training/jobs/${more.job}/metrics`);
  assert.deepEqual(metrics["val/loss"].map((p: any) => p.epoch), [3], "only the third epoch was run");

  const none = await anneal.api("POST", `${at}/test`, { split: "test" });
  assert.equal(none.status, 400);
  const scored = (await (await anneal.api("POST", `${at}/test`, { split: "train" })).json()) as any;
  assert.equal(scored.kind, "test");
  assert.equal((await ended(anneal, scored.job)).status, "completed");
  const summary = await anneal.get(`/training/jobs/${scored.job}/validation/last`);
  assert.equal(summary.split, "train");
  assert.equal(summary.confusion.flat().reduce((a: number, b: number) => a + b), 24);
});

async function events(job: string, after: number, stop: (id: number) => boolean): Promise<{ id: number; event: string; data: any }[]> {
  const out: { id: number; event: string; data: any }[] = [];
  const cut = new AbortController();
  const reply = await fetch(`${anneal.url}/training/jobs/${job}/events`, {
    headers: { authorization: `Bearer ${anneal.token}`, "last-event-id": String(after) },
    signal: cut.signal,
  });
  assert.equal(reply.headers.get("content-type")?.split(";")[0], "text/event-stream");
  let text = "";
  try {
    for await (const chunk of reply.body as any) {
      text += Buffer.from(chunk).toString();
      for (let end; (end = text.indexOf("\n\n")) >= 0; text = text.slice(end + 2)) {
        const lines = Object.fromEntries(text.slice(0, end).split("\n").map((l) => [l.split(": ")[0], l.slice(l.indexOf(": ") + 2)]));
        if (!lines["id"]) continue;
        out.push({ id: Number(lines["id"]), event: lines["event"] ?? "", data: JSON.parse(lines["data"] ?? "null") });
        if (stop(Number(lines["id"]))) cut.abort();
      }
    }
  } catch (error) {
    if ((error as Error).name !== "AbortError") throw error;
  }
  return out;
}

test("a reader who comes back misses no state, no epoch and no end", async () => {
  const job = await create(anneal, "patterns", { ...small, epochs: 4 });
  const seen = new Map<number, string>();
  let last = 0;
  for (let parts = 0; ; parts++) {
    const some = await events(job, last, (id) => parts < 4 && id >= last + 3);
    for (const one of some) {
      assert.ok(one.id > last && !seen.has(one.id), "numbers rise");
      seen.set(one.id, one.event === "state" ? one.data.status : one.event === "epoch" ? `epoch ${one.data.epoch}` : one.event);
      last = one.id;
    }
    if (parts >= 4) break;
  }
  const kinds = [...seen.values()].filter((k) => /^(epoch|pending|queued|running|completed|checkpoint)/.test(k));
  assert.deepEqual(kinds.filter((k) => k !== "checkpoint"),
    ["pending", "queued", "running", "epoch 1", "epoch 2", "epoch 3", "epoch 4", "completed"]);
  assert.ok(kinds.filter((k) => k === "checkpoint").length >= 4);
  assert.equal((await events(job, last, () => false)).length, 0, "the feed of an ended job ends");
  assert.equal((await anneal.api("GET", `/training/jobs/${job}/events`, undefined, { "last-event-id": "x" })).status, 400);
});

test("a waiting job says why, and starts in the order that was asked for", async () => {
  const long = await create(anneal, "patterns", { ...small, epochs: 200 });
  await until("it runs", async () => (await anneal.get(`/training/jobs/${long}`)).status === "running");
  const a = await create(anneal, "patterns", small, { name: "a" });
  const b = await create(anneal, "patterns", small, { name: "b" });
  await until("it says why", async () => /place/.test((await anneal.get(`/training/jobs/${b}`)).waiting_reason ?? ""));
  const moved = (await (await anneal.api("PATCH", `/training/jobs/${b}`, { before: a })).json()) as any;
  assert.equal(moved.queue_place, 1);
  const queue = await anneal.get("/training/jobs?status=queued&sort=queue");
  assert.deepEqual(queue.jobs.map((j: any) => j.name), ["b", "a"]);
  const began = Date.now();
  await anneal.api("DELETE", `/training/jobs/${long}`);
  await until("b runs", async () => (await anneal.get(`/training/jobs/${b}`)).started_at, 30_000);
  assert.ok(Date.now() - began < 10_000);
  assert.equal((await ended(anneal, b)).status, "completed");
  assert.equal((await ended(anneal, a)).status, "completed");
  assert.equal((await anneal.get(`/training/jobs/${long}`)).status, "cancelled");
});

test("models of all trainers are listed with their settings", async () => {
  for (const path of ["/models", "/models/list"]) {
    const list = await anneal.get(path);
    assert.deepEqual(list.trainers, [{ framework: "anneal", state: "up", error: null }]);
    const tiny = list.models.find((m: any) => m.name === "tiny");
    assert.equal(tiny.framework, "anneal");
    assert.ok(tiny.config_schema.some((f: any) => f.name === "epochs" && f.max === 1000));
  }
});

/** A session of a new account. */
async function someone(role: string): Promise<(method: string, path: string, body?: unknown) => Promise<Response>> {
  const user = (await (await anneal.api("POST", "/users", { email: `${Math.random()}@example.org`, role })).json()) as any;
  const link = (await (await anneal.api("POST", `/users/${user.id}/login-link`)).json()) as any;
  const login = await fetch(`${anneal.url}/auth/link`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ token: link.link.split("#login=")[1] }),
  });
  const { access_token: token } = (await login.json()) as any;
  return (method, path, body) => anneal.api(method, path, body, { authorization: `Bearer ${token}` });
}

test("a job belongs to its dataset's project: others do not see it, viewers do not change it", async () => {
  const project = (await (await anneal.api("POST", "/projects", { name: "secret" })).json()) as any;
  const reply = await fetch(`${anneal.url}/datasets/upload?name=hidden&project=${project.id}`, {
    method: "POST",
    headers: { authorization: `Bearer ${anneal.token}`, "content-type": "application/octet-stream" },
    body: new Uint8Array(patterns(2, 1)),
  });
  const { import: id } = (await reply.json()) as any;
  await until("it is imported", async () => (await anneal.get(`/datasets/imports/${id}`)).state === "done");
  const job = await create(anneal, "hidden", small, { start: false });
  assert.equal((await anneal.get(`/training/jobs/${job}`)).project, project.id);
  assert.deepEqual((await anneal.get(`/training/jobs?project=${project.id}&limit=1`)).jobs.map((j: any) => j.job), [job]);
  assert.equal((await anneal.get(`/training/jobs?project=${project.id}&limit=1`)).next, null);
  await refused({ dataset: "hidden", project: "default", config: small }, 400, "project", /another project/);
  const outsider = await someone("engineer");
  for (const [method, path] of [["GET", ""], ["DELETE", ""], ["POST", "/start"], ["GET", "/metrics"], ["GET", "/events"],
    ["GET", "/logs"], ["POST", "/restart"], ["POST", "/predict"]] as const)
    assert.equal((await outsider(method, `/training/jobs/${job}${path}`)).status, 404, `${method} ${path}`);
  const list = (await (await outsider("GET", "/training/jobs?limit=200")).json()) as any;
  assert.ok(list.jobs.length > 0 && list.jobs.every((j: any) => j.job !== job));
  assert.equal((await outsider("POST", "/training/jobs", { dataset: "hidden", config: small })).status, 404);
  const taken = await outsider("POST", "/training/jobs",
    { dataset: "patterns", config: { ...small, epochs: 9 }, from_checkpoint: { job } });
  assert.equal(taken.status, 404, "nor may its checkpoints be used");
  const viewer = await someone("viewer");
  assert.equal((await viewer("GET", `/training/jobs/${done.job}`)).status, 200);
  assert.equal((await viewer("DELETE", `/training/jobs/${done.job}`)).status, 403);
  assert.equal((await viewer("POST", "/training/jobs", { dataset: "patterns" })).status, 403);
  assert.equal((await anneal.get(`/training/jobs/${job}`)).status, "pending");
});
