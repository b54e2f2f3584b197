// Detection and segmentation through the whole program: a generated dataset is imported, learned from,
// scored, asked and drawn; kills change no byte; another job's weights and a user's file begin a training.
import assert from "node:assert/strict";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";

import { Anneal } from "../lib/anneal";
import { create, ended, metrics } from "../lib/jobs";
import { end, ofRole } from "../lib/processes";

let anneal: Anneal;
let shapes = "";
const picture = (): string => join(shapes, "images/val/00005.jpg");
const tiny = { model: "detect-tiny", epochs: 3, image_size: 96, batch_size: 8, threads: 1, seed: 5, mosaic: 0.5, close_mosaic: 1 };

before(async () => {
  anneal = await Anneal.start(["--lease-seconds", "4", "--job-retries", "20", "--jobs-per-trainer", "2"]);
  shapes = join(anneal.dir, "shapes");
  for (const words of [["sample", "shapes", shapes, "--count", "40", "--size", "96"], ["dataset", "import", shapes, "--name", "shapes"],
    ["sample", "receipts", join(anneal.dir, "receipts"), "--count", "8"], ["dataset", "import", join(anneal.dir, "receipts"), "--name", "receipts"]])
    assert.equal((await anneal.cli(...words)).code, 0, words.join(" "));
}, { timeout: 240_000 });
after(() => anneal.remove());

test("train --wait --json of a detector tells the best map50; predict gives boxes and a picture", { timeout: 400_000 }, async () => {
  const trained = await anneal.cli("train", "--dataset", "shapes", "--model", "detect-tiny", "--epochs", "2", "--image-size", "96", "--wait", "--json");
  assert.equal(trained.code, 0, trained.stderr);
  assert.equal(trained.json.best.metric, "map50");
  assert.equal(typeof trained.json.best.value, "number");
  const series = await metrics(anneal, trained.json.job);
  for (const name of ["train/box_loss", "train/cls_loss", "train/dfl_loss", "val/map50", "val/map", "val/precision", "val/recall", "val/f1"])
    assert.deepEqual(Object.keys(series[name] ?? {}), ["1", "2"], name);

  const drawn = join(anneal.dir, "drawn.png");
  const said = await anneal.cli("predict", "--job", trained.json.job, "--confidence", "0.001", "--max", "7", "--draw", drawn, picture(), "--json");
  assert.equal(said.code, 0, said.stderr);
  const [one] = said.json.results;
  assert.deepEqual([one.width, one.height], [96, 96]);
  assert.ok(one.predictions.length > 0 && one.predictions.length <= 7);
  for (const p of one.predictions) {
    const [x, y, w, h] = p.box;
    assert.ok(x >= 0 && y >= 0 && w > 0 && h > 0 && x + w <= 96.01 && y + h <= 96.01, JSON.stringify(p));
    assert.ok(p.confidence > 0 && p.confidence <= 1 && typeof p.class === "string");
  }
  assert.equal(readFileSync(drawn).subarray(1, 4).toString(), "PNG");

  const reply = await fetch(`${anneal.url}/training/jobs/${trained.json.job}/predict?draw=true`, {
    method: "POST", body: new Blob([new Uint8Array(readFileSync(picture()))]),
    headers: { authorization: `Bearer ${anneal.token}`, accept: "image/png", "content-type": "image/jpeg" } });
  assert.equal(reply.headers.get("content-type"), "image/png", await reply.clone().text());
  const refused = await anneal.cli("predict", "--job", trained.json.job, "--confidence", "2", picture());
  assert.notEqual(refused.code, 0);
  assert.match(refused.stderr, /confidence/);

  const head = await anneal.get(`/training/jobs/${trained.json.job}/validation/best`);
  assert.equal(head.confusion.length, head.classes.length + 1);
  assert.equal(head.curves.f1.length, 101);
  const rows = await anneal.get(`/training/jobs/${trained.json.job}/validation/best/images?correct=false`);
  for (const row of rows.images) assert.ok(row.missed + row.false > 0 && row.truths.length >= row.missed);

  const scored = await anneal.cli("test", "--job", trained.json.job, "--split", "val", "--wait", "--json");
  assert.equal(scored.code, 0, scored.stderr);
});

