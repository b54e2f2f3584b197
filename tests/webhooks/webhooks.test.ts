// Webhooks against a real receiver: signed, repeated until it answers, and only for what was asked.
import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { createServer, type IncomingHttpHeaders, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { after, before, test } from "node:test";

import { Anneal, until } from "../lib/anneal";
import { create, ended, upload } from "../lib/jobs";
import { person } from "../lib/people";
import { patterns } from "../lib/pictures";

interface Received { headers: IncomingHttpHeaders; body: string }

let anneal: Anneal, receiver: Server, url: string;
const received: Received[] = [];
let answer = 204;

before(async () => {
  anneal = await Anneal.start();
  receiver = createServer((request, reply) => {
    let body = "";
    request.on("data", (part) => { body += part; });
    request.on("end", () => {
      received.push({ headers: request.headers, body });
      reply.writeHead(answer).end("a body that nobody reads");
    });
  });
  await new Promise<void>((done) => receiver.listen(0, "127.0.0.1", done));
  url = `http://127.0.0.1:${(receiver.address() as AddressInfo).port}/hook`;
});
after(async () => {
  await anneal.remove();
  receiver.close();
});

function signed(secret: string, one: Received): string {
  const key = Buffer.from(secret.slice("whsec_".length), "base64");
  const text = `${one.headers["webhook-id"]}.${one.headers["webhook-timestamp"]}.${one.body}`;
  return `v1,${createHmac("sha256", key).update(text).digest("base64")}`;
}

test("a job's end is told once, signed by the secret that was shown once", async () => {
  const made = await anneal.api("POST", "/webhooks", { url, events: "job.completed job.cancelled" });
  const hook = (await made.json()) as any;
  assert.equal(made.status, 201);
  assert.match(hook.secret, /^whsec_[A-Za-z0-9+/]{43}=$/);
  assert.ok(!JSON.stringify(await anneal.get("/webhooks")).includes(hook.secret), "the list keeps the secret");

  await upload(anneal, "patterns", patterns(12, 4));
  const job = await create(anneal, "patterns", { model: "tiny", epochs: 1, batch_size: 4 });
  assert.equal((await ended(anneal, job)).status, "completed");
  await until("the receiver was told", async () => received.length > 0);
  const body = JSON.parse(received[0]!.body);
  assert.deepEqual([body.type, body.data.job, body.data.status], ["job.completed", job, "completed"]);
  assert.equal(received[0]!.headers["webhook-signature"], signed(hook.secret, received[0]!));
  await until("the delivery is done", async () =>
    (await anneal.get(`/webhooks/${hook.id}/deliveries`)).deliveries[0].done_at);
  const { deliveries } = await anneal.get(`/webhooks/${hook.id}/deliveries`);
  assert.deepEqual(deliveries.map((one: any) => [one.event, one.attempts, one.status, one.error]), [["job.completed", 1, 204, null]]);
  assert.equal(received.length, 1, "running was not asked for");
  assert.equal((await anneal.api("DELETE", `/webhooks/${hook.id}`)).status, 204);
});

test("a receiver in trouble is asked again with the same id", async () => {
  answer = 500;
  received.length = 0;
  const hook = (await (await anneal.api("POST", "/webhooks", { url })).json()) as any;
  assert.equal((await anneal.api("POST", `/webhooks/${hook.id}/ping`)).status, 202);
  await until("the first attempt came", async () => received.length === 1);
  answer = 200;
  await until("the second attempt came", async () => received.length === 2);
  assert.equal(received[1]!.headers["webhook-id"], received[0]!.headers["webhook-id"]);
  assert.equal(received[1]!.headers["webhook-signature"], signed(hook.secret, received[1]!));
});

test("engineers and bad URLs are refused", async () => {
  const engineer = await person(anneal, "engineer", "eve");
  assert.equal((await engineer.call("POST", "/webhooks", { url })).status, 403);
  for (const [body, field] of [
    [{ url: "file:///etc/passwd" }, "url"], [{ url, events: "job.nothing" }, "events"], [{ url, project: "none" }, "project"],
  ] as const) {
    const reply = await anneal.api("POST", "/webhooks", body);
    assert.equal(reply.status, 400);
    assert.equal(((await reply.json()) as any).errors[0].field, field);
  }
});
