// Training as asked, with the real trainer: every setting is checked by its table, arrives in the worker and
// shows in the result; seeds decide, threads do not; resuming gives the same bytes; cancel reaches the worker.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { Anneal, until } from "../lib/anneal";
import { create, ended, metrics, upload } from "../lib/jobs";
import { patterns } from "../lib/pictures";
import { alive, ofRole } from "../lib/processes";

let anneal: Anneal;
before(async () => {
  anneal = await Anneal.start(["--jobs-per-trainer", "2"]);
  assert.equal((await upload(anneal, "patterns", patterns(16, 4))).state, "done");
});
after(() => anneal.remove());

const small = { model: "tiny", epochs: 3, batch_size: 8, threads: 1, learning_rate: 0.02, warmup_epochs: 0 };
const run = async (config: Record<string, unknown>, more = {}) => {
  const job = await ended(anneal, await create(anneal, "patterns", { ...small, ...config }, more));
  assert.equal(job.status, "completed", JSON.stringify(job.error));
  return job;
};
const post = async (path: string, body?: unknown): Promise<{ status: number; body: any }> => {
  const reply = await anneal.api("POST", path, body);
  return { status: reply.status, body: await reply.json() };
};
const last = (job: string) => anneal.get(`/training/jobs/${job}/checkpoints/last`);

test("every setting refuses what lies outside of its range or is of another type, by name", async () => {
  const { models } = await anneal.get("/models");
  const tiny = models.find((m: any) => m.name === "tiny");
  assert.ok(tiny && tiny.task === "classification" && tiny.parameters > 0);
  const schema = tiny.config_schema;
  const fields: any[] = Array.isArray(schema) ? schema : schema.fields ?? Object.entries(schema.properties).map(([name, f]: any) => ({ name, ...f }));
  assert.ok(fields.length > 30, `only ${fields.length} settings are described`);
  let probes = 0;
  const refused = async (name: string, value: unknown) => {
    probes++;
    const reply = await post("/training/jobs", { dataset: "patterns", config: { [name]: value }, start: false });
    assert.equal(reply.status, 400, `${name} = ${JSON.stringify(value)}`);
    assert.equal(reply.body.errors[0].field, `config.${name}`);
    assert.ok(reply.body.detail.includes(name), reply.body.detail);
  };
  for (const field of fields) {
    for (const key of ["type", "description"]) assert.ok(field[key], `${field.name} has no ${key}: ${JSON.stringify(field)}`);
    const min = field.min ?? field.minimum, max = field.max ?? field.maximum, choices = field.choices ?? field.enum;
    const number = /int|num|float/.test(field.type);
    if (number) assert.ok(typeof min === "number" && typeof max === "number", `${field.name} has no range`);
    await refused(field.name, number ? "many" : /bool/.test(field.type) ? "yes" : 7);
    if (number) {
      await refused(field.name, max * 2 + 1);
      if (min > 0) await refused(field.name, min / 2 - 1);
      else await refused(field.name, -1);
    }
    if (choices) await refused(field.name, "no-such-choice");
  }
  assert.ok(probes > 80);
});

test("an unknown setting is refused with the nearest name", async () => {
  for (const [wrong, right] of [["learning_rat", "learning_rate"], ["epoch", "epochs"], ["batchsize", "batch_size"], ["imgsize", "image_size"]] as const) {
    const reply = await post("/training/jobs", { dataset: "patterns", config: { [wrong]: 1 }, start: false });
    assert.equal(reply.status, 400);
    assert.equal(reply.body.errors[0].field, `config.${wrong}`);
    assert.ok(reply.body.detail.includes(right), reply.body.detail);
  }
  const model = await post("/training/jobs", { dataset: "patterns", config: { model: "resnet81" } });
  if (model.status === 400) assert.match(JSON.stringify(model.body), /resnet18/);
  else {
    const job = await ended(anneal, model.body.job);
    assert.equal(job.status, "failed");
    assert.match(job.error.text, /resnet81/);
    assert.equal(job.attempt, 1, "what cannot work is not tried again");
  }
});

