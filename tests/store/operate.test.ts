// A store looked after from the command line: numbers, checks that find a flipped byte, a copy that is taken
// while the store runs and served in the place of the lost one, metrics and health.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { closeSync, copyFileSync, openSync, readdirSync, readFileSync, statSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";

import { binary } from "../lib/anneal";
import { lacks, makeTree, sameTrees, Store } from "./lib";
import { ask } from "./signed";

const skip = lacks("rclone") ?? false;
const FILES = 500;
let store: Store;

async function anneal(code: number, ...args: string[]): Promise<any> {
  const said = await store.run(binary, ["store", ...args, "--json"], {}, code);
  return JSON.parse(said.out.trim().split("\n").at(-1) || "{}");
}
const rclone = (url: string, ...args: string[]): Promise<unknown> =>
  store.run("rclone", ["--config", "/dev/null", ...args], {
    RCLONE_CONFIG_OURS_TYPE: "s3", RCLONE_CONFIG_OURS_PROVIDER: "Other", RCLONE_CONFIG_OURS_ENDPOINT: url, RCLONE_CONFIG_OURS_REGION: "us-east-1",
    RCLONE_CONFIG_OURS_ACCESS_KEY_ID: store.access, RCLONE_CONFIG_OURS_SECRET_ACCESS_KEY: store.secret,
  });

before(async () => {
  store = await Store.start();
  if (skip) return;
  makeTree(join(store.dir, "tree"), FILES);
  await rclone(store.url, "mkdir", "ours:trees");
  await rclone(store.url, "copy", "tree", "ours:trees/tree", "--transfers", "16");
}, { timeout: 120_000 });
after(() => store.remove());

test("stat, check and scrub look at a store beside the one that serves it; compact leaves it alone", { skip }, async () => {
  const stat = await anneal(0, "stat", "--data", store.data);
  assert.equal(stat.buckets, 1);
  assert.equal(stat.objects, FILES);
  assert.equal(stat.damaged, 0);
  for (const verb of ["check", "scrub"]) assert.equal((await anneal(0, verb, "--data", store.data)).sound, true);
  assert.equal((await anneal(1, "compact", "--data", store.data)).error.code, "conflict");
});

test("health answers anybody, metrics this machine, in Prometheus' text", { skip }, async () => {
  assert.equal(await (await fetch(`${store.url}/_health`)).text(), "ok\n");
  const text = await (await fetch(`${store.url}/_metrics`)).text();
  assert.match(text, /^# TYPE anneal_store_puts_total counter$/m);
  const puts = Number(/^anneal_store_puts_total (\d+)$/m.exec(text)?.[1]);
  assert.ok(puts >= FILES, `${puts} puts`);
});

test("a copy taken while the store runs is proved by its manifest and serves the same bytes", { skip }, async () => {
  const copy = join(store.dir, "copy");
  await anneal(0, "backup", copy, "--data", store.data);
  const proved = await anneal(0, "check", "--data", copy);
  assert.deepEqual([proved.sound, proved.manifest], [true, true]);
  const other = new Store();
  copyFileSync(join(store.data, "store.master"), join(copy, "store.master"));
  try {
    await other.serve(copy);
    await rclone(other.url, "copy", "ours:trees/tree", "back", "--transfers", "16");
    sameTrees(join(store.dir, "tree"), join(store.dir, "back"), FILES);
  } finally {
    await other.remove();
  }
});

test("a flipped byte is found: check and scrub end with 1 and name the object", { skip }, async () => {
  await store.down();
  const folder = join(store.data, "store/segments"), wanted = readFileSync(join(store.dir, "tree/plain 0/plain 10.bin"));
  let flipped = 0;
  for (const name of readdirSync(folder, { recursive: true }) as string[]) {
    const path = join(folder, name);
    const at = statSync(path).isFile() ? readFileSync(path).indexOf(wanted) : -1;
    if (at < 0) continue;
    const fd = openSync(path, "r+");
    writeSync(fd, Buffer.from([wanted[0]! ^ 1]), 0, 1, at);
    closeSync(fd);
    flipped++;
  }
  assert.equal(flipped, 1);
  const found = await anneal(1, "check", "--data", store.data);
  assert.equal(found.sound, false);
  assert.ok(found.found.some((f: any) => f.kind === "bytes" && f.key === "tree/plain 0/plain 10.bin"), JSON.stringify(found.found));
  assert.equal((await anneal(0, "check", "--data", store.data, "--quick")).sound, true);
  assert.equal((await anneal(1, "scrub", "--data", store.data)).sound, false);
  assert.ok((await anneal(0, "stat", "--data", store.data)).damaged >= 1);
});

test("a bit that flips in a row of the index is a 500, and check and scrub name the object", { skip }, async () => {
  const key = "tree/plain 0/한글 12.bin", path = join(store.data, "store/store.db"), index = readFileSync(path);
  const etag = createHash("md5").update(readFileSync(join(store.dir, key))).digest("hex");
  let flipped = 0;
  for (let at = index.indexOf(etag); at >= 0; at = index.indexOf(etag, at + 1), flipped++) index[at] = index[at]! ^ 1;
  assert.ok(flipped >= 1);
  writeFileSync(path, index);
  const named = (answer: any): boolean => answer.found.some((f: any) => f.kind === "index" && f.path === "store.db" && f.bucket === "trees" && f.key === key);
  for (const more of [["check", "--quick"], ["check"], ["scrub"]])
    assert.ok(named(await anneal(1, more[0]!, "--data", store.data, ...more.slice(1))), more.join(" "));
  await store.up();
  const keys = { access: store.access, secret: store.secret };
  const wrong = await ask(store.port, keys, `/trees/${key}`);
  assert.deepEqual([wrong.status, wrong.code], [500, "InternalError"]);
  assert.equal((await ask(store.port, keys, "/trees", { query: { "list-type": "2" } })).status, 500, "a list does not leave it out");
  const other = await ask(store.port, keys, "/trees/tree/plain 0/한글 2.bin");
  assert.ok(other.status === 200 && other.bytes.equals(readFileSync(join(store.dir, "tree/plain 0/한글 2.bin"))));
  assert.equal((await ask(store.port, keys, `/trees/${key}`, { method: "PUT", body: "anew" })).status, 200);
  assert.equal((await ask(store.port, keys, `/trees/${key}`)).body, "anew");
  assert.equal((await ask(store.port, keys, "/trees", { query: { "list-type": "2" } })).status, 200);
});
