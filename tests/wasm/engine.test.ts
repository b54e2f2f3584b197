// The engine as WebAssembly: the same weights file and the same pictures give the same numbers as the native portable
// kernels, bit for bit, and the server's own fast path agrees to rounding; what is broken, foreign, too large or too much
// for the memory has an error of its own and leaves nothing behind.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { gzipSync } from "node:zlib";

import { Engine, EngineError, type Model, type Pixels } from "../../web/src/engine/engine";
import { root } from "../lib/anneal";

const COMPRESSED_MAX = 300 * 1000;
const wasm = join(root, "build/wasm/anneal.wasm"), native = join(root, "build/wasm/native");
const dir = mkdtempSync(join(tmpdir(), "anneal-wasm-"));
let module: WebAssembly.Module;
let engine: Engine;
let pictures: { path: string; pixels: Pixels }[] = [];

function run(args: string[], input?: Uint8Array): Buffer {
  return execFileSync(native, args, { input, maxBuffer: 1 << 30, stdio: ["pipe", "pipe", "inherit"] });
}
function weights(model: string, classes: number, size: number, fit = "squash"): string {
  const path = join(dir, `${model}-${size}.safetensors`);
  run(["new", model, String(classes), String(size), fit, "7", path]);
  return path;
}
function pixelsOf(path: string): Pixels {
  const out = run(["pixels", path]), end = out.indexOf(10);
  const [width, height] = out.subarray(0, end).toString().split(" ").map(Number) as [number, number];
  return { width, height, data: new Uint8Array(out.subarray(end + 1)) };
}
/** A line of JSON, then input and output, then what masks there are. */
function answerOf(out: Buffer, inputs: number, outputs: number) {
  const end = out.indexOf(10), bytes = new Uint8Array(out.subarray(end + 1)), floats = new Float32Array(bytes.buffer.slice(0, 4 * (inputs + outputs)));
  return { json: JSON.parse(out.subarray(0, end).toString()), input: floats.slice(0, inputs), output: floats.slice(inputs),
    mask: bytes.slice(4 * (inputs + outputs)) };
}
function nativeAnswer(path: string, pixels: Pixels, confidence: number, inputs: number, outputs: number) {
  const args = ["rgba", path, String(pixels.width), String(pixels.height), "3", String(confidence)];
  return answerOf(run(args, pixels.data as Uint8Array), inputs, outputs);
}
function fails(code: string, text: RegExp, f: () => unknown): void {
  assert.throws(f, (e) => {
    assert.ok(e instanceof EngineError, String(e));
    assert.equal(e.code, code, e.message);
    assert.match(e.message, text);
    return true;
  });
}
/** Largest difference, as a part of the largest magnitude. */
function difference(a: Float32Array, b: Float32Array): number {
  assert.equal(a.length, b.length);
  const scale = Math.max(...a.map(Math.abs));
  return Math.max(...a.map((v, i) => Math.abs(v - b[i]!))) / scale;
}
async function model(path: string): Promise<Model> {
  return engine.model(readFileSync(path));
}

before(async () => {
  execFileSync("make", ["-s", "wasm"], { cwd: root, stdio: ["ignore", "ignore", "inherit"],
    env: { ...process.env, MAKEFLAGS: "", MAKELEVEL: "" } });
  module = await WebAssembly.compile(readFileSync(wasm));
  engine = await Engine.load(module);
  const build = join(root, "build/anneal");
  execFileSync(build, ["sample", "shapes", join(dir, "shapes"), "--count", "12", "--size", "300"], { stdio: "ignore" });
  execFileSync(build, ["sample", "glyphs", join(dir, "glyphs"), "--count", "72", "--size", "40"], { stdio: "ignore" });
  const found = readdirSync(dir, { recursive: true, encoding: "utf8" }).filter((f) => /\.(png|jpe?g)$/.test(f)).sort();
  const some = [...found.filter((f) => f.startsWith("shapes")).slice(0, 4), ...found.filter((f) => f.startsWith("glyphs")).slice(0, 4)];
  assert.equal(some.length, 8, found.join(" "));
  pictures = some.map((f) => ({ path: join(dir, f), pixels: pixelsOf(join(dir, f)) }));
});
after(() => rmSync(dir, { recursive: true, force: true }));

