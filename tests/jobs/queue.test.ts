// The queue and what a trainer's reports leave behind, with a trainer that the test plays: order, limits of a
// user and of the trainer, zeros among the metrics, the best epoch by its goal, the cap of the log.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { Anneal, until } from "../lib/anneal";
import { create, upload } from "../lib/jobs";
import { type Person, person } from "../lib/people";
import { patterns } from "../lib/pictures";
import { Trainer } from "../lib/trainer";

let anneal: Anneal, trainer: Trainer, ann: Person, bob: Person;
const config = { model: "tiny", epochs: 9 };

before(async () => {
  trainer = await Trainer.start();
  anneal = await Anneal.start([...trainer.flags, "--jobs-per-user", "2", "--jobs-per-trainer", "3"]);
  assert.equal((await upload(anneal, "patterns", patterns(6, 2))).state, "done");
  ann = await person(anneal, "engineer", "ann");
  bob = await person(anneal, "engineer", "bob");
});
after(async () => {
  await anneal.remove();
  trainer.stop();
});

const get = (job: string) => anneal.get(`/training/jobs/${job}`);
const begun = () => trainer.orders.map((o) => o.job_id);
async function make(who: Person, more: Record<string, unknown> = {}): Promise<string> {
  const reply = await who.call("POST", "/training/jobs", { dataset: "patterns", config, ...more });
  assert.equal(reply.status, 201, JSON.stringify(reply.body));
  assert.equal(reply.body.created_by, who.id, "created_by is the caller");
  return reply.body.job;
}
async function finish(job: string): Promise<void> {
  const order = await trainer.order(job);
  await trainer.report(order, { kind: "started" });
  await trainer.report(order, { kind: "completed", epoch: 9, progress: 1 });
}

test("limits of a user and of a trainer hold, and each waiting job says why", async () => {
  const a = [await make(ann), await make(ann), await make(ann)];
  const b = [await make(bob), await make(bob)];
  await until("three are begun", async () => begun().length === 3);
  await until("those that wait say why", async () => (await get(a[2]!)).waiting_reason && (await get(b[1]!)).waiting_reason);
  assert.deepEqual(begun(), [a[0], a[1], b[0]], "Ann's third may not keep Bob out");
  assert.equal((await get(a[2]!)).status, "queued");
  await finish(a[0]!);
  await until("the next is begun", async () => begun().length === 4);
  assert.equal(begun()[3], a[2], "Ann's third came before Bob's second");
  for (const job of [a[1]!, a[2]!, b[0]!, b[1]!]) await finish(job);
  await until("all are done", async () => (await get(b[1]!)).status === "completed");
});

test("priority goes first, then the order that was asked for; jobs can be moved", async () => {
  const from = begun().length;
  const busy = [await make(ann), await make(ann), await make(bob)];
  await until("the trainer is full", async () => begun().length === from + 3);
  const low = await make(bob, { priority: 10, name: "low" }), one = await make(bob, { name: "one" }), two = await make(bob, { name: "two" });
  const high = await make(bob, { priority: 90, name: "high" });
  const order = async () => (await anneal.get("/training/jobs?status=queued&sort=queue")).jobs.map((j: any) => j.name);
  assert.deepEqual(await order(), ["high", "one", "two", "low"]);
  assert.equal((await get(low)).queue_place, 4);
  assert.equal((await bob.call("PATCH", `/training/jobs/${two}`, { before: one })).status, 200);
  assert.deepEqual(await order(), ["high", "two", "one", "low"]);
  assert.equal((await bob.call("PATCH", `/training/jobs/${low}`, { priority: 95 })).status, 200);
  assert.deepEqual(await order(), ["low", "high", "two", "one"]);
  assert.equal((await bob.call("PATCH", `/training/jobs/${low}`, { before: "end" })).status, 200);
  const queue = await order();
  for (const job of busy) await finish(job);
  const ids: Record<string, string> = { low, one, two, high };
  for (const name of queue) {
    await until(`${name} is begun`, async () => begun().includes(ids[name]!));
    await finish(ids[name]!);
  }
  const started = begun().slice(from + 3);
  assert.deepEqual(started, queue.map((name: string) => ids[name]), "they began in the order of the queue");
});

