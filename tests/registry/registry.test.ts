// The registry: a trained checkpoint becomes a version, is scored, approved, published and rolled back; every
// arrow that there is not is refused; two who publish at once do not overwrite each other unseen; the history
// tells all of it, and survives restarts; registered weights outlive their job.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { after, before, test } from "node:test";

import { Anneal, until } from "../lib/anneal";
import { form } from "../lib/archives";
import { create, ended, upload } from "../lib/jobs";
import { patterns } from "../lib/pictures";
import { type Person, person } from "../lib/people";
import { end, ofRole } from "../lib/processes";
import { objects, removeObject } from "../lib/store";

let anneal: Anneal, job: any, other: any, picture: Buffer;
let engineer: Person, manager: Person, viewer: Person;
const small = { model: "tiny", epochs: 3, batch_size: 8, threads: 1, learning_rate: 0.02, checkpoint_every: 1 };
const M = "/registry/models/patterns";

interface Reply { status: number; body: any }
async function call(method: string, path: string, body?: unknown): Promise<Reply> {
  const reply = await anneal.api(method, path, body), text = await reply.text();
  return { status: reply.status, body: text ? JSON.parse(text) : undefined };
}
async function good(method: string, path: string, body?: unknown): Promise<any> {
  const reply = await call(method, path, body);
  assert.ok(reply.status < 300, `${method} ${path}: ${reply.status} ${JSON.stringify(reply.body)}`);
  return reply.body;
}
async function evaluated(model: string, version: number, body = {}): Promise<any> {
  const started = await call("POST", `/registry/models/${model}/versions/${version}/evaluate`, { split: "val", ...body });
  assert.equal(started.status, 202, JSON.stringify(started.body));
  assert.equal(started.body.kind, "test");
  return until("the evaluation has ended", async () => {
    const v = await anneal.get(`/registry/models/${model}/versions/${version}`);
    return v.evaluation.status !== "running" && v;
  });
}
const approve = (model: string, version: number) => good("POST", `/registry/models/${model}/versions/${version}/state`, { action: "approve" });
async function ask(path: string, auth = anneal.token, data = picture): Promise<Reply> {
  const f = form([{ name: "image", file: "one.png", data }]);
  const reply = await fetch(anneal.url + path, { method: "POST", headers: { authorization: `Bearer ${auth}`, "content-type": f.type },
    body: new Blob([new Uint8Array(f.body)]) });
  return { status: reply.status, body: await reply.json() };
}

before(async () => {
  anneal = await Anneal.start();
  assert.equal((await upload(anneal, "patterns", patterns(24, 6))).state, "done");
  const ids = [await create(anneal, "patterns", small), await create(anneal, "patterns", { ...small, seed: 7, epochs: 2 })];
  [job, other] = [await ended(anneal, ids[0]!), await ended(anneal, ids[1]!)];
  assert.equal(job.status, "completed", JSON.stringify(job.error));
  const page = await anneal.get("/datasets/patterns/versions/latest/images?split=val&limit=1");
  picture = Buffer.from(await (await anneal.api("GET", page.images[0].url)).arrayBuffer());
  [engineer, manager, viewer] = [await person(anneal, "engineer", "ed"), await person(anneal, "manager", "mo"), await person(anneal, "viewer", "vi")];
});
after(() => anneal.remove());

test("a checkpoint becomes version 1 with its origin, and its weights can be downloaded", async () => {
  const m = await good("POST", "/registry/models", { name: "patterns", description: "drawn patterns", job: job.job, checkpoint: "1", notes: "the first" });
  assert.equal(m.task, "classification");
  assert.equal(m.version_last, 1);
  assert.deepEqual(m.aliases, []);
  const v = await anneal.get(`${M}/versions/1`);
  assert.equal(v.state, "draft");
  assert.equal(v.job_id, job.job);
  assert.equal(v.epoch, 1);
  assert.equal(v.network, "tiny");
  assert.equal(v.dataset_version, job.dataset_version);
  assert.equal(v.config.learning_rate, 0.02);
  assert.equal(v.engine.version, job.engine.version);
  const file = Buffer.from(await (await anneal.api("GET", `${M}/versions/1/weights`)).arrayBuffer());
  assert.equal(file.length, v.weights_bytes);
  assert.equal(createHash("sha256").update(file).digest("hex"), v.weights_sha256);
  assert.deepEqual((await anneal.get("/registry/models")).models.map((x: any) => x.name), ["patterns"]);
  assert.equal((await anneal.get(`/registry/versions?job=${job.job}`)).versions[0].version, 1);
});

