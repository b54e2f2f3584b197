// Exact replay: a job run again gives the same metrics and weights in every epoch; where what was recorded
// differs, it is told in which epoch and what; a run on another engine is said to be one.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { after, before, test } from "node:test";

import { Anneal } from "../lib/anneal";
import { create, ended, metrics, upload } from "../lib/jobs";
import { patterns } from "../lib/pictures";

let anneal: Anneal;
let job: any;
const config = { model: "tiny", epochs: 3, batch_size: 8, threads: 2, checkpoint_every: 1, mixup: 0.2, seed: 11 };
const sql = (text: string): string =>
  execFileSync("sqlite3", ["-cmd", ".timeout 20000", join(anneal.dir, "anneal.db"), text], { encoding: "utf8" });

before(async () => {
  anneal = await Anneal.start();
  assert.equal((await upload(anneal, "patterns", patterns(24, 6))).state, "done");
  job = await ended(anneal, await create(anneal, "patterns", config));
  assert.equal(job.status, "completed", JSON.stringify(job.error));
});
after(() => anneal.remove());

test("a run records what computed it", () => {
  assert.deepEqual(Object.keys(job.engine), ["version", "backend", "isa", "onednn", "precision"]);
  assert.match(job.engine.backend, /^(onednn|portable)$/);
  assert.match(job.engine.isa, /^(avx512|avx2|base)$/);
  assert.equal(job.engine.onednn !== "", job.engine.backend === "onednn");
  assert.equal(job.engine.precision, "float32");
});

test("a replay gives the same weights in every epoch", async () => {
  const got = await anneal.cli("train", "--replay", job.job, "--json");
  assert.equal(got.code, 0, got.stderr + got.stdout);
  assert.deepEqual([got.json.replay_of, got.json.reproduced, got.json.first_difference, got.json.engine_differs],
    [job.job, true, null, false]);
  assert.equal(got.json.weights_sha256, job.weights_sha256);
  assert.notEqual(got.json.job, job.job);
  assert.deepEqual(await metrics(anneal, got.json.job), await metrics(anneal, job.job));
  const again = await anneal.get(`/training/jobs/${got.json.job}`);
  assert.equal(again.base_job, job.job);
  assert.deepEqual(again.config, job.config);
});

test("a replay of a job that began with a checkpoint begins with it too", async () => {
  const from = await ended(anneal, await create(anneal, "patterns", { ...config, epochs: 4 },
    { from_checkpoint: { job: job.job, checkpoint: "1" } }));
  assert.equal(from.status, "completed", JSON.stringify(from.error));
  const got = await anneal.cli("train", "--replay", from.job);
  assert.equal(got.code, 0, got.stderr);
  assert.match(got.stdout, new RegExp(`reproduced: weights ${from.weights_sha256}`));
});

test("a run in bfloat16 says so and is reproduced", async () => {
  const half = await ended(anneal, await create(anneal, "patterns", { ...config, precision: "bfloat16" }));
  assert.equal(half.status, "completed", JSON.stringify(half.error));
  assert.equal(half.engine.precision, "bfloat16");
  assert.notEqual(half.weights_sha256, job.weights_sha256);
  const got = await anneal.cli("train", "--replay", half.job, "--json");
  assert.equal(got.code, 0, got.stderr + got.stdout);
  assert.equal(got.json.weights_sha256, half.weights_sha256);
});

test("the first difference is told by its epoch, and another engine by its name", async () => {
  sql(`UPDATE metric SET value = value + 1e-9 WHERE job_id = '${job.job}' AND name = 'val/loss' AND epoch >= 2`);
  sql(`UPDATE job SET engine = json_set(engine, '$.isa', 'avx1') WHERE id = '${job.job}'`);
  const got = await anneal.cli("train", "--replay", job.job, "--json");
  assert.equal(got.code, 4, got.stderr);
  assert.equal(got.json.reproduced, false);
  assert.deepEqual(got.json.first_difference, { epoch: 2, what: "val/loss" });
  assert.equal(got.json.engine_differs, true);
  assert.deepEqual([got.json.engine_before.isa, got.json.engine.isa], ["avx1", job.engine.isa]);
  sql(`UPDATE checkpoint SET weights_sha256 = replace(weights_sha256, substr(weights_sha256, 1, 8), '00000000')
    WHERE job_id = '${job.job}' AND epoch = 1`);
  const weights = await anneal.cli("train", "--replay", job.job);
  assert.equal(weights.code, 4, weights.stderr);
  assert.match(weights.stdout, /not reproduced: weights of epoch 1 differ first/);
  assert.match(weights.stdout, /the engines differ: .*avx1.* then, .* now/);
});

test("only a completed training is replayed, and nothing of it can be changed", async () => {
  const waiting = await create(anneal, "patterns", config, { start: false });
  const cases: [string[], number, RegExp][] = [
    [[waiting], 1, /only a training that has completed can be replayed; this job is pending/],
    [["nosuchjob"], 1, /there is no job/],
    [[job.job, "--epochs", "9"], 2, /'epochs' cannot be changed with --replay/],
    [[job.job, "--seed", "9"], 2, /'seed' cannot be changed with --replay/],
  ];
  for (const [args, code, why] of cases) {
    const got = await anneal.cli("train", "--replay", ...args, "--json");
    assert.equal(got.code, code, got.stderr);
    assert.match(got.stderr, why);
  }
});
