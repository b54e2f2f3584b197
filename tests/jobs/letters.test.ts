// A trainer that cannot reach the backend: its reports and its requests for URLs are fetched by the polls, and a job
// comes to the same end as with callbacks, byte for byte.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { Anneal, freePort, until } from "../lib/anneal";
import { create, ended, metrics, upload } from "../lib/jobs";
import { patterns } from "../lib/pictures";

let near: Anneal, far: Anneal;
const config = { model: "tiny", epochs: 3, batch_size: 8, threads: 1, learning_rate: 0.02, warmup_epochs: 0 };
const archive = patterns(16, 4);

before(async () => {
  near = await Anneal.start();
  // where trainers are told to report: nobody listens there
  far = await Anneal.start(["--public-url", `http://127.0.0.1:${await freePort()}`]);
  for (const one of [near, far]) assert.equal((await upload(one, "patterns", archive)).state, "done");
});
after(async () => {
  await near.remove();
  await far.remove();
});

test("a job whose callbacks never arrive completes by polls, with the same weights and metrics", async () => {
  const [a, b] = [await create(near, "patterns", config), await create(far, "patterns", config)];
  const [direct, polled] = [await ended(near, a), await ended(far, b)];
  assert.equal(direct.status, "completed", JSON.stringify(direct.error));
  assert.equal(polled.status, "completed", JSON.stringify(polled.error));
  assert.equal(polled.attempt, 1);
  assert.equal(polled.weights_sha256, direct.weights_sha256);
  assert.deepEqual(await metrics(far, b), await metrics(near, a));
  assert.ok(far.output.includes("what is asked of it waits until it comes for it"), far.output);
  assert.ok(!near.output.includes("what is asked of it waits"), near.output);
});

test("cancelling reaches such a trainer, and what it had left to say is taken", async () => {
  const job = await create(far, "patterns", { ...config, epochs: 500 });
  await until("an epoch is stored", async () => ((await far.get(`/training/jobs/${job}`)).epoch ?? 0) >= 1);
  assert.ok((await far.api("DELETE", `/training/jobs/${job}`)).ok);
  assert.equal((await ended(far, job)).status, "cancelled");
});
