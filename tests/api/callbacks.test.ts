// Callbacks doubled, reordered, from an older attempt, with a foreign token, after the end: nothing
// changes but a counter.  The test itself is the trainer here: a service that takes the job and reports.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { after, before, test } from "node:test";

import { Anneal, until } from "../lib/anneal";
import { create, upload } from "../lib/jobs";
import { patterns } from "../lib/pictures";
import { type Order, Trainer } from "../lib/trainer";

let anneal: Anneal;
let trainer: Trainer;

before(async () => {
  trainer = await Trainer.start();
  anneal = await Anneal.start([...trainer.flags, "--jobs-per-trainer", "20", "--jobs-per-user", "20"]);
  const done = await upload(anneal, "patterns", patterns(6, 2));
  assert.equal(done.state, "done");
});
after(async () => {
  await anneal.remove();
  trainer.stop();
});

async function begin(): Promise<{ job: string; order: Order }> {
  const job = await create(anneal, "patterns", { model: "tiny", epochs: 3 });
  return { job, order: await trainer.order(job) };
}

async function send(order: Order, report: Record<string, unknown>, token = order.token): Promise<{ status: number; body: any }> {
  const reply = await fetch(order.callback_url, {
    method: "POST",
    headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
    body: JSON.stringify({ attempt: order.attempt, epochs: 3, time: Date.now(), ...report }),
  });
  return { status: reply.status, body: await reply.json() };
}

const epoch = (seq: number, n: number, loss: number) =>
  ({ seq, kind: "epoch", epoch: n, progress: n / 3, metrics: { "train/loss": loss } });

async function state(job: string): Promise<string> {
  const all = await anneal.get(`/training/jobs/${job}`);
  const metrics = await anneal.get(`/training/jobs/${job}/metrics`);
  const { updated_at: _, ...rest } = all;
  return JSON.stringify([rest, metrics.metrics]);
}

test("doubled, skipped and late reports change nothing", async () => {
  const { job, order } = await begin();
  assert.equal((await send(order, { seq: 1, kind: "started" })).body.applied, true);
  assert.equal((await send(order, epoch(2, 1, 0.9))).body.applied, true);
  const before = await state(job);
  const doubled = await send(order, epoch(2, 1, 0.1));
  assert.deepEqual([doubled.status, doubled.body.applied, doubled.body.reason], [200, false, "duplicate"]);
  const gap = await send(order, epoch(5, 3, 0.1));
  assert.deepEqual([gap.status, gap.body.expected_seq], [409, 3]);
  assert.equal(await state(job), before);
  assert.equal((await send(order, epoch(3, 2, 0.5))).body.applied, true);
  assert.equal((await send(order, { seq: 4, kind: "completed", epoch: 3, progress: 1 })).body.applied, true);
  const end = await state(job);
  for (const kind of ["progress", "epoch", "failed", "cancelled", "started"]) {
    const late = await send(order, { seq: 5, kind, epoch: 3, metrics: { "train/loss": 7 }, error: "x" });
    assert.ok(late.status === 200 && !late.body.applied && late.body.reason === "terminal", JSON.stringify(late));
  }
  assert.equal(await state(job), end);
});

test("a foreign token, a wrong attempt and no token are refused", async () => {
  const one = await begin();
  const two = await begin();
  await send(one.order, { seq: 1, kind: "started" });
  const before = await state(one.job);
  assert.equal((await send(one.order, epoch(2, 1, 1), two.order.token)).status, 403);
  assert.equal((await send(one.order, epoch(2, 1, 1), "job_wrong")).status, 401);
  assert.equal((await send(one.order, epoch(2, 1, 1), anneal.token)).status, 403);
  assert.equal((await send(one.order, { ...epoch(2, 1, 1), attempt: 2 })).status, 403);
  assert.equal(await state(one.job), before);
});

test("an older attempt is fenced off", async () => {
  const { job, order } = await begin();
  await send(order, { seq: 1, kind: "started" });
  await send(order, { seq: 2, kind: "failed", error: "lost", error_code: "worker_lost", retryable: true });
  const next = await until("the second attempt", async () => trainer.orders.find((o) => o.job_id === job && o.attempt === 2));
  await send(next, { seq: 1, kind: "started" });
  const before = await state(job);
  const stale = await send(order, epoch(3, 1, 0.2));
  assert.deepEqual([stale.status, stale.body.applied, stale.body.reason], [200, false, "stale_attempt"]);
  assert.equal(await state(job), before);
});

