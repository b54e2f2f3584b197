// Ten series of 100,000 points each in a real browser: the app's own chart draws them, soon (aim: 100 ms), and stays live
// while points come.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { createServer, type Server } from "node:http";
import { createRequire } from "node:module";
import { join } from "node:path";

import { root } from "../lib/anneal";
import { chromium, Web } from "../lib/browser";
import { tell } from "../lib/figures";

const harness = `
import { flushSync } from "react-dom";
import { createRoot } from "react-dom/client";
import { LanguageProvider } from "./i18n";
import { Chart } from "./parts/chart";
const SERIES = 10, POINTS = 100_000;
const make = (n) => Array.from({ length: SERIES }, (_, s) => {
  const x = new Float64Array(n), y = new Float64Array(n);
  for (let i = 0; i < n; i++) { x[i] = i; y[i] = 2 / (1 + i / 5000) + Math.sin(i / 300 + s) * 0.05 + ((i * 7919 + s * 104729) % 1000) / 8000; }
  return { key: "s" + s, label: "run " + s, x, y };
});
const react = createRoot(document.getElementById("root"));
let strokes = 0;
const stroke = CanvasRenderingContext2D.prototype.stroke;
CanvasRenderingContext2D.prototype.stroke = function (...args) { strokes++; return stroke.apply(this, args); };
const frame = () => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
/** From new data to the last stroke: everything is on this thread, between here and the microtasks behind it. */
const update = async (series, weight) => {
  await frame();
  strokes = 0;
  const began = performance.now();
  flushSync(() => react.render(<LanguageProvider><Chart label="Loss" series={series} xLabel="Step" weight={weight} /></LanguageProvider>));
  for (let i = 0; i < 5; i++) await Promise.resolve();
  const ms = performance.now() - began;
  if (strokes < SERIES) throw new Error("only " + strokes + " strokes: it was not drawn yet");
  return ms;
};
window.bench = async () => {
  const all = make(POINTS + 50);
  const upTo = (n) => all.map((one) => ({ ...one, x: one.x.subarray(0, n), y: one.y.subarray(0, n) }));
  react.render(<LanguageProvider><Chart label="Loss" series={upTo(POINTS)} xLabel="Step" /></LanguageProvider>);
  for (let i = 0; i < 1000 && !document.querySelector("canvas"); i++) await new Promise((r) => setTimeout(r, 5));
  await frame();
  const times = [], smoothed = [];
  for (let i = 1; i <= 25; i++) times.push(await update(upTo(POINTS + i), 0));
  for (let i = 1; i <= 15; i++) smoothed.push(await update(upTo(POINTS + 30 + i), 0.9));
  const canvas = document.querySelector("canvas"), pixels = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
  let inked = 0;
  for (let i = 3; i < pixels.length; i += 4) inked += pixels[i] > 0;
  return { times, smoothed, inked };
};
`;

let server: Server | undefined, url = "";
before(async () => {
  if (Web.none) return;
  const esbuild = createRequire(join(root, "web/package.json"))("esbuild") as { build(o: object): Promise<{ outputFiles: { text: string }[] }> };
  const built = await esbuild.build({
    stdin: { contents: harness, resolveDir: join(root, "web/src"), loader: "tsx" }, bundle: true, write: false, format: "iife", jsx: "automatic",
    loader: { ".css": "empty" }, minify: true,
    define: { "process.env.NODE_ENV": '"production"', "import.meta.glob": "noPages" }, banner: { js: "const noPages = () => ({});" },
  });
  const script = built.outputFiles[0]?.text ?? "";
  server = createServer((request, reply) => {
    const js = request.url === "/bench.js";
    reply.writeHead(200, { "content-type": js ? "text/javascript" : "text/html" });
    reply.end(js ? script : '<!doctype html><html lang="en" style="--series-1: 180 60 20"><body style="width:1200px"><div id="root"></div><script src="/bench.js"></script></body></html>');
  });
  await new Promise<void>((done) => server?.listen(0, "127.0.0.1", done));
  const address = server.address();
  url = `http://127.0.0.1:${address && typeof address === "object" ? address.port : 0}/`;
});
after(() => server?.close());

describe("a chart of ten runs with 100,000 points each", { skip: Web.none }, () => {
  test("draws all of them, each time that points come", { timeout: 120_000 }, async () => {
    const playwright = createRequire(join(root, "web/package.json"))("playwright-core") as typeof import("../../web/node_modules/playwright-core");
    const browser = await playwright.chromium.launch({ executablePath: chromium, args: ["--no-sandbox", "--disable-gpu"] });
    try {
      const page = await browser.newPage({ viewport: { width: 1280, height: 800 } });
      page.on("pageerror", (e) => console.log(`# ${e.stack ?? e.message}`));
      await page.goto(url);
      const said = (await page.evaluate("bench()")) as { times: number[]; smoothed: number[]; inked: number };
      assert.ok(said.inked > 1000, "something is drawn");
      await tell([
        { name: "chart of 10 x 100,000 points, a draw", unit: "ms", rounds: said.times, aim: 100 },
        { name: "chart of 10 x 100,000 points, a draw with smoothing", unit: "ms", rounds: said.smoothed, aim: 100 },
      ]);
    } finally {
      await browser.close();
    }
  });
});
