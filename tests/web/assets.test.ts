// How the server hands out the app: packed as the browser asks, cached by hash, under a strict policy, and small.
import assert from "node:assert/strict";
import { get, type IncomingHttpHeaders } from "node:http";
import { after, before, test } from "node:test";
import { brotliDecompressSync, gunzipSync } from "node:zlib";

import { Anneal } from "../lib/anneal";

const INITIAL_BYTES = 250 * 1024;

let anneal: Anneal;
before(async () => {
  anneal = await Anneal.start();
});
after(() => anneal.remove());

interface Reply { status: number; headers: IncomingHttpHeaders; body: Buffer }
/** As it came over the wire: fetch() would unpack it. */
const raw = (path: string, headers: Record<string, string> = {}): Promise<Reply> => new Promise((done, fail) => {
  get(anneal.url + path, { headers }, (reply) => {
    const parts: Buffer[] = [];
    reply.on("data", (part: Buffer) => parts.push(part));
    reply.on("end", () => done({ status: reply.statusCode ?? 0, headers: reply.headers, body: Buffer.concat(parts) }));
  }).on("error", fail);
});
const assets = async () => [...(await raw("/")).body.toString().matchAll(/(?:src|href)="(\/assets\/[^"]+)"/g)].map((m) => m[1] ?? "");

test("a file is sent as brotli, gzip or plain, as the browser can take it, and is the same file", async () => {
  const script = (await assets()).find((path) => path.endsWith(".js")) ?? "";
  const plain = await raw(script);
  assert.equal(plain.headers["content-encoding"], undefined);
  const cases = [["br, gzip", "br"], ["gzip, deflate", "gzip"], ["GZIP;q=1.0, br;q=0", "gzip"], ["br;q=0.001", "br"], ["brotli, x-gzip", undefined],
    ["gzip;q=0, br;q=0.000", undefined], ["identity", undefined]] as const;
  for (const [accept, form] of cases) {
    const reply = await raw(script, { "accept-encoding": accept });
    assert.equal(reply.headers["content-encoding"], form, accept);
    assert.equal(reply.headers["vary"], "Accept-Encoding");
    const body = form === "br" ? brotliDecompressSync(reply.body) : form === "gzip" ? gunzipSync(reply.body) : reply.body;
    assert.ok(body.equals(plain.body), accept);
  }
});

test("what has a hash in its name is kept for ever, the page is asked for again and answered by 304", async () => {
  for (const path of await assets()) {
    const reply = await raw(path);
    assert.equal(reply.headers["cache-control"], "public, max-age=31536000, immutable", path);
  }
  for (const path of ["/", "/app", "/app/jobs/some/deep/page"]) {
    const page = await raw(path, { "accept-encoding": "br" });
    assert.equal(page.status, 200);
    assert.equal(page.headers["cache-control"], "no-cache");
    const again = await raw(path, { "accept-encoding": "br", "if-none-match": `W/"x", ${page.headers["etag"]}` });
    assert.equal(again.status, 304);
    assert.equal(again.body.length, 0);
    assert.equal((await raw(path, { "if-none-match": page.headers["etag"] ?? "" })).status, 200, "another form is another tag");
  }
  assert.equal((await raw("/assets/none-00000000.js")).status, 404);
});

test("the page runs no foreign or inline script, stands in no frame, and gets the camera alone", async () => {
  const { headers, body } = await raw("/app");
  const policy = new Map((headers["content-security-policy"] as string).split(";").map((one) => {
    const [name = "", ...values] = one.trim().split(" ");
    return [name, values.join(" ")];
  }));
  assert.equal(policy.get("default-src"), "'none'");
  assert.equal(policy.get("script-src"), "'self' 'wasm-unsafe-eval'");
  assert.equal(policy.get("connect-src"), "'self'");
  assert.equal(policy.get("frame-ancestors"), "'none'");
  assert.equal(policy.get("base-uri"), "'none'");
  assert.equal(headers["x-content-type-options"], "nosniff");
  assert.equal(headers["referrer-policy"], "no-referrer");
  assert.equal(headers["cross-origin-opener-policy"], "same-origin");
  assert.match(String(headers["permissions-policy"]), /camera=\(self\), microphone=\(\)/);
  assert.doesNotMatch(body.toString(), /<script(?![^>]*src=)/);
});

test(`the first load is at most ${INITIAL_BYTES / 1024} KB: page, script, style and font`, async () => {
  let sum = (await raw("/", { "accept-encoding": "gzip" })).body.length;
  for (const path of await assets()) sum += (await raw(path, { "accept-encoding": "gzip" })).body.length;
  console.log(`  first load: ${(sum / 1024).toFixed(1)} KB with gzip`);
  assert.ok(sum > 10_000 && sum <= INITIAL_BYTES, `${sum} bytes`);
});

test("the fonts' licences go where the fonts go", async () => {
  for (const name of ["Inter", "SUIT"]) assert.match((await raw(`/assets/licences/${name}-OFL.txt`)).body.toString(), /SIL OPEN FONT LICENSE/i);
});
