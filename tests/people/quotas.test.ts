// Quotas: an account's own limits on bytes and on jobs that run, and what is counted.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { Anneal, until } from "../lib/anneal";
import { create, ended, upload } from "../lib/jobs";
import { person, type Person } from "../lib/people";
import { patterns } from "../lib/pictures";

let anneal: Anneal, engineer: Person;
before(async () => {
  anneal = await Anneal.start();
  engineer = await person(anneal, "engineer", "eve");
});
after(() => anneal.remove());

const send = (body: Buffer) => fetch(`${anneal.url}/datasets/upload?name=mine`, {
  method: "POST",
  headers: { authorization: `Bearer ${engineer.token}`, "content-type": "application/octet-stream" },
  body: new Blob([new Uint8Array(body)]),
});

test("an upload beyond what is left is refused before it is stored", async () => {
  const archive = patterns(12, 4);
  const set = await anneal.api("PUT", `/users/${engineer.id}/quota`, { bytes_max: 100 });
  assert.equal(((await set.json()) as any).bytes_max, 100);
  const refused = await send(archive);
  assert.equal(refused.status, 429);
  assert.match(((await refused.json()) as any).detail, /you may store 100 more bytes/);
  const begun = await engineer.call("POST", "/datasets/uploads", { name: "mine", size: archive.length });
  assert.equal(begun.status, 429);
  await anneal.api("PUT", `/users/${engineer.id}/quota`, {});
  const taken = (await (await send(archive)).json()) as any;
  await until("the import is done", async () => (await anneal.get(`/datasets/imports/${taken.import}`)).state === "done");
  const { body } = await engineer.call("GET", "/auth/me/quota");
  assert.ok(body.picture_bytes > 0 && body.datasets === 1, JSON.stringify(body));
});

test("a job waits for its maker's own limit, and says so", async () => {
  await upload(anneal, "patterns", patterns(12, 4));
  const me = await anneal.get("/auth/me");
  await anneal.api("PUT", `/users/${me.id}/quota`, { jobs_max: 0 });
  const job = await create(anneal, "patterns", { model: "tiny", epochs: 1, batch_size: 4 });
  await until("it says why it waits", async () => /as many of your jobs/.test((await anneal.get(`/training/jobs/${job}`)).waiting_reason ?? ""));
  await anneal.api("PUT", `/users/${me.id}/quota`, { jobs_max: 1 });
  assert.equal((await ended(anneal, job)).status, "completed");
  const own = (await anneal.get("/quotas")).quotas.find((one: any) => one.user_id === me.id);
  assert.ok(own.jobs >= 1 && own.checkpoint_bytes > 0, JSON.stringify(own));
});

test("only managers change quotas", async () => {
  assert.equal((await engineer.call("PUT", `/users/${engineer.id}/quota`, { bytes_max: 0 })).status, 403);
  assert.equal((await anneal.api("PUT", "/users/nobody/quota", {})).status, 404);
  assert.equal((await anneal.api("PUT", `/users/${engineer.id}/quota`, { bytes_max: -7 })).status, 400);
});
