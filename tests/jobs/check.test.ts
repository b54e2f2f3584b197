// Before a training: presets, warnings that explain, an estimate that says where it is from; and no job is made.
import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, test } from "node:test";

import { Anneal } from "../lib/anneal";
import { twoClasses } from "../lib/archives";
import { create, ended, upload } from "../lib/jobs";
import { patterns, tar } from "../lib/pictures";

let anneal: Anneal;
before(async () => {
  anneal = await Anneal.start();
  assert.equal((await upload(anneal, "patterns", patterns(16, 4))).state, "done");
  await upload(anneal, "bare", tar(twoClasses(4).map((f) => ({ ...f, name: `train/${f.name}` }))));
});
after(() => anneal.remove());

const small = { model: "tiny", epochs: 3, batch_size: 8, threads: 1, warmup_epochs: 0 };
const check = async (body: Record<string, unknown>, query = ""): Promise<any> => {
  const reply = await anneal.api("POST", `/training/check${query}`, body);
  assert.equal(reply.status, 200, await reply.clone().text());
  return reply.json();
};
const codes = (one: any): string[] => one.warnings.map((w: any) => w.code);

test("without a former run the model is measured, and the estimate says so", { timeout: 120_000 }, async () => {
  const first = await check({ dataset: "patterns", config: small });
  assert.equal(first.ok, true, JSON.stringify(first));
  const { estimate } = first;
  assert.equal(estimate.basis, "measured", JSON.stringify(estimate));
  assert.ok(estimate.least <= estimate.seconds && estimate.seconds <= estimate.most && estimate.seconds > 0);
  assert.ok(estimate.measured.memory_bytes > 1e5 && estimate.measured.params > 1000 && estimate.measured.train_images_per_second > 0);
  assert.equal(estimate.measured.classes, 3);
  const again = await check({ dataset: "patterns", config: small });
  assert.deepEqual(again.estimate.measured, estimate.measured, "it is measured once");
  const tiny = (await anneal.get("/models")).models.find((m: any) => m.name === "tiny");
  assert.deepEqual(tiny.measured, estimate.measured, "the card shows it");
  assert.equal((await anneal.get("/training/jobs")).jobs.length, 0, "no job was made");
});

test("former runs of the same model and input tell the time, scaled by epochs", { timeout: 120_000 }, async () => {
  const job = await ended(anneal, await create(anneal, "patterns", { ...small, epochs: 8 }));
  assert.equal(job.status, "completed");
  const eight = (await check({ dataset: "patterns", config: { ...small, epochs: 8 } }, "?measure=false")).estimate;
  const eighty = (await check({ dataset: "patterns", config: { ...small, epochs: 80 } }, "?measure=false")).estimate;
  assert.deepEqual([eight.basis, eight.runs, eight.measured], ["runs", 1, null]);
  assert.ok(eighty.seconds > eight.seconds);
  const other = (await check({ dataset: "patterns", config: { ...small, image_size: 64 } }, "?measure=false")).estimate;
  assert.equal(other.basis, null, "another input size is another speed");
});

test("what cannot be trained is told by field, what is doubtful by code, in words with numbers", async () => {
  for (const [body, field, text] of [
    [{ dataset: "patterns", config: { model: "detect-n" } }, "dataset", /boxes/],
    [{ dataset: "patterns", config: { epoch: 3 } }, "config.epoch", /epochs/],
    [{ dataset: "patterns", config: { model: "tiny", learning_rate: 99 } }, "config.learning_rate", /99|10/],
    [{ dataset: "patterns", preset: "fast" }, "preset", /quick, standard/],
  ] as const) {
    const one = await check(body);
    assert.deepEqual([one.ok, one.errors[0].field, one.estimate], [false, field, null], JSON.stringify(one));
    assert.match(one.errors[0].message, text);
  }
  const few = await check({ dataset: "patterns", config: { ...small, batch_size: 512, image_size: 256 } }, "?measure=false");
  assert.ok(["batch_large", "size_enlarges", "small_validation"].every((c) => codes(few).includes(c)), JSON.stringify(few.warnings));
  assert.ok(few.warnings.every((w: any) => w.message.length > 30 && w.field));
  const bare = await check({ dataset: "bare", config: { ...small, freeze: "backbone" } }, "?measure=false");
  assert.ok(["small_validation", "class_few", "freeze_random"].every((c) => codes(bare).includes(c)), JSON.stringify(bare.warnings));
  const fine = await check({ dataset: "patterns", config: { ...small, batch_size: 8 } }, "?measure=false");
  assert.ok(!codes(fine).includes("batch_large") && !codes(fine).includes("no_validation"));
});