test("the module is small and asks for nothing but memory, a log and a clock", () => {
  const bytes = readFileSync(wasm), packed = gzipSync(bytes, { level: 9 }).length;
  assert.ok(packed <= COMPRESSED_MAX, `${packed} bytes compressed`);
  assert.deepEqual(WebAssembly.Module.imports(module).map((i) => `${i.module}.${i.name}`).sort(), ["anneal.log", "anneal.now", "env.memory"]);
});

const NETS: [string, number, number, string][] = [["tiny", 3, 24, "center_crop"], ["resnet18", 10, 32, "squash"],
  ["mobilenetv2", 20, 96, "center_crop"], ["resnet18", 7, 100, "center_crop"], ["resnet50", 4, 64, "center_crop"],
  ["mobilenetv3-small", 5, 96, "center_crop"], ["efficientnet-b0", 5, 96, "center_crop"]];
for (const [name, classes, size, fit] of NETS)
  test(`${name} at ${size} gives the bits of the native portable kernels, from pixels to result`, async () => {
    const path = weights(name, classes, size, fit), m = await model(path);
    assert.equal(m.info.model, name);
    assert.equal(m.info.image_size, size);
    assert.deepEqual(m.info.classes, Array.from({ length: classes }, (_, i) => `class "${i}"`));
    for (const { path: file, pixels } of pictures) {
      const result = m.run(pixels, { top: 3 }), output = m.output(), input = m.input();
      const { json, ...same } = nativeAnswer(path, pixels, 0.25, input.length, output.length);
      assert.deepEqual(input, same.input, "the prepared picture");
      assert.deepEqual(output, same.output, "the logits");
      assert.deepEqual(result.predictions.map((p) => p.class_id), json.predictions.map((p: any) => p.class_id));
      for (const [i, p] of result.predictions.entries())
        assert.ok(Math.abs(p.confidence! - json.predictions[i].confidence) < 1e-12 && p.class === json.predictions[i].class);
      assert.ok(output.some((v) => Math.abs(v) > 1e-3), "logits of all zeros would prove nothing");
      m.run(pixels);
      assert.deepEqual(m.output(), output, "a second run");
      m.runTensor(input);
      assert.deepEqual(m.output(), output, "from the prepared picture");
      if (file.endsWith(".png")) { // the browser decodes JPEGs itself, at full size
        const path1 = answerOf(run(["picture", path, file]), input.length, output.length);
        assert.deepEqual(path1.input, input);
        assert.ok(difference(path1.output, output) < 1e-4, `${difference(path1.output, output)}`);
      }
    }
    m.free();
  });

const PLACED: [string, number][] = [["detect-tiny", 64], ["detect-n", 96], ["segment-tiny", 64], ["segment-n", 96], ["semseg-tiny", 64], ["semseg-n", 96]];
for (const [name, size] of PLACED)
  test(`${name} finds the same boxes, masks and labels as the native portable kernels, bit for bit`, async () => {
    const path = weights(name, 4, size, "letterbox"), m = await model(path);
    let drawn = false;
    for (const { pixels } of pictures.slice(2, 6)) {
      const result = m.run(pixels, { top: 3, confidence: 0.001 }), output = m.output(), input = m.input(), mask = m.mask();
      const { json, ...same } = nativeAnswer(path, pixels, 0.001, input.length, output.length);
      assert.deepEqual(input, same.input, "the prepared picture");
      assert.deepEqual(output, same.output, "boxes in the input");
      assert.deepEqual({ predictions: result.predictions, map: result.map }, json);
      assert.ok(result.predictions.length > 0, "an untrained network finds something at 0.001");
      for (const p of result.predictions.filter((b) => b.box)) {
        const [x, y, w, h] = p.box!;
        assert.ok(x >= 0 && y >= 0 && w >= 0 && h >= 0 && x + w <= pixels.width + 0.01 && y + h <= pixels.height + 0.01, String(p.box));
      }
      assert.equal(mask !== null, m.info.task !== "detection");
      if (mask)
        assert.deepEqual(mask, same.mask);
      if (m.info.task === "semantic")
        assert.ok(Math.abs(result.predictions.reduce((sum, p) => sum + p.share!, 0) - 1) < 1e-9);
      if (m.info.task === "segmentation")
        assert.ok(m.mask(result.predictions.length) === null && m.mask(-1) === null);
      drawn ||= mask?.some((v) => v) ?? false;
    }
    assert.ok(drawn || !["segment-n", "semseg-n"].includes(name), "masks of nothing would prove nothing");
    m.free();
  });

