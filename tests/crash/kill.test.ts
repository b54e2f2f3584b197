// kill -9 of the worker, the trainer or serve at random moments: the job completes without help, one set
// of metrics is stored, and the weights are those of an undisturbed run, byte for byte.
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { after, before, test } from "node:test";

import { Anneal } from "../lib/anneal";
import { create, ended, metrics, upload } from "../lib/jobs";
import { patterns } from "../lib/pictures";

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

/** Direct children by parent, from /proc. */
function children(parent: number): number[] {
  return readdirSync("/proc").filter((n) => /^\d+$/.test(n)).map(Number).filter((pid) => {
    try {
      const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
      return Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]) === parent;
    } catch {
      return false;
    }
  });
}
const runs = (pid: number, role: string) => {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "latin1").split("\0")[1] === role;
  } catch {
    return false;
  }
};

/** Kills one of the three; true if it was there. */
async function killOne(): Promise<string> {
  const trainer = children(anneal.pid).find((pid) => runs(pid, "trainer"));
  const worker = trainer && children(trainer).find((pid) => runs(pid, "worker"));
  const pick = random();
  if (pick < 0.4 && worker) {
    process.kill(worker, "SIGKILL");
    return "worker";
  }
  if (pick < 0.7 && trainer) {
    process.kill(trainer, "SIGKILL");
    return "trainer";
  }
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