test("pictures whose objects the network's input makes too small are told, with a size of one's own or without", { timeout: 120_000 }, async () => {
  await anneal.cli("sample", "receipts", join(anneal.dir, "receipts"), "--count", "6", "--size", "1600");
  await anneal.cli("dataset", "import", join(anneal.dir, "receipts"), "--name", "receipts");
  const shrunk = async (config: Record<string, unknown>) =>
    (await check({ dataset: "receipts", config: { model: "segment-n", ...config } }, "?measure=false")).warnings.find((w: any) => w.code === "size_shrinks");
  const chosen = await shrunk({});
  assert.match(chosen.message, /up to 1600 pixels are shrunk to 320: what is smaller than 20 pixels .* set a larger image_size/);
  assert.match((await shrunk({ image_size: 256 })).message, /shrunk to 256/);
  assert.equal(await shrunk({ image_size: 640 }), undefined);
});

test("a preset fills the settings, own ones win, and a job stores the result", async () => {
  const { presets } = await anneal.get("/training/presets");
  assert.deepEqual(presets.map((p: any) => p.name), ["quick", "standard", "thorough", "fine-tune"]);
  const quick = presets[0].settings.classification;
  const reply = await anneal.api("POST", "/training/jobs", { dataset: "patterns", preset: "quick", config: { model: "tiny", batch_size: 4 }, start: false });
  const job = (await reply.json()) as any;
  assert.equal(reply.status, 201, JSON.stringify(job));
  assert.deepEqual([job.config.epochs, job.config.batch_size, job.config.warmup_epochs], [quick.epochs, 4, quick.warmup_epochs]);
  for (const p of presets)
    for (const [task, model] of [["classification", "resnet18"]] as const) {
      const one = await check({ dataset: "patterns", preset: p.name, config: { model } }, "?measure=false");
      assert.equal(one.ok, true, JSON.stringify(one));
      for (const [name, value] of Object.entries(p.settings[task])) assert.deepEqual(one.config[name], value, `${p.name} ${name}`);
    }
});

test("the command line says the same and makes no job", { timeout: 60_000 }, async () => {
  const jobs = (await anneal.get("/training/jobs")).jobs.length;
  const fine = await anneal.cli("train", "--dataset", "patterns", "--model", "tiny", "--epochs", "3", "--threads", "1", "--check");
  assert.equal(fine.code, 0, fine.stdout + fine.stderr);
  assert.match(fine.stdout, /time: about/);
  assert.match(fine.stdout, /memory: .+ pictures a second/);
  const bad = await anneal.cli("train", "--dataset", "patterns", "--model", "detect-n", "--check", "--json");
  assert.equal(bad.code, 1);
  assert.equal(bad.json.ok, false);
  assert.equal((await anneal.get("/training/jobs")).jobs.length, jobs);
});

test("a run on the command line is paused, goes on, and is kept", { timeout: 120_000 }, async () => {
  const job = await create(anneal, "patterns", { ...small, epochs: 500 });
  while ((await anneal.get(`/training/jobs/${job}`)).epoch < 2) await new Promise((r) => setTimeout(r, 50));
  const paused = await anneal.cli("jobs", "pause", job, "--now", "--json");
  assert.deepEqual([paused.code, paused.json.paused], [0, true], paused.stderr);
  const on = await anneal.cli("jobs", "resume", job, "--json");
  assert.deepEqual([on.code, on.json.job, on.json.paused], [0, job, false], on.stderr);
  const kept = await anneal.cli("jobs", "stop", job);
  assert.equal(kept.code, 0, kept.stderr);
  assert.equal((await ended(anneal, job)).status, "completed");
});
