// Pause, resume, stop early and keep: with the real trainer, across kill -9 of everything, and to the same bytes as
// a run that was never touched.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { Anneal, until } from "../lib/anneal";
import { create, ended, metrics, upload } from "../lib/jobs";
import { patterns } from "../lib/pictures";
import { ofRole } from "../lib/processes";

let anneal: Anneal;
const config = { model: "tiny", epochs: 40, batch_size: 8, threads: 1, learning_rate: 0.02, warmup_epochs: 0, goal: "loss", seed: 21 };
before(async () => {
  anneal = await Anneal.start();
  assert.equal((await upload(anneal, "patterns", patterns(16, 4))).state, "done");
});
after(() => anneal.remove());

const at = (job: string, part = "") => `/training/jobs/${job}${part}`;
const get = (job: string) => anneal.get(at(job));
const last = (job: string) => anneal.get(at(job, "/checkpoints/last"));
const ask = async (job: string, what: string, body: unknown = {}): Promise<{ status: number; body: any }> => {
  const reply = await anneal.api("POST", at(job, `/${what}`), body);
  return { status: reply.status, body: await reply.json() };
};
const reaches = (job: string, epoch: number) => until(`epoch ${epoch}`, async () => (await get(job)).epoch >= epoch);
const paused = (job: string) => until("it is paused", async () => {
  const now = await get(job);
  assert.ok(!["completed", "failed"].includes(now.status), JSON.stringify(now));
  return now.paused && now;
});
const restart = async () => {
  await anneal.down("SIGKILL");
  await anneal.up();
};

test("paused and resumed twice, killed while paused: the weights and metrics of an undisturbed run", { timeout: 240_000 }, async () => {
  const whole = await ended(anneal, await create(anneal, "patterns", config));
  assert.equal(whole.status, "completed", JSON.stringify(whole.error));
  const job = await create(anneal, "patterns", config);
  await reaches(job, 2);
  const asked = await ask(job, "pause");
  assert.deepEqual([asked.status, asked.body.wish], [202, "pause"]);
  const first = await paused(job);
  assert.deepEqual([first.status, first.queue_place, first.attempt, first.failures], ["queued", 0, 1, 0]);
  assert.equal((await last(job)).epoch, first.epoch, "it stopped at the end of an epoch");
  assert.match(first.waiting_reason, new RegExp(`epoch ${first.epoch}`));
  await until("no worker runs", async () => ofRole(anneal.pid, "worker").length === 0);
  await restart();
  const still = await get(job);
  assert.deepEqual([still.status, still.paused, still.epoch], ["queued", true, first.epoch], "it outlives kill -9");
  const going = await ask(job, "resume");
  assert.deepEqual([going.status, going.body.job, going.body.paused], [202, job, false]);
  await until("it has gone on", async () => (await get(job)).epoch > first.epoch);
  assert.equal((await ask(job, "pause", { now: true })).body.paused, true, "at once");
  await restart();
  await ask(job, "resume");
  const end = await ended(anneal, job);
  assert.equal(end.status, "completed", JSON.stringify(end.error));
  assert.equal(end.failures, 0, "no pause counts as a failure");
  assert.equal(end.weights_sha256, whole.weights_sha256);
  assert.equal((await last(job)).weights_sha256, (await last(whole.job)).weights_sha256);
  assert.deepEqual(await metrics(anneal, job), await metrics(anneal, whole.job));
});

test("a paused job gives its place to the next, and goes first again when it is resumed", { timeout: 120_000 }, async () => {
  const [one, two] = [await create(anneal, "patterns", { ...config, epochs: 400 }), await create(anneal, "patterns", { ...config, epochs: 2 })];
  await reaches(one, 1);
  assert.equal((await get(two)).status, "queued");
  await ask(one, "pause");
  assert.equal((await ended(anneal, two)).status, "completed");
  assert.equal((await get(one)).paused, true);
  await ask(one, "resume");
  await until("it runs again", async () => (await get(one)).status === "running");
  assert.equal((await ask(one, "stop")).status, 202);
  assert.equal((await ended(anneal, one)).status, "completed");
});

