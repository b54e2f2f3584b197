// rclone, unchanged: copy, sync, check.
import assert from "node:assert/strict";
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";

import { BIG_BYTES, fileHash, lacks, makeBig, makeTree, sameTrees, Store, TREE } from "../lib";

const skip = lacks("rclone") ?? false;
let store: Store;
const rclone = (...args: string[]): Promise<string> =>
  store.run("rclone", ["--config", "/dev/null", ...args], {
    RCLONE_CONFIG_OURS_TYPE: "s3", RCLONE_CONFIG_OURS_PROVIDER: "Other", RCLONE_CONFIG_OURS_ENDPOINT: store.url, RCLONE_CONFIG_OURS_REGION: "us-east-1",
    RCLONE_CONFIG_OURS_ACCESS_KEY_ID: store.access, RCLONE_CONFIG_OURS_SECRET_ACCESS_KEY: store.secret,
  }).then((r) => r.out + r.err);

before(async () => {
  store = await Store.start();
});
after(() => store.remove());

test("rclone: 10,000 files are copied, checked by hash and by content, and synchronised back", { skip }, async () => {
  makeTree(join(store.dir, "tree"), TREE);
  await rclone("mkdir", "ours:trees");
  await rclone("copy", "tree", "ours:trees/tree", "--transfers", "16", "--checkers", "16");
  assert.match(await rclone("check", "tree", "ours:trees/tree", "--checkers", "16"), /: 0 differences found/);
  assert.match(await rclone("check", "--download", "tree", "ours:trees/tree", "--checkers", "16"), /: 0 differences found/);
  await rclone("sync", "ours:trees/tree", "back", "--transfers", "16");
  sameTrees(join(store.dir, "tree"), join(store.dir, "back"), TREE);
  writeFileSync(join(store.dir, "tree/plain 0/plain 0.bin"), "changed");
  rmSync(join(store.dir, "tree/plain 0/한글 2.bin"));
  await rclone("sync", "tree", "ours:trees/tree", "--checkers", "16");
  assert.match(await rclone("check", "tree", "ours:trees/tree", "--checkers", "16"), /: 0 differences found/);
  await rclone("purge", "ours:trees");
});

test("rclone: a large file goes in by multipart upload, moves inside the store, and comes back identical", { skip }, async () => {
  const hash = makeBig(join(store.dir, "big"), BIG_BYTES);
  await rclone("copy", "big", "ours:large", "--s3-upload-cutoff", "20M", "--s3-chunk-size", "16M");
  await rclone("copyto", "ours:large/big", "ours:large/copy");
  await rclone("moveto", "ours:large/copy", "ours:large/moved");
  await rclone("copyto", "ours:large/moved", "back.bin");
  assert.equal(await fileHash(join(store.dir, "back.bin")), hash);
  assert.match(await rclone("lsl", "ours:large"), new RegExp(`${BIG_BYTES} .* moved`));
});
