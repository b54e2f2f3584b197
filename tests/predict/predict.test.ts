// Prediction over HTTP: from any checkpoint, many pictures at once, broken and lying ones beside good ones,
// too many, too large, of the wrong kind; the model answers as it was validated, and a bad picture never costs
// another its answer.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { Anneal, until } from "../lib/anneal";
import { form, lyingPng, plain } from "../lib/archives";
import { create, ended, upload } from "../lib/jobs";
import { patterns, png } from "../lib/pictures";
import { end, ofRole, resident } from "../lib/processes";

let anneal: Anneal;
let job: any;
let pictures: { name: string; data: Buffer; label: string }[] = [];
const small = { model: "tiny", epochs: 6, batch_size: 8, threads: 1, learning_rate: 0.02, checkpoint_every: 1 };

before(async () => {
  anneal = await Anneal.start();
  assert.equal((await upload(anneal, "patterns", patterns(24, 6))).state, "done");
  job = await ended(anneal, await create(anneal, "patterns", small));
  assert.equal(job.status, "completed", JSON.stringify(job.error));
  const page = await anneal.get("/datasets/patterns/versions/latest/images?split=val&limit=100");
  pictures = await Promise.all(page.images.map(async (i: any) => ({ name: i.name, label: i.label,
    data: Buffer.from(await (await anneal.api("GET", i.url)).arrayBuffer()) })));
  assert.equal(pictures.length, 18);
});
after(() => anneal.remove());

async function ask(body: Buffer, type: string, query = "", id = job.job): Promise<{ status: number; body: any }> {
  const reply = await fetch(`${anneal.url}/training/jobs/${id}/predict${query}`, { method: "POST",
    headers: { authorization: `Bearer ${anneal.token}`, "content-type": type }, body: new Blob([new Uint8Array(body)]) });
  return { status: reply.status, body: await reply.json() };
}
async function many(files: { name: string; data: Buffer | string }[], query = ""): Promise<{ status: number; body: any }> {
  const f = form(files.map((file) => ({ name: "image", file: file.name, data: file.data })));
  return ask(f.body, f.type, query);
}

test("every checkpoint answers exactly as it was validated", async () => {
  const epochs = [1, 3, 6];
  for (const epoch of epochs) {
    const reply = await many(pictures, `?checkpoint=${epoch}&top_k=3`);
    assert.equal(reply.status, 200, JSON.stringify(reply.body).slice(0, 300));
    assert.equal(reply.body.epoch, epoch);
    const page = await anneal.get(`/training/jobs/${job.job}/validation/${epoch}/images?limit=100`);
    for (const [i, result] of reply.body.results.entries()) {
      const seen = page.images.find((v: any) => v.name === pictures[i]!.name);
      assert.equal(result.file, pictures[i]!.name);
      assert.equal(result.predictions[0].class_id, seen.predicted, `${result.file} at epoch ${epoch}`);
      assert.ok(Math.abs(result.predictions[0].confidence - seen.confidence) < 1e-4);
      assert.ok(Math.abs(result.predictions.reduce((s: number, p: any) => s + p.confidence, 0) - 1) < 1e-4);
    }
  }
  const best = await many(pictures.slice(0, 1), "?checkpoint=best"), last = await many(pictures.slice(0, 1), "?checkpoint=last");
  assert.equal(best.body.weights_sha256, job.weights_sha256);
  assert.equal(last.body.epoch, 6);
});

test("broken pictures have an error of their own, the others their answer", async () => {
  const bad = [
    { name: "cut.png", data: pictures[0]!.data.subarray(0, 70) }, { name: "empty.jpg", data: "" },
    { name: "text.png", data: "this is text" }, { name: "huge.png", data: lyingPng(29_999, 29_999) },
    { name: "tall.png", data: lyingPng(24, 5000) }, { name: "wide.png", data: lyingPng(2_000_000_000, 1) },
    { name: "gif.gif", data: Buffer.from("GIF89a\x01\x00\x01\x00", "latin1") },
  ];
  const alone = await many(pictures.slice(0, 8));
  const mixed = await many(bad.flatMap((b, i) => [pictures[i]!, b]).concat([pictures[7]!]));
  assert.equal(mixed.status, 200, JSON.stringify(mixed.body));
  const results = mixed.body.results;
  for (const [i, b] of bad.entries()) {
    const result = results.find((r: any) => r.file === b.name);
    assert.ok(result.error.length > 10, `${b.name}: ${JSON.stringify(result)}`);
    assert.deepEqual(result.predictions, []);
    assert.deepEqual(results[2 * i].predictions, alone.body.results[i].predictions, "the neighbour's answer changed");
  }
  const only = await many([bad[0]!]);
  assert.equal(only.status, 200);
  assert.ok(only.body.results[0].error);
  assert.match(results.find((r: any) => r.file === "gif.gif").error, /JPEG|PNG|WebP/);
});