test("stopped early it completes with its best checkpoint, which predicts and can be resumed as a new job", { timeout: 180_000 }, async () => {
  const job = await create(anneal, "patterns", { ...config, epochs: 500 });
  await reaches(job, 3);
  const asked = await ask(job, "stop");
  assert.deepEqual([asked.status, asked.body.wish], [202, "finish"]);
  const end = await ended(anneal, job);
  assert.deepEqual([end.status, end.wish, end.progress], ["completed", "none", 1]);
  assert.match(end.message, /stopped early on request/);
  assert.ok(end.epoch >= 3 && end.epoch < 500);
  const best = await anneal.get(at(job, "/checkpoints/best"));
  assert.equal(end.weights_sha256, best.weights_sha256);
  assert.equal(end.best.epoch, best.epoch);
  await until("no worker runs", async () => ofRole(anneal.pid, "worker").length === 0);
  assert.equal((await ask(job, "stop")).status, 409);
  const more = await ask(job, "resume", { epochs: end.epoch + 2 });
  assert.equal(more.status, 201, JSON.stringify(more.body));
  const grown = await ended(anneal, more.body.job);
  assert.deepEqual([grown.status, grown.epoch], ["completed", end.epoch + 2]);
});

test("what cannot be asked is refused with words, and a wish can be taken back", { timeout: 120_000 }, async () => {
  const job = await create(anneal, "patterns", { ...config, epochs: 400 }, { start: false });
  for (const what of ["pause", "stop", "resume"]) assert.equal((await ask(job, what)).status, 409, what);
  await ask(job, "start");
  await reaches(job, 2); // so that there is a checkpoint
  await ask(job, "pause");
  const back = await ask(job, "resume");
  assert.deepEqual([back.status, back.body.wish, back.body.paused], [202, "none", false], JSON.stringify(back.body));
  assert.equal((await ask(job, "resume")).status, 409, "it has no wish");
  await ask(job, "pause", { now: true });
  const epochs = await ask(job, "resume", { epochs: 500 });
  assert.deepEqual([epochs.status, epochs.body.errors?.[0]?.field], [400, "epochs"]);
  const kept = await ask(job, "stop");
  assert.deepEqual([kept.status, kept.body.status], [202, "completed"], "a paused job is kept at once");
  for (const what of ["pause", "stop"]) assert.equal((await ask(job, what)).status, 409, what);
});

test("the course is told by step, its ends agree with the metrics, and thinning keeps the peaks", { timeout: 120_000 }, async () => {
  const job = (await ended(anneal, await create(anneal, "patterns", { ...config, epochs: 12 }))).job;
  const series = await anneal.get(at(job, "/series"));
  const byEpoch = (await metrics(anneal, job))["train/loss"] ?? {};
  const loss: (number | null)[] = series.metrics["train/loss"];
  assert.ok(series.n.length >= 12 && loss.length === series.n.length);
  for (let i = 1; i < series.n.length; i++) assert.ok(series.step[i] >= series.step[i - 1] && series.n[i] > series.n[i - 1]);
  for (const [epoch, value] of Object.entries(byEpoch)) {
    const row = series.epochs.lastIndexOf(Number(epoch));
    assert.equal(loss[row], value, `epoch ${epoch}`);
  }
  const thin = await anneal.get(at(job, "/series?names=train/loss&points=4"));
  assert.deepEqual(Object.keys(thin.metrics), ["train/loss"]);
  assert.ok(thin.n.length < series.n.length);
  const all = loss.filter((v): v is number => v !== null), few: number[] = thin.metrics["train/loss"];
  assert.deepEqual([Math.min(...few), Math.max(...few)], [Math.min(...all), Math.max(...all)]);
  for (const [name, low, high] of [["system/cpu", 0, 64], ["system/memory", 1e6, 1e11], ["system/wait", 0, 1]] as const)
    for (const value of series.metrics[name].filter((v: number | null) => v !== null)) assert.ok(value >= low && value <= high, `${name} ${value}`);
  const samples = await anneal.get(at(job, "/samples"));
  assert.equal(samples.pictures.length, 16);
  assert.deepEqual(samples.classes, ["disc", "square", "stripes"]);
  const sheet = await anneal.api("GET", at(job, "/samples/sheet"));
  const jpeg = Buffer.from(await sheet.arrayBuffer());
  assert.deepEqual([sheet.status, sheet.headers.get("content-type"), jpeg.readUInt16BE(0)], [200, "image/jpeg", 0xffd8]);
  const rest = await anneal.get(at(job, `/series?after=${series.n.at(-2)}`));
  assert.deepEqual(rest.n, series.n.slice(-1));
});