test("a detector whose worker and server are killed has the same bytes", { timeout: 400_000 }, async () => {
  const calm = await ended(anneal, await create(anneal, "shapes", tiny));
  assert.equal(calm.status, "completed", JSON.stringify(calm.error));
  const job = await create(anneal, "shapes", tiny);
  for (let epoch = 1, killed = 0; killed < 2; ) {
    const now = await anneal.get(`/training/jobs/${job}`).catch(() => undefined);
    if (now && ["completed", "failed"].includes(now.status)) break;
    const worker = now && now.epoch >= epoch ? ofRole(anneal.pid, "worker")[0] : undefined;
    if (worker && end(worker)) {
      epoch = now.epoch + 1;
      killed++;
    }
    await new Promise((r) => setTimeout(r, 20));
  }
  const rough = await ended(anneal, job);
  assert.equal(rough.status, "completed", JSON.stringify(rough.error));
  assert.equal(rough.weights_sha256, calm.weights_sha256);
  assert.deepEqual(await metrics(anneal, rough.job), await metrics(anneal, calm.job));
});

test("a training begins with another's weights, or with a file's; what fits nowhere is named", { timeout: 400_000 }, async () => {
  const first = await anneal.cli("train", "--dataset", "shapes", "--model", "detect-tiny", "--epochs", "1", "--image-size", "96", "--wait", "--json");
  const tuned = await anneal.cli("train", "--dataset", "shapes", "--model", "detect-tiny", "--epochs", "1", "--image-size", "96",
    "--weights", `job:${first.json.job}`, "--freeze", "backbone", "--wait", "--json");
  assert.equal(tuned.code, 0, tuned.stderr);
  assert.equal(tuned.json.config.weights, `job:${first.json.job}`);
  assert.match(tuned.stderr, /all tensors of the first weights fit/);

  const best = await anneal.get(`/training/jobs/${first.json.job}/checkpoints/best`);
  const file = join(anneal.dir, "mine.safetensors");
  writeFileSync(file, Buffer.from(await (await fetch(best.weights_url)).arrayBuffer()));
  const from = await anneal.cli("train", "--dataset", "shapes", "--model", "detect-tiny", "--epochs", "1", "--image-size", "96", "--weights", file, "--wait", "--json");
  assert.equal(from.code, 0, from.stderr);
  assert.equal(from.json.config.weights, `sha256:${best.weights_sha256}`);
  const again = (await (await anneal.api("POST", `/training/jobs/${from.json.job}/restart`, {})).json()) as any;
  assert.equal((await ended(anneal, again.job)).weights_sha256, from.json.weights_sha256, "a restart begins with the same weights");

  const header = Buffer.from('{"x":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}');
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(header.length));
  const foreign = join(anneal.dir, "foreign.safetensors");
  writeFileSync(foreign, Buffer.concat([length, header, Buffer.alloc(4)]));
  const other = await anneal.cli("train", "--dataset", "shapes", "--model", "detect-tiny", "--epochs", "1", "--weights", foreign, "--wait", "--json");
  assert.equal(other.code, 1);
  assert.match(other.stderr, /nothing in it fits detect-tiny: the first tensor of the network, '/);
  writeFileSync(file, readFileSync(file).subarray(0, 4000));
  const cut = await anneal.cli("train", "--dataset", "shapes", "--model", "detect-tiny", "--weights", file);
  assert.equal(cut.code, 1);
  assert.match(cut.stderr, /this safetensors file was cut off: its header alone takes \d+ bytes, all of it are 4000/);
  writeFileSync(file, "no weights at all");
  const text = await anneal.cli("train", "--dataset", "shapes", "--model", "detect-tiny", "--weights", file);
  assert.equal(text.code, 1);
  assert.match(text.stderr, /this is no safetensors file/);
});

test("lines of text are masks for instances and for areas", { timeout: 400_000 }, async () => {
  for (const [model, metric] of [["segment-tiny", "mask_map50"], ["semseg-tiny", "miou"]] as const) {
    const made = await anneal.cli("train", "--dataset", "receipts", "--model", model, "--epochs", "1", "--image-size", "96", "--batch-size", "2", "--wait", "--json");
    assert.equal(made.code, 0, made.stderr);
    assert.equal(made.json.best.metric, metric);
    const folder = join(anneal.dir, `drawn-${model}`);
    const said = await anneal.cli("predict", "--job", made.json.job, "--confidence", "0.001", "--max", "5", "--draw", folder, picture(), "--json");
    assert.equal(said.code, 0, said.stderr);
    assert.ok(existsSync(join(folder, "00005.png")));
    for (const p of said.json.results[0].predictions) {
      assert.equal(p.mask.size.length, 2, model);
      assert.ok(p.mask.counts.length > 0);
    }
  }
});

test("a network of another task is refused with what it needs", async () => {
  const reply = await anneal.api("POST", "/training/jobs", { dataset: "shapes", config: { model: "segment-tiny" } });
  assert.equal(reply.status, 400);
  assert.match(((await reply.json()) as any).detail, /needs outlines/);
  const goal = await anneal.api("POST", "/training/jobs", { dataset: "shapes", config: { model: "detect-tiny", goal: "accuracy" } });
  assert.match(((await goal.json()) as any).detail, /map50/);
});