test("unusual settings survive the whole way and have their effect", async () => {
  const config = { ...small, epochs: 2, batch_size: 5, image_size: 40, seed: 987654321, learning_rate: 0.0123, schedule: "constant",
    optimizer: "adamw", label_smoothing: 0.07, checkpoint_every: 1, goal: "loss", flip: 0, crop: "none" };
  const job = await run(config);
  for (const [name, value] of Object.entries(config)) assert.deepEqual(job.config[name], value, name);
  assert.equal(job.epochs, 2);
  assert.equal(job.steps, Math.floor(48 / 5) + (job.steps === 10 ? 1 : 0), `${job.steps} steps of 5 for 48 pictures`);
  const m = await metrics(anneal, job.job);
  assert.ok(Math.abs((m["learning_rate"]?.["2"] ?? 0) - 0.0123) < 1e-9, JSON.stringify(m["learning_rate"]));
  const { checkpoints } = await anneal.get(`/training/jobs/${job.job}/checkpoints`);
  assert.deepEqual(checkpoints.map((k: any) => [k.epoch, k.is_periodic]), [[1, true], [2, true]]);
  const weights = Buffer.from(await (await fetch((await last(job.job)).weights_url)).arrayBuffer());
  const meta = JSON.parse(weights.subarray(8, 8 + Number(weights.readBigUInt64LE(0))).toString()).__metadata__;
  assert.deepEqual([meta.model, meta.image_size, meta.seed], ["tiny", "40", "987654321"]);
  assert.deepEqual(JSON.parse(meta.classes), ["disc", "square", "stripes"]);
});

test("the best epoch by loss is that of the least loss", async () => {
  const job = await run({ epochs: 6, goal: "loss", learning_rate: 0.2 });
  const losses = Object.entries((await metrics(anneal, job.job))["val/loss"] ?? {});
  const least = losses.reduce((a, b) => (b[1] < a[1] ? b : a));
  assert.deepEqual([job.best.metric, job.best.epoch, job.best.value], ["loss", Number(least[0]), least[1]]);
  const best = await anneal.get(`/training/jobs/${job.job}/checkpoints/best`);
  assert.equal(best.epoch, job.best.epoch);
  assert.equal(best.weights_sha256, job.weights_sha256);
});

test("the same seed gives the same bytes on one thread and on two, another seed others", { timeout: 120_000 }, async () => {
  const jobs = await Promise.all([run({ seed: 5 }), run({ seed: 5, threads: 2 }), run({ seed: 5, threads: 1 }), run({ seed: 6 })]);
  const [one, two, again, other] = jobs.map((j) => j.weights_sha256);
  assert.equal(two, one, "two threads");
  assert.equal(again, one, "again");
  assert.notEqual(other, one, "another seed");
  assert.deepEqual(await metrics(anneal, jobs[1].job), await metrics(anneal, jobs[0].job));
});

test("resumed from any checkpoint the weights are those of the undisturbed run", { timeout: 180_000 }, async () => {
  const config = { epochs: 5, checkpoint_every: 1, mixup: 0.2, goal: "loss" };
  const whole = await run(config);
  const end = (await last(whole.job)).weights_sha256;
  for (const checkpoint of ["1", "3"]) {
    const made = await post(`/training/jobs/${whole.job}/restart`, { checkpoint });
    assert.equal(made.status, 201, JSON.stringify(made.body));
    const resumed = await ended(anneal, made.body.job);
    assert.equal(resumed.status, "completed", JSON.stringify(resumed.error));
    assert.equal((await last(resumed.job)).weights_sha256, end, `from epoch ${checkpoint}`);
    const all = await metrics(anneal, whole.job), part = await metrics(anneal, resumed.job);
    for (const [epoch, value] of Object.entries(part["train/loss"] ?? {})) {
      assert.ok(Number(epoch) > Number(checkpoint));
      assert.equal(value, all["train/loss"]?.[epoch]);
    }
  }
  const from = await run({ ...config }, { from_checkpoint: { job: whole.job, checkpoint: "2" } });
  assert.equal((await last(from.job)).weights_sha256, end, "as a new job from a checkpoint");
  assert.equal(from.base_job, whole.job);
});

