// kill -9 of the worker, the trainer or serve at random moments: the job completes without help, one set
// of metrics is stored, and the weights are those of an undisturbed run, byte for byte.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { Anneal } from "../lib/anneal";
import { create, ended, metrics, upload } from "../lib/jobs";
import { patterns } from "../lib/pictures";
import { end, ofRole } from "../lib/processes";

const kills = process.env["CHECK_ALL"] ? 12 : 4;
const seed = Number(process.env["KILL_SEED"] ?? Date.now() % 100000);
let state = seed;
const random = () => {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
  return state / 4294967296;
};
const config = { model: "tiny", epochs: 6, batch_size: 16, seed: 11, threads: 1, learning_rate: 0.02 };
let anneal: Anneal;

before(async () => {
  anneal = await Anneal.start(["--lease-seconds", "4", "--job-retries", "60"]);
  const done = await upload(anneal, "patterns", patterns(80, 20));
  assert.equal(done.state, "done", JSON.stringify(done));
});
after(() => anneal.remove());

/** Kills one of the three, and says which. */
async function killOne(): Promise<string> {
  const trainer = ofRole(anneal.pid, "trainer")[0];
  const worker = ofRole(anneal.pid, "worker")[0];
  const pick = random();
  if (pick < 0.4 && worker && end(worker)) return "worker";
  if (pick < 0.7 && trainer && end(trainer)) return "trainer";
  await anneal.down("SIGKILL");
  await anneal.up();
  return "serve";
}

test(`kills at random moments change nothing (KILL_SEED=${seed})`, { timeout: 540_000 }, async () => {
  const calm = await ended(anneal, await create(anneal, "patterns", config));
  assert.equal(calm.status, "completed", JSON.stringify(calm.error));

  const job = await create(anneal, "patterns", config);
  const killed: string[] = [];
  const ms = (calm.ended_at ? Date.parse(calm.ended_at) - Date.parse(calm.started_at) : 4000) / 2;
  while (killed.length < kills) {
    await new Promise((r) => setTimeout(r, 100 + random() * ms));
    const now = await anneal.get(`/training/jobs/${job}`).catch(() => undefined);
    if (now && ["completed", "failed", "cancelled"].includes(now.status)) break;
    killed.push(await killOne());
  }
  const rough = await ended(anneal, job);
  const story = `killed ${killed.join(", ")}; attempts ${rough.attempt}`;
  assert.equal(rough.status, "completed", `${story}: ${JSON.stringify(rough.error)}`);
  assert.ok(killed.length > 0, "nothing was killed");
  assert.equal(rough.weights_sha256, calm.weights_sha256, story);
  assert.deepEqual(await metrics(anneal, rough.job), await metrics(anneal, calm.job), story);
});