test("cancel reaches the trainer and the job never comes back", async () => {
  const { job, order } = await begin();
  await send(order, { seq: 1, kind: "started" });
  const reply = await anneal.api("DELETE", `/training/jobs/${job}`);
  assert.ok(reply.ok, await reply.text());
  const late = await send(order, epoch(2, 1, 0.3));
  assert.equal(late.body.cancel, true);
  assert.equal((await anneal.get(`/training/jobs/${job}`)).status, "cancelled");
  await until("the trainer is told", async () => trainer.deleted.includes(job));
  await send(order, { seq: 3, kind: "completed", epoch: 3, progress: 1 });
  assert.equal((await anneal.get(`/training/jobs/${job}`)).status, "cancelled");
});

test("refusals are counted by reason", async () => {
  const text = await (await anneal.api("GET", "/metrics")).text();
  for (const reason of ["duplicate", "terminal", "stale_attempt"])
    assert.match(text, new RegExp(`callbacks_refused_total\\{reason="${reason}"\\} [1-9]`));
});

test("malformed reports name the field", async () => {
  const { order } = await begin();
  const wrong = await send(order, { seq: 1, kind: "finished" });
  assert.equal(wrong.status, 400);
  assert.equal(wrong.body.errors[0].field, "kind");
  const deep = await fetch(order.callback_url, {
    method: "POST",
    headers: { authorization: `Bearer ${order.token}`, "content-type": "application/json" },
    body: "[".repeat(100) + "]".repeat(100),
  });
  assert.equal(deep.status, 400);
  assert.match(((await deep.json()) as any).detail, /deep|nest|level/i);
});

test("grants cover the objects of the job's own dataset version and checkpoints, nothing else", async () => {
  const { job, order } = await begin();
  await send(order, { seq: 1, kind: "started" });
  const base = `${anneal.url}/training/jobs/${job}`;
  const grant = async (path: string, body: unknown, token = order.token) => {
    const reply = await fetch(`${base}/${path}`, {
      method: "POST",
      headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
      body: JSON.stringify(body),
    });
    return { status: reply.status, body: (await reply.json()) as any };
  };
  const { dataset_version: version } = await anneal.get(`/training/jobs/${job}`);
  const manifest = `datasets/${version}/manifest.jsonl`;
  const got = await grant("downloads", { keys: [manifest] });
  assert.equal(got.status, 200);
  const lines = (await (await fetch(got.body.urls[0].url)).text()).trim().split("\n").map((l) => JSON.parse(l));
  const sha = lines[1].sha256 as string;
  const image = await grant("downloads", { keys: [`blobs/${sha.slice(0, 2)}/${sha}`] });
  assert.equal((await fetch(image.body.urls[0].url)).status, 200);

  const foreign = "0".repeat(64);
  for (const key of [`blobs/00/${foreign}`, `blobs/ff/${sha}`, `datasets/${foreign}/manifest.jsonl`, "admin.token",
    `jobs/${job}/${foreign}`, `jobs/other/${foreign}`, `${manifest}/../x`, ""])
    assert.equal((await grant("downloads", { keys: [manifest, key] })).status, 403, key);
  assert.equal((await grant("downloads", { keys: Array(513).fill(manifest) })).status, 400);

  const bytes = Buffer.from("weights");
  const digest = createHash("sha256").update(bytes).digest("hex");
  const put = await grant("uploads", { objects: [{ name: "weights", sha256: digest, bytes: 7 }] });
  assert.equal(put.body.urls[0].key, `jobs/${job}/${digest}`);
  assert.equal((await fetch(put.body.urls[0].url, { method: "PUT", body: bytes })).status, 200);
  assert.equal((await fetch(put.body.urls[0].url)).status, 403, "a URL to put is none to get");
  assert.equal((await grant("uploads", { objects: [{ name: "x", sha256: "../../x".padEnd(64, "0"), bytes: 1 }] })).status, 400);
  const key = `jobs/${job}/${digest}`;
  const checkpoint = { epoch: 1, is_best: true, is_last: true, weights_key: key, weights_sha256: digest, weights_bytes: 7 };
  assert.equal((await send(order, { seq: 2, kind: "checkpoint", checkpoint: { ...checkpoint, weights_key: manifest } })).status, 400);
  assert.equal((await send(order, { seq: 2, kind: "checkpoint", checkpoint })).body.applied, true);
  assert.equal((await grant("downloads", { keys: [key] })).status, 200);

  const other = await begin();
  assert.equal((await grant("downloads", { keys: [manifest] }, other.order.token)).status, 403);
  await anneal.api("DELETE", `/training/jobs/${job}`);
  assert.equal((await grant("downloads", { keys: [manifest] })).status, 403, "the attempt is over");
  assert.equal((await grant("uploads", { objects: [] })).status, 403);
});
