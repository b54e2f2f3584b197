// The audit log: what people changed or were refused, and nothing that would drown it.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { Anneal } from "../lib/anneal";
import { person } from "../lib/people";

let anneal: Anneal;
before(async () => {
  anneal = await Anneal.start();
});
after(() => anneal.remove());

const log = async (query = "") => (await (await anneal.api("GET", `/audit${query}`)).json()) as any;

test("a change and a refusal have a row each, a look has none", async () => {
  const viewer = await person(anneal, "viewer", "val");
  const made = await anneal.api("POST", "/projects", { name: "audited" });
  const project = (await made.json()) as any;
  assert.equal((await viewer.call("DELETE", `/projects/${project.id}`)).status, 403);
  await viewer.call("GET", "/projects");
  const { entries } = await log("?q=/projects");
  assert.deepEqual(entries.map((one: any) => [one.action, one.object, one.status, one.credential]), [
    ["DELETE /projects/{id}", `/projects/${project.id}`, 403, "session"],
    ["POST /projects", "/projects", 201, "token"],
  ]);
  assert.equal(entries[0].actor_id, viewer.id);
  assert.equal(entries[0].address, "127.0.0.1");
  assert.equal((await log("?refused=true&actor=val")).entries.length, 1);
  assert.equal((await viewer.call("GET", "/audit")).status, 403);
});

test("a failed log-in is recorded without its password", async () => {
  const reply = await fetch(`${anneal.url}/auth/login`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ email: "nobody@example.org", password: "a wrong password" }),
  });
  assert.equal(reply.status, 401);
  const { entries } = await log("?q=/auth/login");
  assert.equal(entries.length, 1);
  assert.equal(entries[0].status, 401);
  assert.ok(!JSON.stringify(entries).includes("a wrong password"));
});

test("pages follow each other, and a foreign cursor is refused", async () => {
  for (let i = 0; i < 5; i++) await anneal.api("POST", "/projects", { name: `page ${i}` });
  const first = await log("?limit=3");
  const second = await log(`?limit=3&cursor=${first.next}`);
  assert.equal(first.entries.length, 3);
  assert.ok(second.entries[0].id < first.entries[2].id);
  assert.equal((await anneal.api("GET", "/audit?cursor=eHl6")).status, 400);
});