test("what cannot be registered says why", async () => {
  for (const name of ["", "Upper", "a b", "../x", "7", "latest", "-x", "x".repeat(65)])
    assert.equal((await call("POST", "/registry/models", { name, job: job.job })).status, 400, name);
  assert.equal((await call("POST", "/registry/models", { name: "patterns", job: job.job })).status, 409);
  assert.equal((await call("POST", "/registry/models", { name: "new", job: "nothing" })).status, 404);
  assert.equal((await call("POST", "/registry/models", { name: "new", job: job.job, checkpoint: "99" })).status, 404);
  const again = await call("POST", `${M}/versions`, { job: job.job, checkpoint: "1" });
  assert.equal(again.status, 409);
  assert.match(again.body.detail, /weights already/);
  assert.equal((await anneal.get(M)).version_last, 1, "a failed registration uses up no number");
  assert.equal((await call("GET", "/registry/models/nothing")).status, 404);
  assert.equal((await call("GET", `${M}/versions/9`)).status, 404);
});

test("a version goes from draft to live by its arrows, and by no others", async () => {
  const state = (action: string) => call("POST", `${M}/versions/1/state`, { action });
  assert.equal((await state("approve")).status, 409);
  assert.equal((await state("withdraw")).status, 409);
  assert.equal((await state("restore")).status, 409);
  const early = await call("PUT", `${M}/aliases/production`, { version: 1 });
  assert.equal(early.status, 409);
  assert.match(early.body.detail, /draft/);
  const v = await evaluated("patterns", 1);
  assert.equal(v.state, "evaluated");
  assert.equal(v.evaluation.status, "completed");
  const scores = Object.entries(v.evaluation.scores);
  assert.ok(scores.length > 0 && scores.every(([, x]) => typeof x === "number"), JSON.stringify(scores));
  assert.equal((await approve("patterns", 1)).state, "approved");
  assert.equal((await state("approve")).status, 409);
  assert.equal((await state("withdraw")).body.state, "evaluated");
  assert.equal((await approve("patterns", 1)).state, "approved");
  const live = await good("PUT", `${M}/aliases/production`, { version: 1, note: "go" });
  assert.equal(live.state, "live");
  assert.deepEqual(live.aliases, ["production"]);
  for (const action of ["archive", "withdraw", "approve"]) assert.equal((await state(action)).status, 409, action);
  assert.equal((await good("GET", `${M}/versions/production`)).version, 1);
});

test("publish, roll back, and roll back again go through what was live, and the history tells it", async () => {
  const add = async (j: any, checkpoint: string) => (await good("POST", `${M}/versions`, { job: j.job, checkpoint })).version;
  const [two, three] = [await add(job, "2"), await add(other, "best")];
  assert.deepEqual([two, three], [2, 3]);
  for (const v of [two, three]) {
    await evaluated("patterns", v);
    await approve("patterns", v);
    await good("PUT", `${M}/aliases/production`, { version: v, expected: v - 1 });
  }
  assert.equal((await anneal.get(`${M}/versions/1`)).state, "approved", "what no alias names is approved again");
  assert.equal((await anneal.get(`${M}/versions/3`)).state, "live");
  const predicted = await ask("/models/patterns/predict");
  assert.equal(predicted.body.version, 3, JSON.stringify(predicted.body));
  assert.equal((await good("POST", `${M}/aliases/production/rollback`, { note: "worse" })).version, 2);
  assert.equal((await ask("/models/patterns/aliases/production/predict")).body.version, 2);
  assert.equal((await good("POST", `${M}/aliases/production/rollback`, { expected: 2 })).version, 1);
  assert.equal((await call("POST", `${M}/aliases/production/rollback`, {})).status, 409);
  const { events, publications } = await anneal.get(`${M}/history`);
  assert.deepEqual(publications.map((p: any) => [p.version, p.rollback]), [[1, true], [2, true], [3, false], [2, false], [1, false]]);
  for (const [i, p] of publications.entries()) // without gaps: each ends when the next begins
    assert.equal(p.ended_at, i ? publications[i - 1].at : null);
  const kinds = events.map((e: any) => e.kind).reverse();
  assert.deepEqual(kinds.slice(0, 6), ["registered", "evaluating", "evaluated", "approved", "withdrawn", "approved"]);
  assert.deepEqual(events.slice(0, 2).map((e: any) => [e.kind, e.version, e.other, e.note]), [["rolled_back", 1, 2, null], ["rolled_back", 2, 3, "worse"]]);
});