test("a picture of another size, grey or with alpha is answered", async () => {
  const files = [{ name: "large.png", data: png(900, 500, (x, y) => [x & 255, y & 255, 0]) }, { name: "one.png", data: plain(1, 1) },
    { name: "long.png", data: png(1000, 2, (x) => [x & 255, 0, 0]) }];
  const reply = await many(files);
  for (const result of reply.body.results) assert.equal(result.predictions.length, 3, JSON.stringify(result));
});

test("too many, too large, none, and what is no picture at all are told apart", async () => {
  const tiny = plain(1, 4);
  const most = await many(Array.from({ length: 256 }, (_, i) => ({ name: `${i}.png`, data: tiny })), "?top_k=1");
  assert.equal(most.status, 200);
  assert.equal(most.body.results.length, 256);
  const over = await many(Array.from({ length: 257 }, (_, i) => ({ name: `${i}.png`, data: tiny })));
  assert.equal(over.status, 413, JSON.stringify(over.body).slice(0, 300));
  assert.match(over.body.detail, /256/);
  const large = await ask(Buffer.alloc(33 << 20), "image/png");
  assert.equal(large.status, 413, JSON.stringify(large.body));
  const none = form([]);
  assert.equal((await ask(none.body, none.type)).status, 400);
  assert.equal((await ask(Buffer.alloc(0), "image/png")).status, 400);
  const wrong = await ask(Buffer.from("{\"image\": 1}"), "application/json");
  assert.ok(wrong.status === 415 || (wrong.status === 200 && wrong.body.results[0].error), JSON.stringify(wrong));
  const field = form([{ name: "colour", data: "red" }]);
  assert.match((await ask(field.body, field.type)).body.detail, /colour/);
});

test("what cannot be asked for says so", async () => {
  const one = pictures[0]!.data;
  assert.equal((await ask(one, "image/png", "?checkpoint=99")).status, 404);
  assert.equal((await ask(one, "image/png", "?checkpoint=first")).status, 400);
  assert.equal((await ask(one, "image/png", "?top_k=0")).status, 400);
  assert.equal((await ask(one, "image/png", "?topk=1")).status, 400);
  assert.equal((await ask(one, "image/png", "", "nothing")).status, 404);
  const pending = await create(anneal, "patterns", small, { start: false });
  const early = await ask(one, "image/png", "", pending);
  assert.ok([404, 409].includes(early.status));
  assert.match(early.body.detail, /no checkpoint/);
});

test("the model stays warm, many askers are served, and the predictor's death costs one request at most", { timeout: 120_000 }, async () => {
  await many(pictures.slice(0, 1));
  const replies = await Promise.all(Array.from({ length: 16 }, (_, i) => many([pictures[i]!], i % 2 ? "?checkpoint=2" : "")));
  for (const reply of replies) assert.equal(reply.status, 200, JSON.stringify(reply.body));
  const expected = (await many([pictures[0]!])).body.results[0].predictions;
  const workers = ofRole(anneal.pid, "worker");
  assert.equal(workers.length, 1, "one warm predictor");
  workers.forEach(end);
  const again = await until("it answers again", async () => {
    const reply = await many([pictures[0]!]);
    return reply.status === 200 && reply;
  }, 20_000);
  assert.deepEqual(again.body.results[0].predictions, expected);
  assert.ok(resident(anneal.pid, "VmHWM") < 100e6, `serve held ${resident(anneal.pid, "VmHWM") / 1e6} MB`);
});