test("a cancelled run resumed from its last checkpoint ends with the same bytes", { timeout: 180_000 }, async () => {
  const config = { epochs: 40, goal: "loss", seed: 21 };
  const whole = await run(config);
  const id = await create(anneal, "patterns", { ...small, ...config });
  await until("it has a checkpoint", async () => (await anneal.get(`/training/jobs/${id}`)).epoch >= 3);
  await anneal.api("DELETE", `/training/jobs/${id}`);
  const cut = await anneal.get(`/training/jobs/${id}/checkpoints/last`);
  assert.ok(cut.epoch < 40, "it was cancelled in the midst");
  const made = await post(`/training/jobs/${id}/resume`, {});
  assert.equal(made.status, 201, JSON.stringify(made.body));
  const resumed = await ended(anneal, made.body.job);
  assert.equal(resumed.status, "completed", JSON.stringify(resumed.error));
  assert.equal((await last(resumed.job)).weights_sha256, (await last(whole.job)).weights_sha256);
  assert.equal((await anneal.get(`/training/jobs/${id}`)).status, "cancelled", "the old one stays cancelled");
});

test("a restart keeps the old job as it was, metrics, logs and weights", async () => {
  const old = await run({});
  const shown = async () => JSON.stringify(await Promise.all(["", "/metrics", "/logs", "/checkpoints", "/attempts", "/validation"]
    .map((part) => anneal.get(`/training/jobs/${old.job}${part}`))));
  const before = await shown();
  const made = await post(`/training/jobs/${old.job}/restart`, {});
  const twin = await ended(anneal, made.body.job);
  assert.equal(twin.weights_sha256, old.weights_sha256);
  assert.equal(await shown(), before);
});

test("states move only as they may", async () => {
  const id = await create(anneal, "patterns", small, { start: false });
  assert.equal((await anneal.get(`/training/jobs/${id}`)).status, "pending");
  assert.equal((await post(`/training/jobs/${id}/resume`, {})).status, 409);
  assert.equal((await post(`/training/jobs/${id}/predict`)).status, 404, "no checkpoint yet");
  const first = await post(`/training/jobs/${id}/start`), second = await post(`/training/jobs/${id}/start`);
  assert.deepEqual([first.status, second.status], [202, 202], "starting twice starts once");
  const done = await ended(anneal, id);
  assert.equal(done.attempt, 1);
  for (const [method, path] of [["POST", "/start"], ["DELETE", ""]] as const) {
    const reply = await anneal.api(method, `/training/jobs/${id}${path}`);
    assert.equal(reply.status, 409);
    assert.match(((await reply.json()) as any).detail, /completed/);
  }
  assert.equal((await anneal.get(`/training/jobs/${id}`)).status, "completed");
  for (const [method, path] of [["DELETE", ""], ["POST", "/start"], ["POST", "/restart"], ["GET", "/metrics"], ["GET", "/events"]] as const)
    assert.equal((await anneal.api(method, `/training/jobs/nothing${path}`)).status, 404, `${method} ${path}`);
});

test("cancel ends the worker within 2 s, and the job never comes back", { timeout: 120_000 }, async () => {
  const idle = ofRole(anneal.pid, "worker");
  const id = await create(anneal, "patterns", { ...small, epochs: 1000 });
  await until("it is in the midst of training", async () => (await anneal.get(`/training/jobs/${id}`)).epoch >= 1);
  const worker = ofRole(anneal.pid, "worker").find((pid) => !idle.includes(pid));
  assert.ok(worker, "no worker was seen");
  const began = Date.now();
  assert.equal((await anneal.api("DELETE", `/training/jobs/${id}`)).status, 202);
  assert.equal((await anneal.get(`/training/jobs/${id}`)).status, "cancelled");
  await until("the worker is gone", async () => !alive(worker));
  assert.ok(Date.now() - began < 6000, `${Date.now() - began} ms`); // 2 s on a machine of one's own
  const metricsThen = JSON.stringify(await metrics(anneal, id));
  await run({}); // the trainer works on
  const now = await anneal.get(`/training/jobs/${id}`);
  assert.deepEqual([now.status, now.attempt], ["cancelled", 1]);
  assert.equal(JSON.stringify(await metrics(anneal, id)), metricsThen, "nothing is stored after the cancel");
  assert.equal((await anneal.get(`/training/jobs/${id}/attempts`)).attempts.length, 1);
  await anneal.down();
  await anneal.up();
  assert.equal((await anneal.get(`/training/jobs/${id}`)).status, "cancelled");
});