test("every network of the product is in the module", async () => {
  const names = run(["models"]).toString().trim().split("\n");
  assert.ok(names.length >= 12, names.join(" "));
  const bytes = readFileSync(wasm).toString("latin1");
  for (const name of names) assert.ok(bytes.includes(`${name}\0`), name);
});

test("what is cut off, foreign or altered is refused with its reason, and nothing is left behind", async () => {
  const good = readFileSync(weights("tiny", 3, 24)), before = engine.liveBytes;
  const header = Number(good.readBigUInt64LE(0));
  const altered = (from: string, to: string) => {
    assert.equal(from.length, to.length);
    const text = good.toString("latin1").replace(from, to);
    assert.notEqual(text, good.toString("latin1"), from);
    return Buffer.from(text, "latin1");
  };
  fails("corrupt_data", /too short/, () => engine.model(new Uint8Array(0)));
  fails("corrupt_data", /header says/, () => engine.model(good.subarray(0, header)));
  for (const n of [header + 8, header + 9, good.length - 1])
    fails("corrupt_data", /outside the file/, () => engine.model(good.subarray(0, n)));
  fails("corrupt_data", /belong to no tensor/, () => engine.model(Buffer.concat([good, Buffer.alloc(4)])));
  fails("unsupported_media", /model 'tinz'/, () => engine.model(altered('"model":"tiny"', '"model":"tinz"')));
  fails("corrupt_data", /only weights that Anneal/, () => engine.model(altered('"anneal":"1"', '"annea1":"1"')));
  fails("corrupt_data", /'classes'/, () => engine.model(altered('"classes":"[', '"classes":"{')));
  fails("corrupt_data", /image_size/, () => engine.model(altered('"image_size":"24"', '"image_size":"-4"')));
  fails("corrupt_data", /is missing/, () => engine.model(altered('"fc.bias"', '"fc.bbbb"')));
  const picture = readFileSync(pictures[0]!.path);
  fails("corrupt_data", /header says/, () => engine.model(picture));
  assert.equal(engine.liveBytes, before);
});

test("inputs of a wrong size or kind are refused before they are used", async () => {
  const m = await model(weights("tiny", 3, 24)), four = new Uint8Array(16);
  fails("invalid_request", /not 16/, () => m.run({ width: 3, height: 2, data: four }));
  fails("invalid_request", /whole numbers/, () => m.run({ width: 0, height: 2, data: four }));
  fails("invalid_request", /whole numbers/, () => m.run({ width: 1.5, height: 2, data: four }));
  fails("invalid_request", /whole numbers/, () => m.run({ width: NaN, height: 2, data: four }));
  fails("invalid_request", /40000000/, () => m.run({ width: 20000, height: 20000, data: four }));
  fails("too_large", /30000/, () => m.run({ width: 40000, height: 1, data: new Uint8Array(160000) }));
  fails("invalid_request", /1728/, () => m.runTensor(new Float32Array(5)));
  fails("invalid_request", /between 1 and 1000/, () => m.run({ width: 2, height: 2, data: four }, { top: 0 }));
  fails("invalid_request", /between 1 and 1000/, () => m.run({ width: 2, height: 2, data: four }, { top: 1001 }));
  fails("invalid_request", /most is 301/, () => m.run({ width: 2, height: 2, data: four }, { most: 301 }));
  fails("invalid_request", /confidence is 0/, () => m.run({ width: 2, height: 2, data: four }, { confidence: 0 }));
  fails("invalid_request", /iou is nan/i, () => m.run({ width: 2, height: 2, data: four }, { iou: NaN }));
  assert.equal(m.run({ width: 2, height: 2, data: four }, { top: 1000 }).predictions.length, 3);
  assert.equal(m.run({ width: 1, height: 1, data: four.subarray(0, 4) }, { top: 1 }).predictions.length, 1);
  m.free();
  m.free();
  fails("invalid_request", /freed/, () => m.run({ width: 2, height: 2, data: four }));
  fails("invalid_request", /freed/, () => m.output());
});

