// Store and trainer as services of their own, and what happens when one of them is away for a while: health
// says so, requests fail with clear words, nothing is lost, and the work goes on when it is back.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";

import { Anneal, freePort, until } from "../lib/anneal";
import { plain, twoClasses } from "../lib/archives";
import { create, ended, metrics, upload } from "../lib/jobs";
import { patterns, tar } from "../lib/pictures";
import { Program } from "../lib/program";

const keys = { AWS_ACCESS_KEY_ID: "outage-test", AWS_SECRET_ACCESS_KEY: "a-secret-of-the-outage-test" };
const token = "token-of-the-outage-test";
const config = { model: "tiny", epochs: 3, batch_size: 8, threads: 1, learning_rate: 0.02, goal: "loss" };
let dir = "", trainerUrl = "", calm: any;
let store: Program, trainer: Program, anneal: Anneal;

before(async () => {
  dir = mkdtempSync(join(tmpdir(), "anneal-outage-"));
  const storePort = await freePort(), trainerPort = await freePort();
  trainerUrl = `http://127.0.0.1:${trainerPort}`;
  store = new Program(["store", "--data", join(dir, "store"), "--store-listen", `127.0.0.1:${storePort}`], keys, `http://127.0.0.1:${storePort}/`);
  trainer = new Program(["trainer", "--dir", join(dir, "trainer"), "--listen", `127.0.0.1:${trainerPort}`], { TRAINER_TOKEN: token }, `${trainerUrl}/health`);
  await Promise.all([store.up(), trainer.up()]);
  anneal = await Anneal.start(["--training-mode", "service", "--trainer-service-url", trainerUrl, "--lease-seconds", "10", "--job-retries", "20"],
    { ...keys, TRAINER_TOKEN: token, S3_ENDPOINT: `http://127.0.0.1:${storePort}` });
  assert.equal((await upload(anneal, "patterns", patterns(30, 6))).state, "done");
  calm = await ended(anneal, await create(anneal, "patterns", config));
  assert.equal(calm.status, "completed", JSON.stringify(calm.error));
});
after(async () => {
  await anneal.remove();
  await trainer.down();
  await store.down();
  rmSync(dir, { recursive: true, force: true });
});

test("the trainer answers no one without its token, and keeps both spellings of its routes", async () => {
  const call = (method: string, path: string, headers: Record<string, string> = {}, body?: string) =>
    fetch(trainerUrl + path, { method, headers, ...(body ? { body } : {}) });
  for (const [method, path] of [["POST", "/training/start"], ["POST", "/train"], ["GET", "/jobs/x"], ["DELETE", "/jobs/x"],
    ["GET", "/models"], ["POST", "/predict"]] as const)
    for (const headers of [{}, { authorization: "Bearer wrong" }, { authorization: `Bearer ${token}x` }] as Record<string, string>[])
      assert.equal((await call(method, path, headers)).status, 401, `${method} ${path}`);
  const auth = { authorization: `Bearer ${token}` };
  assert.equal((await call("GET", "/health")).status, 200);
  const one = (await (await call("GET", "/models", auth)).json()) as any, two = (await (await call("GET", "/models/list", auth)).json()) as any;
  assert.deepEqual(one, two);
  assert.ok(one.models.some((m: any) => m.name === "resnet18" && m.parameters > 11e6));
  assert.equal((await call("GET", "/jobs/nothing", auth)).status, 404);
  for (const path of ["/training/start", "/train"]) {
    const reply = await call("POST", path, { ...auth, "content-type": "application/json" }, JSON.stringify({ job_id: "x", colour: 1 }));
    assert.ok(reply.status >= 400 && reply.status < 500, path);
    const problem = (await reply.json()) as any;
    assert.ok(problem.detail && problem.code, JSON.stringify(problem));
  }
});

