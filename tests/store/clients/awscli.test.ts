// The AWS command line, unchanged: buckets, trees, large files, copies, presigned URLs, an error.
import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, test } from "node:test";

import { BIG_BYTES, fileHash, lacks, makeBig, makeTree, sameTrees, Store, TREE_OF_SLOW } from "../lib";

const skip = lacks("/usr/bin/aws") ?? false;
let store: Store;
const aws = (...args: string[]): Promise<string> => store.run("/usr/bin/aws", ["--endpoint-url", store.url, "--no-cli-pager", ...args]).then((r) => r.out);

before(async () => {
  store = await Store.start();
});
after(() => store.remove());

test("awscli: a tree goes in by sync and comes back identical", { skip }, async () => {
  makeTree(join(store.dir, "tree"), TREE_OF_SLOW);
  await aws("s3", "mb", "s3://trees");
  await aws("s3", "sync", "tree", "s3://trees/a tree", "--only-show-errors");
  assert.equal((await aws("s3", "ls", "--recursive", "s3://trees")).trim().split("\n").length, TREE_OF_SLOW);
  assert.equal(await aws("s3", "sync", "tree", "s3://trees/a tree"), "", "a second sync has nothing to do");
  await aws("s3", "sync", "s3://trees/a tree", "back", "--only-show-errors");
  sameTrees(join(store.dir, "tree"), join(store.dir, "back"), TREE_OF_SLOW);
  await aws("s3", "rm", "--recursive", "s3://trees", "--only-show-errors");
  await aws("s3", "rb", "s3://trees");
});

test("awscli: a large file goes in by multipart upload, is copied, moved, and comes back identical", { skip }, async () => {
  const hash = makeBig(join(store.dir, "big"), BIG_BYTES);
  await aws("s3", "mb", "s3://large");
  await aws("s3", "cp", "big", "s3://large/big", "--only-show-errors", "--metadata", "colour=blue");
  await aws("s3", "cp", "s3://large/big", "s3://large/copy", "--only-show-errors");
  await aws("s3", "mv", "s3://large/copy", "s3://large/moved", "--only-show-errors");
  const head = JSON.parse(await aws("s3api", "head-object", "--bucket", "large", "--key", "moved"));
  assert.equal(head.ContentLength, BIG_BYTES);
  assert.equal(head.Metadata.colour, "blue");
  await aws("s3", "cp", "s3://large/moved", "back.bin", "--only-show-errors");
  assert.equal(await fileHash(join(store.dir, "back.bin")), hash);
  const part = await aws("s3api", "get-object", "--bucket", "large", "--key", "big", "--range", "bytes=1000000-1999999", "range.bin");
  assert.equal(JSON.parse(part).ContentLength, 1_000_000);
  const url = (await aws("s3", "presign", "s3://large/moved")).trim();
  assert.equal((await fetch(url, { headers: { range: "bytes=0-0" } })).status, 206);
  assert.equal((await fetch(url.replace("moved", "big"), { headers: { range: "bytes=0-0" } })).status, 403);
});

test("awscli: what is not there, and what may not be, is told by S3's code", { skip }, async () => {
  const absent = await store.run("/usr/bin/aws", ["--endpoint-url", store.url, "s3api", "get-object", "--bucket", "absent", "--key", "k", "x"], {}, -1);
  assert.match(absent.err, /NoSuchBucket/);
  const wrong = await store.run("/usr/bin/aws", ["--endpoint-url", store.url, "s3", "ls"], { AWS_SECRET_ACCESS_KEY: "wrong" }, -1);
  assert.match(wrong.err, /SignatureDoesNotMatch/);
});