test("each allocation that fails while loading or running is an error, and the engine lives on", async () => {
  const good = readFileSync(weights("tiny", 3, 24)), own = await Engine.load(module), before = own.liveBytes;
  const fresh = (f: () => unknown): boolean => {
    try {
      f();
      own.failAt(-1);
      return true;
    } catch (e) {
      own.failAt(-1);
      assert.ok(e instanceof EngineError && e.code === "out_of_memory", String(e));
      return false;
    }
  };
  let tries = 0, m: Model | undefined;
  while (!fresh(() => { own.failAt(tries); m = own.model(good); })) {
    assert.equal(own.liveBytes, before, `allocation ${tries} leaked`);
    assert.ok(++tries < 10_000);
  }
  assert.ok(tries > 20, `${tries} allocations were made to fail`);
  const steady = own.liveBytes;
  for (tries = 0; !fresh(() => { own.failAt(tries); m!.run(pictures[0]!.pixels); }); tries++) assert.ok(tries < 1000);
  assert.ok(tries > 3);
  const expected = m!.run(pictures[0]!.pixels).predictions;
  assert.deepEqual(m!.run(pictures[0]!.pixels).predictions, expected);
  m!.free();
  assert.ok(own.liveBytes <= steady);
  assert.equal(own.liveBytes, before);
});

test("a model that does not fit the memory it may have says so, and a smaller one still runs", async () => {
  const small = await Engine.load(module, { memoryBytesMax: 40 << 20 }), large = readFileSync(weights("resnet18", 10, 32));
  fails("out_of_memory", /memory/, () => small.model(large)); // the file alone is 45 MB
  const middle = await Engine.load(module, { memoryBytesMax: 80 << 20 });
  fails("out_of_memory", /MiB/, () => middle.model(large)); // the file fits, the plan does not
  for (const e of [small, middle]) {
    const m = e.model(readFileSync(weights("tiny", 3, 24)));
    assert.equal(m.run(pictures[0]!.pixels).predictions.length, 3);
    assert.ok(e.memoryBytes <= 80 << 20);
  }
  await assert.rejects(Engine.load(module, { memoryBytesMax: 1000 }), /at least/);
});

test("models side by side do not touch each other, and running takes no more memory than loading", async () => {
  const own = await Engine.load(module);
  const a = own.model(readFileSync(weights("tiny", 3, 24))), one = a.run(pictures[0]!.pixels).predictions;
  const b = own.model(readFileSync(weights("mobilenetv2", 20, 96, "center_crop")));
  const two = b.run(pictures[1]!.pixels).predictions, used = own.liveBytes, grown = own.memoryBytes;
  for (let i = 0; i < 20; i++) {
    assert.deepEqual(a.run(pictures[0]!.pixels).predictions, one);
    assert.deepEqual(b.run(pictures[1]!.pixels).predictions, two);
  }
  assert.equal(own.liveBytes, used);
  assert.equal(own.memoryBytes, grown);
});

test("a file that is no module, or of another version, is told apart from a broken browser", async () => {
  await assert.rejects(Engine.load(new Uint8Array([1, 2, 3])), (e) => e instanceof EngineError && e.code === "unsupported_media");
  const empty = new Uint8Array([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0]); // a valid module that exports nothing
  await assert.rejects(Engine.load(empty), /another version/);
});