test("without the store health is 503, requests say so, and all is well when it is back", { timeout: 180_000 }, async () => {
  await store.down("SIGKILL");
  const health = await fetch(`${anneal.url}/health`);
  assert.equal(health.status, 503);
  const parts = (await health.json()) as any;
  assert.deepEqual([parts.status, parts.parts.store.status, parts.parts.database.status], ["down", "down", "up"]);
  assert.ok(parts.parts.store.error.length > 10);
  const reply = await fetch(`${anneal.url}/datasets/upload?name=never`, { method: "POST",
    headers: { authorization: `Bearer ${anneal.token}`, "content-type": "application/x-tar" }, body: new Blob([new Uint8Array(tar(twoClasses(5)))]) });
  assert.ok(reply.status >= 502 && reply.status <= 504, `upload: ${reply.status}`);
  const problem = (await reply.json()) as any;
  assert.match(problem.detail, /store/);
  assert.ok(!problem.detail.includes(keys.AWS_SECRET_ACCESS_KEY));
  // Of what the database knows, nothing is missing.
  assert.equal((await anneal.get(`/training/jobs/${calm.job}`)).status, "completed");
  assert.deepEqual((await anneal.get("/datasets")).datasets.map((d: any) => d.name), ["patterns"]);
  const job = await create(anneal, "patterns", config);
  await store.up();
  await until("health is up", async () => (await fetch(`${anneal.url}/health`)).status === 200);
  const done = await ended(anneal, job);
  assert.equal(done.status, "completed", JSON.stringify(done.error));
  assert.equal(done.weights_sha256, calm.weights_sha256);
});

test("a store that is away in the middle of training costs time, nothing else", { timeout: 240_000 }, async () => {
  const long = { ...config, epochs: 12 };
  const undisturbed = await ended(anneal, await create(anneal, "patterns", long));
  const job = await create(anneal, "patterns", long);
  await until("it trains", async () => (await anneal.get(`/training/jobs/${job}`)).epoch >= 2);
  await store.down("SIGKILL");
  await until("it is noticed", async () => (await fetch(`${anneal.url}/health`)).status === 503);
  await store.up();
  const done = await ended(anneal, job);
  assert.equal(done.status, "completed", JSON.stringify(done.error));
  assert.equal(done.weights_sha256, undisturbed.weights_sha256);
  assert.deepEqual(await metrics(anneal, job), await metrics(anneal, undisturbed.job));
});

test("a trainer that is away: the job waits and says why, and runs when it is back", { timeout: 180_000 }, async () => {
  assert.equal(await trainer.down(), 0, "SIGTERM ends it cleanly");
  const job = await create(anneal, "patterns", config);
  const waiting = await until("it says why it waits", async () => {
    const now = await anneal.get(`/training/jobs/${job}`);
    return now.waiting_reason && now;
  });
  assert.equal(waiting.status, "queued");
  await until("health is degraded", async () => (await anneal.get("/health")).status === "degraded");
  const models = await anneal.get("/models");
  assert.equal(models.trainers[0].state, "down");
  const predict = await fetch(`${anneal.url}/training/jobs/${calm.job}/predict`, { method: "POST",
    headers: { authorization: `Bearer ${anneal.token}`, "content-type": "image/png" }, body: new Blob([new Uint8Array(plain(1, 24))]) });
  assert.ok(predict.status >= 502 && predict.status <= 504, `predict: ${predict.status}`);
  assert.match(((await predict.json()) as any).detail, /trainer/);
  await trainer.up();
  const done = await ended(anneal, job);
  assert.equal(done.status, "completed", JSON.stringify(done.error));
  assert.equal(done.weights_sha256, calm.weights_sha256);
});

test("serve that is away while the trainer trains gets every report afterwards", { timeout: 180_000 }, async () => {
  const long = { ...config, epochs: 12, seed: 3 };
  const undisturbed = await ended(anneal, await create(anneal, "patterns", long));
  const job = await create(anneal, "patterns", long);
  await until("it trains", async () => (await anneal.get(`/training/jobs/${job}`)).epoch >= 2);
  await anneal.down("SIGKILL");
  await anneal.up();
  const done = await ended(anneal, job);
  assert.equal(done.status, "completed", JSON.stringify(done.error));
  assert.equal(done.attempt, 1, "the trainer lived on: the same attempt goes on");
  assert.equal(done.weights_sha256, undisturbed.weights_sha256);
  assert.deepEqual(await metrics(anneal, job), await metrics(anneal, undisturbed.job));
});
