// Jobs at the edges: data that cannot be trained on, settings that diverge, objects that are gone, and people
// who do everything at once.  Each has one clear end.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { Anneal, until } from "../lib/anneal";
import { plain, twoClasses, zip } from "../lib/archives";
import { create, ended, metrics, upload } from "../lib/jobs";
import { patterns, tar } from "../lib/pictures";
import { end, ofRole } from "../lib/processes";

let anneal: Anneal;
before(async () => {
  anneal = await Anneal.start(["--jobs-per-trainer", "3", "--job-retries", "2"]);
  assert.equal((await upload(anneal, "patterns", patterns(8, 4))).state, "done");
});
after(() => anneal.remove());

const small = { model: "tiny", epochs: 2, batch_size: 8, threads: 1, warmup_epochs: 0 };
const post = async (body: unknown, path = "/training/jobs"): Promise<{ status: number; body: any }> => {
  const reply = await anneal.api("POST", path, body);
  return { status: reply.status, body: await reply.json() };
};
/** Refused at once, or failed at its first attempt: in both cases the text. */
async function refusedOrFailed(dataset: string, config: Record<string, unknown> = small): Promise<string> {
  const made = await post({ dataset, config });
  if (made.status === 400) return made.body.detail;
  assert.equal(made.status, 201, JSON.stringify(made.body));
  const job = await ended(anneal, made.body.job);
  assert.equal(job.status, "failed", `${dataset} was trained`);
  assert.equal(job.attempt, 1, "what cannot work is not tried again");
  return job.error.text;
}

test("a dataset with boxes is refused by a network that classifies", async () => {
  const state = await upload(anneal, "boxes", zip([{ name: "data.yaml", data: Buffer.from("names: [cat, dog]\n") },
    ...Array.from({ length: 8 }, (_, i) => [{ name: `images/${i}.png`, data: plain(i, 64) },
      { name: `labels/${i}.txt`, data: Buffer.from(`${i % 2} 0.5 0.5 0.5 0.5\n`) }]).flat()]));
  assert.equal(state.state, "done");
  assert.match(await refusedOrFailed("boxes"), /detection|boxes|classif/);
});

test("no validation, one picture of a class, a batch larger than the data: an end each, never a hang", { timeout: 180_000 }, async () => {
  await upload(anneal, "no-val", tar(twoClasses(4).map((f) => ({ ...f, name: `train/${f.name}` }))));
  await upload(anneal, "two", tar(twoClasses(2)));
  await upload(anneal, "one-each", tar(twoClasses(1)));
  for (const [dataset, config] of [["no-val", small], ["one-each", small], ["two", { ...small, batch_size: 1024 }],
    ["two", { ...small, batch_size: 1 }], ["two", { ...small, mixup: 0.4, class_weights: "balanced", early_stop: 1 }]] as const) {
    const made = await post({ dataset, config });
    const what = `${dataset} ${JSON.stringify(config)}`;
    assert.ok([201, 400].includes(made.status), `${what}: ${JSON.stringify(made.body)}`);
    if (made.status === 400) {
      assert.ok(made.body.detail.length > 20, what);
      continue;
    }
    const job = await ended(anneal, made.body.job);
    assert.ok(job.status === "completed" || (job.error.text.length > 20 && job.attempt === 1), `${what}: ${JSON.stringify(job)}`);
    if (job.status === "completed") assert.match(job.weights_sha256, /^[0-9a-f]{64}$/);
  }
});

test("a run that diverges ends with words, not with numbers that are none", { timeout: 120_000 }, async () => {
  const job = await ended(anneal, await create(anneal, "patterns", { ...small, epochs: 8, learning_rate: 10, momentum: 0.9999, label_smoothing: 0, nesterov: false }));
  const text = JSON.stringify(job) + JSON.stringify(await anneal.get(`/training/jobs/${job.job}/metrics`));
  assert.doesNotMatch(text, /\bnan\b|\binf\b/i);
  if (job.status === "failed") assert.match(job.error.text, /diverge|finite|learning rate/i);
  else assert.ok(job.best === null || Number.isFinite(job.best.value));
});

