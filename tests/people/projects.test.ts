// Two people, two projects: what belongs to one cannot be seen, changed, cancelled or used by the other, by
// any route; members act by their role; a project with something in it is not deleted.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { Anneal } from "../lib/anneal";
import { twoClasses } from "../lib/archives";
import { ended } from "../lib/jobs";
import { type Person, person } from "../lib/people";
import { tar } from "../lib/pictures";
import { until } from "../lib/anneal";

let anneal: Anneal, ann: Person, bob: Person, eve: Person;
let project = "", dataset = "", upload = "", importId = "", job = "", sha = "";
const config = { model: "tiny", epochs: 1, batch_size: 4, threads: 1 };

before(async () => {
  anneal = await Anneal.start();
  ann = await person(anneal, "engineer", "ann");
  bob = await person(anneal, "engineer", "bob");
  eve = await person(anneal, "viewer", "eve");
  project = (await ann.call("POST", "/projects", { name: "secret" })).body.id;
  const archive = tar(twoClasses(6));
  const reply = await fetch(`${anneal.url}/datasets/upload?name=private&project=${project}`, { method: "POST",
    headers: { authorization: `Bearer ${ann.token}`, "content-type": "application/x-tar" }, body: new Blob([new Uint8Array(archive)]) });
  const started = (await reply.json()) as any;
  assert.equal(reply.status, 202, JSON.stringify(started));
  importId = started.import;
  dataset = started.dataset;
  await until("the import is done", async () => (await ann.call("GET", `/datasets/imports/${importId}`)).body.state === "done");
  upload = (await ann.call("POST", "/datasets/uploads", { name: "parts", size: 100, project })).body.upload;
  sha = (await ann.call("GET", `/datasets/${dataset}/versions/latest/images`)).body.images[0].sha256;
  const made = await ann.call("POST", "/training/jobs", { dataset, config });
  assert.equal(made.status, 201, JSON.stringify(made.body));
  job = made.body.job;
  assert.equal(made.body.project, project);
  await ended(anneal, job);
});
after(() => anneal.remove());

