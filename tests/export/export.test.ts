// `anneal export`: each format from a job's checkpoint, verified on the job's own pictures and, where it is
// installed, by ONNX Runtime; a weights file without a server; paths that cannot be written, weights that are cut
// short, pictures that are none: a clear error each, and no file left behind.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";

import { Anneal, type Result, root, run } from "../lib/anneal";
import { create, ended, upload } from "../lib/jobs";
import { noise, patterns, png, tar } from "../lib/pictures";

const dir = mkdtempSync(join(tmpdir(), "anneal-export-"));
let anneal: Anneal;
let job: any;
let weights = "";

before(async () => {
  anneal = await Anneal.start();
  assert.equal((await upload(anneal, "patterns", patterns(24, 6))).state, "done");
  const config = { model: "tiny", epochs: 2, batch_size: 8, threads: 1, checkpoint_every: 1 };
  job = await ended(anneal, await create(anneal, "patterns", config));
  assert.equal(job.status, "completed", JSON.stringify(job.error));
});
after(async () => {
  await anneal.remove();
  rmSync(dir, { recursive: true, force: true });
});

const sha256 = (file: string): string => createHash("sha256").update(readFileSync(file)).digest("hex");

function check(got: Result, file: string, by: string): any {
  assert.equal(got.code, 0, got.stderr);
  assert.equal(got.json.file, file);
  assert.equal(got.json.bytes, readFileSync(file).length);
  assert.equal(got.json.sha256, sha256(file));
  assert.equal(got.json.verified_by, by);
  assert.equal(got.json.pictures_generated, false);
  assert.ok(got.json.max_difference <= 1e-4 && got.json.max_difference >= 0, `${got.json.max_difference}`);
  assert.equal(got.json.allowed_difference, 1e-4);
  return got.json;
}

test("a job's model becomes safetensors, byte for byte", async () => {
  const file = join(dir, "w.safetensors");
  const told = check(await anneal.cli("export", "--job", job.job, "--format", "safetensors", "--out", file, "--json"),
    file, "engine");
  assert.equal(told.max_difference, 0);
  assert.equal(told.sha256, job.weights_sha256);
  weights = file;
});

test("a job's model becomes ONNX, with what is needed to use it", async () => {
  const file = join(dir, "net.onnx");
  const told = check(await anneal.cli("export", "--job", "last", "--out", file, "--verify", "5", "--json"),
    file, "interpreter");
  assert.equal(told.pictures, 5);
  assert.deepEqual([told.model, told.task, told.classes, told.input], ["tiny", "classification", 3, "normalised"]);
  const text = readFileSync(file, "latin1");
  for (const word of ["image_size", "mean", "classes", "images", "logits", "Conv", "Gemm"])
    assert.ok(text.includes(word), word);
  assert.ok(!text.includes(dir), "no path of this machine in the file");
  const again = check(await anneal.cli("export", "--job", job.job, "--out", join(dir, "again.onnx"), "--json"),
    join(dir, "again.onnx"), "interpreter");
  assert.equal(again.sha256, told.sha256, "the same bytes each time");
  const first = await anneal.cli("export", "--job", job.job, "--checkpoint", "1", "--out", join(dir, "one.onnx"), "--json");
  assert.notEqual(first.json.sha256, told.sha256, "epoch 1 has other weights");
});

test("ONNX Runtime and onnx.checker agree", { skip: peerMissing() }, () => {
  const out = execFileSync("python3", ["-c", peer, join(dir, "net.onnx")], { encoding: "utf8" });
  const told = JSON.parse(out);
  assert.deepEqual(told.shapes, [[1, 3], [3, 3], [4, 3]], "any batch");
  assert.ok(told.spread < 1e-5, "a picture's logits do not depend on its batch");
  assert.equal(told.opset, 17);
  assert.equal(told.ir, 8);
  assert.equal(told.meta.task, "classification");
  assert.equal(JSON.parse(told.meta.classes).length, 3);
});

const peer = `
import sys, json
sys.path.insert(0, "${join(root, "build/peers/onnx")}")
import numpy, onnx, onnxruntime
m = onnx.load(sys.argv[1])
onnx.checker.check_model(m, full_check=True)
s = onnxruntime.InferenceSession(sys.argv[1], providers=["CPUExecutionProvider"])
i = s.get_inputs()[0]
x = numpy.random.default_rng(1).standard_normal((4, *i.shape[1:])).astype(numpy.float32)
ys = [s.run(None, {i.name: x[:n]})[0] for n in (1, 3, 4)]
print(json.dumps({"shapes": [list(y.shape) for y in ys], "spread": float(abs(ys[2][:3] - ys[1]).max()),
  "opset": m.opset_import[0].version, "ir": m.ir_version, "meta": {p.key: p.value for p in m.metadata_props}}))`;

function peerMissing(): string | false {
  return existsSync(join(root, "build/peers/onnx/onnxruntime")) ? false
    : "onnx and onnxruntime are not in build/peers/onnx (bench/export_peer.py says how)";
}

test("a job's model becomes a C file that a compiler takes", async () => {
  const file = join(dir, "net.c");
  const told = check(await anneal.cli("export", "--job", job.job, "--format", "c", "--out", file, "--json"),
    file, "compiler");
  assert.equal(told.header, join(dir, "net.h"));
  assert.equal(told.header_sha256, sha256(told.header));
  assert.match(readFileSync(told.header, "utf8"), /void net_run\(const float \*in, float \*out\);/);
  assert.deepEqual(readdirSync(dir).filter((f) => f.includes("tmp")), []);
});

