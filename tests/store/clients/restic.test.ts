// restic, unchanged: backup, check, restore, prune.
import { rmSync } from "node:fs";
import { join } from "node:path";
import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { BIG_BYTES, fileHash, lacks, makeBig, makeTree, sameTrees, Store, TREE } from "../lib";

const skip = lacks("restic") ?? false;
let store: Store;
const restic = (...args: string[]): Promise<string> =>
  store.run("restic", ["--no-cache", ...args], { RESTIC_REPOSITORY: `s3:${store.url}/backups/host`, RESTIC_PASSWORD: "of the tests" }).then((r) => r.out);

before(async () => {
  store = await Store.start();
});
after(() => store.remove());

test("restic: a tree of 10,000 files and a large file are backed up, checked byte by byte, restored and pruned", { skip }, async () => {
  makeTree(join(store.dir, "tree"), TREE);
  const hash = makeBig(join(store.dir, "big"), BIG_BYTES);
  await restic("init");
  await restic("backup", "-q", "tree", "big");
  assert.match(await restic("check", "--read-data"), /no errors were found/);
  rmSync(join(store.dir, "tree/plain 0"), { recursive: true });
  await restic("backup", "-q", "tree");
  await restic("restore", "-q", "latest", "--target", "second");
  sameTrees(join(store.dir, "tree"), join(store.dir, "second/tree"), TREE - 100);
  await restic("restore", "-q", "latest", "--path", join(store.dir, "big"), "--target", "first");
  assert.equal(await fileHash(join(store.dir, "first/big")), hash);
  await restic("forget", "-q", "--keep-last", "1", "--group-by", "", "--prune");
  assert.match(await restic("check", "--read-data"), /no errors were found/);
});