test("a roll back skips what was archived meanwhile", async () => {
  await good("PUT", `${M}/aliases/staging`, { version: 1 });
  await good("PUT", `${M}/aliases/staging`, { version: 2 });
  await good("PUT", `${M}/aliases/staging`, { version: 3 });
  await good("POST", `${M}/versions/2/state`, { action: "archive", note: "unused" });
  const staging = (await anneal.get(`${M}/history`)).publications.find((p: any) => p.alias === "staging" && !p.ended_at);
  assert.equal(staging.back, 1, "what a roll back would do is told before");
  assert.equal((await good("POST", `${M}/aliases/staging/rollback`, {})).version, 1);
  assert.equal((await good("POST", `${M}/versions/2/state`, { action: "restore" })).state, "evaluated", "its scores still count");
  assert.equal((await call("DELETE", `${M}/aliases/staging`)).status, 204);
  assert.equal((await call("DELETE", `${M}/aliases/staging`)).status, 404);
  assert.equal((await anneal.get(`${M}/versions/1`)).state, "live", "production still names it");
});

test("of two who publish at once, the one who did not see the other is told", async () => {
  await approve("patterns", 2);
  const both = await Promise.all([2, 3].map((version) => call("PUT", `${M}/aliases/production`, { version, expected: 1 })));
  assert.deepEqual(both.map((r) => r.status).sort(), [200, 409]);
  const live = (await anneal.get(M)).aliases;
  assert.equal(live.length, 1);
  assert.equal(live[0].version, both[0]!.status === 200 ? 2 : 3);
  const many = await Promise.all(Array.from({ length: 12 }, (_, i) => call("PUT", `${M}/aliases/busy`, { version: 1 + (i % 3) })));
  assert.ok(many.every((r) => r.status === 200));
  const busy = (await anneal.get(`${M}/history`)).publications.filter((p: any) => p.alias === "busy");
  assert.equal(busy.filter((p: any) => !p.ended_at).length, 1);
  const states = (await anneal.get(`${M}/versions`)).versions.map((v: any) => [v.version, v.state, v.aliases.length > 0]);
  for (const [v, state, named] of states) assert.equal(state === "live", named, `version ${v} is ${state}`);
  assert.equal((await call("DELETE", `${M}/aliases/busy`)).status, 204);
});

test("roles decide, and a project may ask for a second pair of eyes", async () => {
  assert.equal((await viewer.call("GET", M)).status, 200);
  assert.equal((await viewer.call("POST", `${M}/versions/1/evaluate`, {})).status, 403);
  assert.equal((await engineer.call("POST", `${M}/versions/1/state`, { action: "withdraw" })).status, 403);
  assert.equal((await engineer.call("POST", `${M}/links`, {})).status, 403);
  const mine = await engineer.call("POST", "/registry/models", { name: "by-ed", job: job.job });
  assert.equal(mine.status, 201, JSON.stringify(mine.body));
  await evaluated("by-ed", 1);
  assert.equal((await engineer.call("POST", "/registry/models/by-ed/versions/1/state", { action: "approve" })).status, 403);
  assert.equal((await engineer.call("PUT", "/projects/default/registry", { approve_by_other: true })).status, 403);
  assert.equal((await manager.call("PUT", "/projects/default/registry", { approve_by_other: true })).body.approve_by_other, true);
  const own = await manager.call("POST", "/registry/models", { name: "by-mo", job: other.job });
  assert.equal(own.status, 201);
  await evaluated("by-mo", 1);
  const refused = await manager.call("POST", "/registry/models/by-mo/versions/1/state", { action: "approve" });
  assert.equal(refused.status, 403);
  assert.match(refused.body.detail, /somebody else/);
  const done = await good("POST", "/registry/models/by-mo/versions/1/state", { action: "approve" });
  assert.notEqual(done.approved_by, done.created_by);
  assert.equal((await manager.call("POST", "/registry/models/by-ed/versions/1/state", { action: "approve" })).status, 200);
  await manager.call("PUT", "/projects/default/registry", { approve_by_other: false });
});