test("a weights file is exported without a server, with the normalisation inside on request", async () => {
  const nowhere = { ...process.env, ANNEAL_URL: "http://127.0.0.1:9", ANNEAL_TOKEN: "none" };
  const pictures = join(dir, "pictures");
  mkdirSync(pictures);
  const page = await anneal.get("/datasets/patterns/versions/latest/images?split=val&limit=4");
  for (const [i, image] of page.images.entries())
    writeFileSync(join(pictures, `${i}.png`), Buffer.from(await (await anneal.api("GET", image.url)).arrayBuffer()));
  for (const format of ["onnx", "c"]) {
    const file = join(dir, `pixels.${format}`);
    const told = check(await run(["export", "--weights", weights, "--format", format, "--pixels", "--out", file, "--json",
      pictures], nowhere), file, format === "c" ? "compiler" : "interpreter");
    assert.equal(told.input, "pixels");
    assert.equal(told.pictures, 4);
  }
  const made = await run(["export", "--weights", weights, "--out", join(dir, "made.onnx"), "--json"], nowhere);
  assert.equal(made.json.pictures_generated, true);
  assert.match(made.stderr, /no pictures were given/);
});

/** Bright squares on dark noise, as a YOLO folder; a second class is taller than wide. */
function squares(train: number, val: number): Buffer {
  const files = Array.from({ length: train + val }, (_, i) => {
    const split = i < train ? "train" : "val", tall = i % 2;
    const w = tall ? 10 : 20, h = 20, x0 = Math.floor(40 * noise(i, 1)), y0 = Math.floor(40 * noise(i, 2));
    const picture = png(64, 64, (x, y) => [0, 1, 2].map((c) =>
      Math.floor((x >= x0 && x < x0 + w && y >= y0 && y < y0 + h ? 170 : 30) + 60 * noise(i, x, y, c))));
    const label = `${tall} ${(x0 + w / 2) / 64} ${(y0 + h / 2) / 64} ${w / 64} ${h / 64}\n`;
    return [{ name: `images/${split}/${i}.png`, data: picture },
      { name: `labels/${split}/${i}.txt`, data: Buffer.from(label) }];
  });
  const yaml = "train: images/train\nval: images/val\nnames: [square, tower]\n";
  return tar([{ name: "data.yaml", data: Buffer.from(yaml) }, ...files.flat()]);
}

test("a trained detector's boxes are decoded inside the export", async () => {
  assert.equal((await upload(anneal, "squares", squares(16, 6))).state, "done");
  const config = { model: "detect-tiny", epochs: 2, batch_size: 8, threads: 1, image_size: 64 };
  const detector = await ended(anneal, await create(anneal, "squares", config));
  assert.equal(detector.status, "completed", JSON.stringify(detector.error));
  for (const format of ["onnx", "c"]) {
    const file = join(dir, `boxes.${format}`);
    const told = check(await anneal.cli("export", "--job", detector.job, "--format", format, "--out", file, "--json"),
      file, format === "c" ? "compiler" : "interpreter");
    assert.deepEqual([told.task, told.classes, told.pictures], ["detection", 2, 6]);
  }
  assert.match(readFileSync(join(dir, "boxes.h"), "utf8"), /boxes_AT_boxes = 0, \/\* \[6\]\[84\] \*\//);
  assert.match(readFileSync(join(dir, "boxes.onnx"), "latin1"), /nms_iou/);
});

test("what cannot be done is said, and nothing is left", async () => {
  const cut = join(dir, "cut.safetensors");
  writeFileSync(cut, readFileSync(weights).subarray(0, 70_000));
  const text = join(dir, "text.png");
  writeFileSync(text, "no picture");
  mkdirSync(join(dir, "taken.onnx"));
  const before = readdirSync(dir).sort();
  const cases: [string[], number, RegExp][] = [
    [["--weights", weights, "--out", join(dir, "no/such/folder/x.onnx")], 1, /cannot write .*no\/such\/folder\/x\.onnx/],
    [["--weights", weights, "--format", "c", "--out", join(dir, "no/such/folder.txt")], 1, /end with \.c/],
    [["--weights", weights, "--format", "c", "--out", join(dir, "my-net.c")], 1, /my_net\.c/],
    [["--weights", weights, "--out", "/proc/x.onnx"], 1, /cannot write \/proc\/x\.onnx/],
    [["--weights", weights, "--format", "c", "--out", "/proc/x.c"], 1, /cannot write \/proc\/x\.c/],
    [["--weights", weights, "--out", join(dir, "taken.onnx")], 1, /cannot write .*taken\.onnx/],
    [["--weights", cut, "--out", join(dir, "x.onnx")], 1, /cut\.safetensors/],
    [["--weights", join(dir, "none"), "--out", join(dir, "x.onnx")], 1, /none/],
    [["--weights", weights, "--out", join(dir, "x.onnx"), text], 1, /picture 1/],
    [["--weights", weights, "--format", "safetensors", "--pixels", "--out", join(dir, "x.safetensors")], 1, /pixels/],
    [["--out", join(dir, "x.onnx")], 2, /--job JOB and --weights FILE/],
    [["--job", "nosuchjob", "--out", join(dir, "x.onnx")], 1, /there is no job/],
    [["--job", job.job, "--checkpoint", "77", "--out", join(dir, "x.onnx")], 1, /checkpoint/],
  ];
  for (const [args, code, why] of cases) {
    const got = await anneal.cli("export", ...args, "--json");
    assert.equal(got.code, code, `${args.join(" ")}: ${got.stderr}`);
    assert.match(got.stderr, why);
    assert.ok(got.json.error.text.length > 10);
  }
  assert.deepEqual(readdirSync(dir).sort(), before);
});
