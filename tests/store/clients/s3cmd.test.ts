// s3cmd, unchanged.
import assert from "node:assert/strict";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";

import { BIG_BYTES, fileHash, lacks, makeBig, makeTree, sameTrees, Store, TREE_OF_SLOW } from "../lib";

const skip = lacks("s3cmd") ?? false;
let store: Store;
const s3cmd = (...args: string[]): Promise<string> => store.run("s3cmd", ["-c", join(store.dir, "s3cfg"), "--no-progress", ...args]).then((r) => r.out);

before(async () => {
  store = await Store.start();
  const host = `127.0.0.1:${store.port}`;
  writeFileSync(join(store.dir, "s3cfg"), ["[default]", `access_key = ${store.access}`, `secret_key = ${store.secret}`, `host_base = ${host}`,
    `host_bucket = ${host}`, "use_https = False", "bucket_location = us-east-1", ""].join("\n"), { mode: 0o600 });
});
after(() => store.remove());

test("s3cmd: a tree goes in by sync, comes back identical, and a change is seen", { skip }, async () => {
  makeTree(join(store.dir, "tree"), TREE_OF_SLOW);
  mkdirSync(join(store.dir, "back"));
  await s3cmd("mb", "s3://trees");
  await s3cmd("sync", "-q", "tree/", "s3://trees/tree/");
  await s3cmd("sync", "-q", "s3://trees/tree/", "back/");
  sameTrees(join(store.dir, "tree"), join(store.dir, "back"), TREE_OF_SLOW);
  writeFileSync(join(store.dir, "tree/plain 0/plain 0.bin"), "changed");
  const second = await s3cmd("sync", "tree/", "s3://trees/tree/");
  assert.equal(second.split("\n").filter((line) => line.startsWith("upload:")).length, 1);
  assert.match(await s3cmd("du", "s3://trees"), new RegExp(` ${TREE_OF_SLOW} objects`));
  await s3cmd("del", "-q", "--recursive", "--force", "s3://trees");
  await s3cmd("rb", "s3://trees");
});

test("s3cmd: a large file goes in by multipart upload, is copied, moved, and comes back identical", { skip }, async () => {
  const hash = makeBig(join(store.dir, "big"), BIG_BYTES);
  await s3cmd("mb", "s3://large");
  await s3cmd("put", "-q", "big", "s3://large/big");
  await s3cmd("cp", "s3://large/big", "s3://large/copy");
  await s3cmd("mv", "s3://large/copy", "s3://large/moved");
  assert.match(await s3cmd("info", "s3://large/moved"), new RegExp(`File size: ${BIG_BYTES}`));
  await s3cmd("get", "-q", "s3://large/moved", "back.bin");
  assert.equal(await fileHash(join(store.dir, "back.bin")), hash);
  assert.ok(!existsSync(join(store.dir, "copy")));
});