test("models of a project are seen by its members alone", async () => {
  const p = await good("POST", "/projects", { name: "closed" });
  const up = await fetch(`${anneal.url}/datasets/upload?name=inner&project=${p.id}`, { method: "POST",
    headers: { authorization: `Bearer ${anneal.token}`, "content-type": "application/octet-stream" }, body: new Blob([new Uint8Array(patterns(12, 4))]) });
  const im = (await up.json()) as any;
  await until("imported", async () => (await anneal.get(`/datasets/imports/${im.import}`)).state === "done");
  const j = await ended(anneal, await create(anneal, "inner", { ...small, epochs: 1 }));
  await good("POST", "/registry/models", { name: "inner", job: j.job });
  for (const [method, path, body] of [["GET", "/registry/models/inner"], ["GET", "/registry/models/inner/history"],
    ["GET", "/registry/models/inner/versions/1/weights"], ["POST", "/registry/models/inner/versions/1/evaluate", {}],
    ["PUT", "/registry/models/inner/aliases/production", { version: 1 }], ["POST", "/registry/models/inner/versions/1/export", {}]] as const)
    assert.equal((await engineer.call(method, path, body)).status, 404, `${method} ${path}`);
  assert.equal((await ask("/models/inner/predict?version=1", engineer.token)).status, 404);
  assert.ok(!(await engineer.call("GET", "/registry/models")).body.models.some((m: any) => m.name === "inner"));
  assert.equal((await engineer.call("POST", `${M}/versions`, { job: j.job })).status, 404);
  assert.equal((await call("POST", `${M}/versions`, { job: j.job })).status, 400, "another project's job");
  assert.equal((await call("DELETE", `/projects/${p.id}`)).status, 409, "a project with models stays");
});

test("an evaluation that does not complete leaves a draft and says what became of it", async () => {
  const { version } = await good("POST", `${M}/versions`, { job: job.job, checkpoint: "3" }).catch(() => good("GET", `${M}/versions/latest`));
  assert.equal((await call("POST", `${M}/versions/${version}/evaluate`, { split: "sideways" })).status, 400);
  assert.equal((await call("POST", `${M}/versions/${version}/evaluate`, { dataset: "nothing" })).status, 404);
  const before = (await anneal.get(`${M}/versions/${version}`)).state;
  const started = await good("POST", `${M}/versions/${version}/evaluate`, { split: "train" });
  assert.equal((await call("DELETE", `/training/jobs/${started.job}`)).status, 202);
  const v = await anneal.get(`${M}/versions/${version}`);
  assert.equal(v.evaluation.status, "cancelled");
  assert.equal(v.state, before);
  const told = (await anneal.get(`${M}/history`)).events[0];
  assert.deepEqual([told.kind, told.version], ["evaluation_failed", version]);
});

test("a restart forgets nothing, and what ended while we were gone is noted", async () => {
  const before = await anneal.get(`${M}/history`), versions = await anneal.get(`${M}/versions`);
  const started = await good("POST", `${M}/versions/1/evaluate`, { split: "train" });
  assert.equal(await anneal.down("SIGKILL"), "SIGKILL");
  await anneal.up();
  const after = await anneal.get(`${M}/history`);
  assert.deepEqual(after.events.slice(-before.events.length), before.events);
  assert.deepEqual(after.publications, before.publications);
  assert.deepEqual((await anneal.get(`${M}/versions`)).versions.map((v: any) => v.state), versions.versions.map((v: any) => v.state));
  const list = await until("the evaluation has ended", async () => {
    const { evaluations } = await anneal.get(`${M}/versions/1/evaluations`);
    return evaluations[0].status !== "running" && evaluations;
  });
  assert.equal(list[0].job_id, started.job);
  assert.equal(list[0].status, "completed", list[0].error);
});

test("registered weights are an object of the registry's own: they do not go with their job", async () => {
  const v = await anneal.get(`${M}/versions/1`);
  const of = (await objects(anneal)).filter((key) => key.startsWith(`jobs/${job.job}/`));
  assert.ok(of.length > 3, of.join(" "));
  for (const key of of) await removeObject(anneal, key); // as if the job were deleted
  const file = Buffer.from(await (await anneal.api("GET", `${M}/versions/1/weights`)).arrayBuffer());
  assert.equal(createHash("sha256").update(file).digest("hex"), v.weights_sha256);
  for (const worker of ofRole(anneal.pid, "worker")) end(worker); // nothing of it is warm
  const answer = await until("a new predictor answers", async () => {
    const reply = await ask("/models/patterns/predict?version=1");
    return reply.status === 200 && reply;
  });
  assert.equal(answer.body.weights_sha256, v.weights_sha256);
  assert.equal((await evaluated("patterns", 1, { split: "val" })).evaluation.status, "completed");
});