test("who is no member finds nothing there, by any route", async () => {
  const probes: [string, string, unknown?][] = [
    ["GET", `/projects/${project}`], ["PUT", `/projects/${project}`, { name: "mine" }], ["DELETE", `/projects/${project}`],
    ["GET", `/projects/${project}/members`], ["POST", `/projects/${project}/members`, { email: "bob@example.org" }],
    ["DELETE", `/projects/${project}/members/${ann.id}`],
    ["GET", `/datasets/${dataset}`], ["GET", "/datasets/private"], ["PUT", `/datasets/${dataset}`, { name: "x" }], ["DELETE", `/datasets/${dataset}`],
    ["GET", `/datasets/${dataset}/versions`], ["GET", `/datasets/${dataset}/versions/latest`], ["GET", `/datasets/${dataset}/imports`],
    ["GET", `/datasets/${dataset}/versions/1/manifest`], ["GET", `/datasets/${dataset}/versions/1/images`], ["GET", `/datasets/${dataset}/versions/1/images/0`],
    ["GET", `/datasets/${dataset}/versions/1/faults`], ["GET", `/datasets/${dataset}/versions/1/diff/1`],
    ["GET", `/datasets/${dataset}/blobs/${sha}`], ["POST", `/datasets/${dataset}/versions/1/split`, { train: 0.5, val: 0.5 }],
    ["GET", `/datasets/imports/${importId}`], ["GET", `/datasets/uploads/${upload}`], ["DELETE", `/datasets/uploads/${upload}`],
    ["POST", `/datasets/uploads/${upload}/complete`],
    ["GET", `/training/jobs/${job}`], ["DELETE", `/training/jobs/${job}`], ["POST", `/training/jobs/${job}/start`], ["PATCH", `/training/jobs/${job}`, { name: "x" }],
    ["GET", `/training/jobs/${job}/metrics`], ["GET", `/training/jobs/${job}/logs`], ["GET", `/training/jobs/${job}/checkpoints`],
    ["GET", `/training/jobs/${job}/checkpoints/best`], ["GET", `/training/jobs/${job}/attempts`], ["GET", `/training/jobs/${job}/validation`],
    ["GET", `/training/jobs/${job}/validation/best`], ["GET", `/training/jobs/${job}/validation/best/images`], ["GET", `/training/jobs/${job}/events`],
    ["GET", `/ws/training/${job}`], ["POST", `/training/jobs/${job}/restart`, {}], ["POST", `/training/jobs/${job}/resume`, { epochs: 2 }],
    ["POST", `/training/jobs/${job}/test`, { split: "val" }], ["POST", `/training/jobs/${job}/predict`],
    ["POST", "/training/jobs", { dataset, config }], ["POST", "/training/jobs", { dataset: "private", config }],
    ["POST", "/datasets/uploads", { name: "intruder", size: 10, project }],
  ];
  const before = JSON.stringify((await ann.call("GET", `/training/jobs/${job}`)).body);
  for (const [method, path, body] of probes) {
    const reply = await bob.call(method, path, body);
    assert.ok(reply.status === 404 || reply.status === 403, `${method} ${path}: ${reply.status} ${JSON.stringify(reply.body)}`);
    assert.doesNotMatch(JSON.stringify(reply.body), /secret|private'? *is|ann@/, `${method} ${path}`);
  }
  assert.equal(JSON.stringify((await ann.call("GET", `/training/jobs/${job}`)).body), before);
});

test("lists, searches and references do not betray it either", async () => {
  assert.deepEqual((await bob.call("GET", "/training/jobs")).body.jobs, []);
  assert.deepEqual((await bob.call("GET", `/training/jobs?q=${job}`)).body.jobs, []);
  assert.deepEqual((await bob.call("GET", `/training/jobs?project=${project}`)).body.jobs, []);
  assert.deepEqual((await bob.call("GET", "/datasets")).body.datasets, []);
  assert.deepEqual((await bob.call("GET", `/datasets?project=${project}`)).body.datasets, []);
  assert.deepEqual((await bob.call("GET", "/projects")).body.projects, []);
  // Bob's own job may not start from a checkpoint of Ann's, nor test on her data, nor overtake by naming hers.
  const own = tar(twoClasses(6, 100));
  const reply = await fetch(`${anneal.url}/datasets/upload?name=bobs`, { method: "POST",
    headers: { authorization: `Bearer ${bob.token}`, "content-type": "application/x-tar" }, body: new Blob([new Uint8Array(own)]) });
  const id = ((await reply.json()) as any).import;
  await until("Bob's import is done", async () => (await bob.call("GET", `/datasets/imports/${id}`)).body.state === "done");
  const stolen = await bob.call("POST", "/training/jobs", { dataset: "bobs", config: { ...config, epochs: 3 }, from_checkpoint: { job, checkpoint: "last" } });
  assert.ok(stolen.status === 400 || stolen.status === 404, JSON.stringify(stolen.body));
  const mine = (await bob.call("POST", "/training/jobs", { dataset: "bobs", config, start: false })).body.job;
  assert.equal((await bob.call("PATCH", `/training/jobs/${mine}`, { before: job })).status, 400);
  assert.equal((await bob.call("GET", `/datasets/bobs/blobs/${sha}`)).status, 404, "Ann's picture through Bob's dataset");
  const moved = await bob.call("POST", "/training/jobs", { dataset: "bobs", project, config });
  assert.ok(moved.status >= 400, "a job may not be put into a foreign project");
});

test("members act by their role, and no longer when they are removed", async () => {
  assert.equal((await ann.call("POST", `/projects/${project}/members`, { email: "bob@example.org", role: "viewer" })).status, 200);
  assert.equal((await bob.call("GET", `/training/jobs/${job}`)).status, 200);
  assert.equal((await bob.call("GET", "/training/jobs?q=private")).body.jobs.length, 1);
  assert.equal((await bob.call("DELETE", `/training/jobs/${job}`)).status, 403);
  assert.equal((await bob.call("POST", "/training/jobs", { dataset, config, start: false })).status, 403);
  assert.equal((await ann.call("POST", `/projects/${project}/members`, { email: bob.id, role: "engineer" })).status, 200);
  assert.equal((await bob.call("POST", "/training/jobs", { dataset, config, start: false })).status, 201);
  assert.equal((await bob.call("POST", `/projects/${project}/members`, { email: "eve@example.org" })).status, 403);
  assert.equal((await bob.call("DELETE", `/projects/${project}`)).status, 403);
  assert.equal((await ann.call("DELETE", `/projects/${project}/members/${bob.id}`)).status, 204);
  assert.equal((await bob.call("GET", `/training/jobs/${job}`)).status, 404);
});

test("a viewer of the instance stays a viewer, whatever a project says", async () => {
  await ann.call("POST", `/projects/${project}/members`, { email: "eve@example.org", role: "engineer" });
  assert.equal((await eve.call("GET", `/training/jobs/${job}`)).status, 200);
  assert.equal((await eve.call("POST", "/training/jobs", { dataset, config, start: false })).status, 403);
});

test("a project with datasets or jobs in it is not deleted; its last owner does not leave", async () => {
  const refused = await ann.call("DELETE", `/projects/${project}`);
  assert.equal(refused.status, 409, JSON.stringify(refused.body));
  assert.equal((await ann.call("GET", `/training/jobs/${job}`)).status, 200);
  assert.equal((await ann.call("DELETE", `/projects/${project}/members/${ann.id}`)).status, 409);
});

test("the same project name in two hands is no error of the server", async () => {
  const reply = await bob.call("POST", "/projects", { name: "secret" });
  assert.ok([201, 409].includes(reply.status), JSON.stringify(reply.body));
  const twice = await ann.call("POST", "/projects", { name: "secret" });
  assert.ok([409].includes(twice.status), JSON.stringify(twice.body));
});

test("a deactivated account is out at once", async () => {
  const zed = await person(anneal, "engineer", "zed");
  assert.equal((await zed.call("GET", "/auth/me")).status, 200);
  assert.equal((await anneal.api("PATCH", `/users/${zed.id}`, { active: false })).status, 200);
  assert.equal((await zed.call("GET", "/auth/me")).status, 401);
});
