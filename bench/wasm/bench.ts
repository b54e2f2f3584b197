// bench.ts - one network in our module and in ONNX Runtime Web's WebAssembly provider: one thread each, both alive in one
// process, one run each in turn, medians of processor time (a busy machine does not stretch it; alone it is the time on the
// wall, which is printed beside it).  Checks first that both compute the same logits.
//   node bench.mjs MODULE WEIGHTS ONNX PEER_FOLDER ROUNDS
import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

import { Engine } from "../../web/src/engine/engine";

const [module, weights, onnx, peer, rounds] = process.argv.slice(2) as [string, string, string, string, string];
const ort = await import(pathToFileURL(`${peer}/node_modules/onnxruntime-web/dist/ort.wasm.min.mjs`).href);
ort.env.wasm.numThreads = 1;
ort.env.logLevel = "error";

const engine = await Engine.load(readFileSync(module));
const model = engine.model(readFileSync(weights));
const session = await ort.InferenceSession.create(new Uint8Array(readFileSync(onnx)),
  { executionProviders: ["wasm"], graphOptimizationLevel: "all", intraOpNumThreads: 1 });
const size = model.info.image_size;
const x = Float32Array.from({ length: 3 * size * size }, (_, i) => Math.sin(i * 0.37) + Math.cos(i * 0.011));
const feeds = { [session.inputNames[0]]: new ort.Tensor("float32", x, [1, 3, size, size]) };

const theirs = (await session.run(feeds))[session.outputNames[0]].data as Float32Array;
model.runTensor(x);
const scale = Math.max(...theirs.map(Math.abs));
const difference = Math.max(...model.output().map((v, i) => Math.abs(v - theirs[i]!))) / scale;
if (!(difference < 1e-4))
  throw new Error(`the two networks differ by ${difference} of the largest logit`);

if (process.env.TIMES)
  model.times();
interface Times { cpu: number[]; wall: number[] }
const ours: Times = { cpu: [], wall: [] }, peers: Times = { cpu: [], wall: [] };
async function timed(of: Times, keep: boolean, run: () => unknown): Promise<void> {
  const began = performance.now(), before = process.cpuUsage();
  await run();
  const used = process.cpuUsage(before), wall = performance.now() - began;
  if (keep) {
    of.cpu.push((used.user + used.system) / 1000);
    of.wall.push(wall);
  }
}
for (let i = -5; i < Number(rounds); i++) {
  await timed(ours, i >= 0, () => model.runTensor(x));
  await timed(peers, i >= 0, () => session.run(feeds));
}
const round = (v: number) => Math.round(v * 1000) / 1000;
const median = (v: number[]) => round([...v].sort((a, b) => a - b)[v.length >> 1]!);
const cpu = { ours: median(ours.cpu), peer: median(peers.cpu) };
console.error(`best: ours ${round(Math.min(...ours.cpu))} ms, peer ${round(Math.min(...peers.cpu))} ms; on the wall, medians: ours ` +
  `${median(ours.wall)} ms, peer ${median(peers.wall)} ms; largest difference of a logit ${difference.toExponential(1)}; ` +
  `peer ONNX Runtime Web ${ort.env.versions?.web ?? ""}`);
if (process.env.TIMES)
  console.error(model.times());
console.log(JSON.stringify({ row: "wasm_mobilenetv2_b1", ...cpu, ratio: round(cpu.peer / cpu.ours), unit: "ms" }));
process.exit(0);