test("a worker that dies each time ends the job after its attempts, and says how", { timeout: 180_000 }, async () => {
  const before = ofRole(anneal.pid, "worker");
  const job = await create(anneal, "patterns", { ...small, epochs: 1000 }, { retries: 1 });
  let killed = 0;
  const last = await until("the job has ended", async () => {
    killed += ofRole(anneal.pid, "worker").filter((pid) => !before.includes(pid) && end(pid)).length;
    const now = await anneal.get(`/training/jobs/${job}`);
    return ["completed", "failed"].includes(now.status) && now;
  }, 120_000);
  assert.equal(last.status, "failed");
  assert.ok(killed >= 2 && last.attempt === 2, `${killed} kills, ${last.attempt} attempts`);
  assert.ok(/signal|killed|died/i.test(last.error.text), last.error.text);
});

test("everything at once: starts, cancels and changes of one job leave one true state", { timeout: 180_000 }, async () => {
  for (let round = 0; round < 6; round++) {
    const job = await create(anneal, "patterns", { ...small, epochs: 30 }, { start: false });
    const at = `/training/jobs/${job}`;
    const replies = await Promise.all([
      ...Array.from({ length: 4 }, () => anneal.api("POST", `${at}/start`)),
      ...Array.from({ length: 4 }, (_, i) => anneal.api("PATCH", at, { priority: i, name: `n${i}` })),
      new Promise((r) => setTimeout(r, round * 40)).then(() => anneal.api("DELETE", at)),
    ]);
    for (const reply of replies) assert.ok(reply.status < 500, `${reply.status} ${await reply.text()}`);
    const now = await anneal.get(at);
    assert.equal(now.status, "cancelled");
    assert.ok(now.attempt <= 1);
  }
  await until("no worker is left", async () => ofRole(anneal.pid, "worker").length <= 1); // a predictor may stay warm
  const running = await anneal.get("/training/jobs?status=running,queued");
  assert.deepEqual(running.jobs, []);
});

test("two uploads to one name at once, and a job on a dataset that grows, are kept apart", { timeout: 120_000 }, async () => {
  const states = await Promise.all([upload(anneal, "race", tar(twoClasses(4))), upload(anneal, "Race", tar(twoClasses(5, 300))),
    upload(anneal, "race", tar(twoClasses(4)))]);
  assert.deepEqual(states.map((s) => s.state), ["done", "done", "done"], JSON.stringify(states));
  assert.equal(new Set(states.map((s) => s.dataset)).size, 1, "names are one without regard to case");
  const versions = (await anneal.get("/datasets/race/versions")).versions;
  assert.deepEqual(versions.map((v: any) => v.number).sort(), [1, 2]);
  const job = await ended(anneal, await create(anneal, "race", small, { version: states[0].version }));
  assert.equal(job.dataset_version, states[0].version);
  assert.equal((await post({ dataset: "race", version: "0".repeat(64), config: small })).status, 404);
  assert.equal((await post({ dataset: "race", version: "17", config: small })).status, 404);
});

test("text of people is text, whatever it holds", async () => {
  const odd = "<script>alert(1)</script> \"'\u0000\\\n\r\t\u2028 \u{1F600} ../../x %s %n".replace("\u0000", "");
  const job = await create(anneal, "patterns", small, { start: false, name: odd, notes: odd, tags: ["a,b", "<i>"] });
  const got = await anneal.get(`/training/jobs/${job}`);
  assert.deepEqual([got.name, got.notes, got.tags], [odd, odd, ["a,b", "<i>"]]);
  const found = await anneal.get(`/training/jobs?q=${encodeURIComponent("<script>")}`);
  assert.equal(found.jobs.length, 1);
  for (const q of ["%", "_", "' OR 1=1 --", "\\"]) {
    const list = await anneal.get(`/training/jobs?q=${encodeURIComponent(q)}`);
    assert.ok(list.jobs.every((j: any) => JSON.stringify(j).includes(JSON.stringify(q).slice(1, -1))), `'${q}' found ${list.jobs.length}`);
  }
  const nul = await anneal.api("POST", "/training/jobs", { dataset: "patterns", config: small, start: false, name: "a\u0000b" });
  assert.ok([201, 400].includes(nul.status));
  for (const name of ["", " ", "a/b", "a\nb", "x".repeat(201), ".."]) {
    const reply = await anneal.api("POST", "/datasets/uploads", { name, size: 10 });
    assert.ok(reply.status < 500, name);
    if (reply.status === 201) assert.ok(!/^\s*$/.test(name), `a dataset may be called '${name}'`);
  }
});

test("metrics never hold an epoch twice, whatever happened above", async () => {
  for (const job of (await anneal.get("/training/jobs?limit=200")).jobs) await metrics(anneal, job.job);
});
