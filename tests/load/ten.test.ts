// Ten jobs started at once all complete, and what trainers report is stored soon after it happened.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { Anneal } from "../lib/anneal";
import { create, ended, upload } from "../lib/jobs";
import { patterns } from "../lib/pictures";

let anneal: Anneal;
before(async () => {
  anneal = await Anneal.start(["--jobs-per-trainer", "4", "--jobs-per-user", "20"]);
  assert.equal((await upload(anneal, "patterns", patterns(8, 4))).state, "done");
});
after(() => anneal.remove());

/** The upper bound of the bucket in which the quantile lies. */
function quantile(text: string, name: string, q: number): number {
  const buckets = [...text.matchAll(new RegExp(`^${name}_bucket\\{le="([^"]+)"\\} (\\d+)$`, "gm"))]
    .map((m) => [Number(m[1]!.replace("+Inf", "Infinity")), Number(m[2])] as const);
  const all = buckets.at(-1)?.[1] ?? 0;
  assert.ok(all > 0, `${name} has samples`);
  return buckets.find(([, n]) => n >= q * all)![0];
}

test("ten jobs at once", async () => {
  const jobs = await Promise.all(Array.from({ length: 10 }, (_, i) =>
    create(anneal, "patterns", { model: "tiny", epochs: 2, batch_size: 8, threads: 1, seed: i % 2 })));
  const all = await Promise.all(jobs.map((job) => ended(anneal, job)));
  assert.deepEqual(all.map((j) => j.status), all.map(() => "completed"));
  assert.deepEqual(all.map((j) => j.attempt), all.map(() => 1));
  assert.equal(new Set(all.map((j) => j.weights_sha256)).size, 2, "one result for each seed");
  const text = await (await anneal.api("GET", "/metrics")).text();
  assert.match(text, /training_jobs_total\{framework="anneal",status="completed"\} 10/);
  assert.ok(quantile(text, "callback_lag_seconds", 0.95) < 5);
  assert.equal(/callbacks_refused_total\{reason="(gap|stale_attempt|terminal)/.test(text), false);
});
