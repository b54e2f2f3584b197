// Memory does not grow with what is sent: an idle serve, and one after a large upload.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { request } from "node:http";
import { after, before, test } from "node:test";

import { Anneal, until } from "../lib/anneal";

const MiB = 1 << 20;
const uploadBytes = (process.env["CHECK_ALL"] ? 2048 : 256) * MiB;
let anneal: Anneal;

before(async () => {
  anneal = await Anneal.start();
});
after(() => anneal.remove());

function rss(field: "VmRSS" | "VmHWM" = "VmRSS"): number {
  const text = readFileSync(`/proc/${anneal.pid}/status`, "utf8");
  return Number(new RegExp(`${field}:\\s+(\\d+) kB`).exec(text)?.[1]) * 1024;
}

test("serve idles within 20 MB", async () => {
  await until("the trainer is up", async () =>
    (await anneal.get("/health")).parts.trainers.anneal?.status === "up");
  assert.ok(rss() <= 20e6, `idle serve holds ${(rss() / 1e6).toFixed(1)} MB`);
});

test(`an upload of ${uploadBytes / MiB} MiB leaves serve below 64 MB`, { timeout: 300_000 }, async () => {
  const chunk = Buffer.alloc(MiB, "anneal");
  const status = await new Promise<number>((done, fail) => {
    const call = request(`${anneal.url}/datasets/upload?name=large`, {
      method: "POST",
      headers: { authorization: `Bearer ${anneal.token}`, "content-type": "application/octet-stream",
        "content-length": uploadBytes },
    }, (reply) => {
      reply.resume();
      reply.on("end", () => done(reply.statusCode ?? 0));
    });
    call.on("error", fail);
    let sent = 0;
    const more = () => {
      while (sent < uploadBytes) {
        sent += MiB;
        if (!call.write(chunk)) return call.once("drain", more);
      }
      return call.end();
    };
    more();
  });
  assert.ok(status === 202 || status === 201, `upload: ${status}`);
  assert.ok(rss("VmHWM") < 64e6, `serve held up to ${(rss("VmHWM") / 1e6).toFixed(1)} MB`);
  // It is no archive: the import fails, and nothing of it stays.
  await until("the import has failed and its dataset is gone", async () =>
    (await anneal.get("/datasets")).datasets.length === 0);
});

test("twenty uploads at once are taken or told to wait, within 100 MB", { timeout: 120_000 }, async () => {
  const body = new Blob([new Uint8Array(16 * MiB)]);
  const replies = await Promise.all(Array.from({ length: 20 }, async (_, i) => {
    const reply = await fetch(`${anneal.url}/datasets/upload?name=many-${i}`, { method: "POST", body,
      headers: { authorization: `Bearer ${anneal.token}`, "content-type": "application/octet-stream" } });
    return [reply.status, (await reply.json()) as any] as const;
  }));
  for (const [status, reply] of replies) assert.ok(status === 202 || (status === 429 && reply.code === "limit_reached"), JSON.stringify(reply));
  assert.ok(replies.some(([status]) => status === 202));
  assert.ok(rss("VmHWM") < 100e6, `serve held up to ${(rss("VmHWM") / 1e6).toFixed(1)} MB`);
  assert.equal((await fetch(`${anneal.url}/health`)).status, 200);
});