test("zeros are values, and the best epoch is the least for a loss, the most for a score", async () => {
  for (const [goal, values, best, value] of [["loss", [0.5, 0, 0.3], 2, 0], ["accuracy", [0, 0.5, 0.3], 2, 0.5],
    ["accuracy", [0, 0, 0], 1, 0], ["loss", [0.9, 0.8, 0.7], 3, 0.7]] as const) {
    const job = await make(ann, { config: { ...config, epochs: 3, goal } });
    const order = await trainer.order(job);
    await trainer.report(order, { kind: "started", epochs: 3 });
    for (const [i, v] of values.entries())
      await trainer.report(order, { kind: "epoch", epoch: i + 1, epochs: 3, progress: (i + 1) / 3, metrics: { [`val/${goal}`]: v, "train/loss": 0 } });
    await trainer.report(order, { kind: "completed", epoch: 3, epochs: 3, progress: 1 });
    const now = await get(job);
    assert.equal(now.status, "completed");
    assert.deepEqual([now.best.epoch, now.best.value], [best, value], `${goal} ${values}`);
    const { metrics } = await anneal.get(`/training/jobs/${job}/metrics`);
    assert.deepEqual(metrics[`val/${goal}`].map((p: any) => p.value), values);
    assert.deepEqual(metrics["train/loss"].map((p: any) => p.value), [0, 0, 0]);
  }
});

test("a diverged metric is kept as none and does not become the best", async () => {
  const job = await make(ann, { config: { ...config, epochs: 2, goal: "loss" } });
  const order = await trainer.order(job);
  await trainer.report(order, { kind: "started" });
  await trainer.report(order, { kind: "epoch", epoch: 1, metrics: { "val/loss": 2.5 } });
  await trainer.report(order, { kind: "epoch", epoch: 2, metrics: { "val/loss": null } });
  await trainer.report(order, { kind: "completed", epoch: 2, progress: 1 });
  assert.equal((await get(job)).best.epoch, 1);
  const { metrics } = await anneal.get(`/training/jobs/${job}/metrics?name=val/loss`);
  assert.deepEqual(metrics["val/loss"].map((p: any) => p.value), [2.5, null]);
});

test("the log is capped, and the newest lines stay", async () => {
  const job = await make(ann);
  const order = await trainer.order(job);
  await trainer.report(order, { kind: "started" });
  const total = 10_400, each = 400;
  for (let n = 0; n < total; n += each)
    await trainer.report(order, { kind: "log", logs: Array.from({ length: each }, (_, i) =>
      ({ time: Date.now(), level: "info", message: `line ${n + i}` })) });
  const newest = (await anneal.get(`/training/jobs/${job}/logs?order=newest&limit=3`)).logs.map((l: any) => l.message);
  assert.deepEqual(newest, [total - 1, total - 2, total - 3].map((n) => `line ${n}`));
  const oldest = (await anneal.get(`/training/jobs/${job}/logs?limit=1`)).logs[0].message;
  assert.equal(oldest, `line ${total - 10_000}`);
  let count = 0;
  for (let after = 0; ;) {
    const page = await anneal.get(`/training/jobs/${job}/logs?limit=1000&after=${after}`);
    count += page.logs.length;
    if (!page.next) break;
    after = page.next;
  }
  assert.equal(count, 10_000);
  assert.equal((await anneal.get(`/training/jobs/${job}/logs?q=line%2010399`)).logs.length, 1);
  await trainer.report(order, { kind: "completed", epoch: 9, progress: 1 });
});

test("a list by pages misses no job and shows none twice while others arrive and end", async () => {
  const wanted = [];
  for (let i = 0; i < 12; i++) wanted.push(await create(anneal, "patterns", config, { start: false, name: `walk ${i % 3}`, tags: ["walk"] }));
  for (const sort of ["created", "name", "status", "score"]) {
    for (const order of ["asc", "desc"]) {
      const seen: string[] = [];
      for (let cursor = ""; ;) {
        const page = await anneal.get(`/training/jobs?q=walk&sort=${sort}&order=${order}&limit=5${cursor && `&cursor=${cursor}`}`);
        seen.push(...page.jobs.map((j: any) => j.job));
        await create(anneal, "patterns", config, { start: false, name: "walk 1", tags: [sort] });
        if (!page.next) break;
        cursor = page.next;
        assert.ok(seen.length < 200, "the list never ends");
      }
      assert.equal(new Set(seen).size, seen.length, `${sort} ${order}: a job twice`);
      for (const job of wanted) assert.ok(seen.includes(job), `${sort} ${order}: ${job} is missing`);
    }
  }
});
