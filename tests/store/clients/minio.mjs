// What javascript.test.ts runs with MinIO's client for JavaScript: one part of S3 each.  The working folder
// holds tree/ and big.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { createReadStream, readdirSync, readFileSync } from "node:fs";

import { Client, CopyConditions } from "minio";

const client = new Client({ endPoint: "127.0.0.1", port: Number(process.env.PORT), useSSL: false, region: "us-east-1",
  accessKey: process.env.AWS_ACCESS_KEY_ID, secretKey: process.env.AWS_SECRET_ACCESS_KEY });
const files = () => readdirSync("tree", { recursive: true, withFileTypes: true }).filter((f) => f.isFile())
  .map((f) => `${f.parentPath ?? f.path}/${f.name}`);

async function all(list, each) {
  const left = [...list];
  await Promise.all(Array.from({ length: 8 }, async () => {
    for (let one = left.pop(); one !== undefined; one = left.pop()) await each(one);
  }));
}
async function whole(stream) {
  const pieces = [];
  for await (const piece of stream) pieces.push(piece);
  return Buffer.concat(pieces);
}
async function list(bucket, prefix, recursive) {
  const found = [];
  for await (const one of client.listObjectsV2(bucket, prefix, recursive)) found.push(one.name ?? one.prefix);
  return found;
}

const parts = {
  async tree() {
    const names = files(), bucket = "minio-tree";
    assert.equal(names.length, Number(process.env.FILES));
    await client.makeBucket(bucket);
    assert.equal(await client.bucketExists(bucket), true);
    await all(names, (name) => client.fPutObject(bucket, name, name));
    const listed = await list(bucket, "", true);
    assert.deepEqual([...listed].sort(), [...names].sort());
    assert.deepEqual(await list(bucket, "", false), ["tree/"]);
    await all(listed, async (name) => assert.ok(readFileSync(name).equals(await whole(await client.getObject(bucket, name))), name));
    await client.removeObjects(bucket, listed);
    assert.deepEqual(await list(bucket, "", true), []);
    await client.removeBucket(bucket);
  },
  async large() {
    const bucket = "minio-large", hash = createHash("sha256");
    await client.makeBucket(bucket);
    // fPutObject reads a stream that has no bytes yet whole into one buffer, of 4 GiB at most.
    const file = createReadStream("big");
    await once(file, "readable");
    await client.putObject(bucket, "big", file, Number(process.env.BIG_BYTES), { "x-amz-meta-colour": "blue" });
    await client.copyObject(bucket, "copy", `/${bucket}/big`, new CopyConditions());
    const stat = await client.statObject(bucket, "copy");
    assert.equal(stat.size, Number(process.env.BIG_BYTES));
    assert.equal(stat.metaData.colour, "blue");
    for await (const piece of await client.getObject(bucket, "copy")) hash.update(piece);
    assert.equal(hash.digest("hex"), process.env.BIG_SHA256);
    const part = await whole(await client.getPartialObject(bucket, "big", 1000, 10));
    assert.equal(part.length, 10);
  },
  async objects() {
    const bucket = "minio-objects";
    await client.makeBucket(bucket);
    await client.putObject(bucket, "a/b", "text", undefined, { "Content-Type": "text/x-test" });
    const stat = await client.statObject(bucket, "a/b");
    assert.equal(stat.metaData["content-type"], "text/x-test");
    await assert.rejects(client.statObject(bucket, "absent"), { code: "NotFound" });
    await assert.rejects(client.getObject(bucket, "absent"), { code: "NoSuchKey" });
    await assert.rejects(client.makeBucket(bucket), { code: "BucketAlreadyOwnedByYou" });
    await client.setObjectTagging(bucket, "a/b", { x: "y" });
    assert.deepEqual(await client.getObjectTagging(bucket, "a/b"), [{ Key: "x", Value: "y" }]);
    await client.setBucketVersioning(bucket, { Status: "Enabled" });
    assert.equal((await client.getBucketVersioning(bucket)).Status, "Enabled");
    assert.deepEqual((await client.listBuckets()).map((b) => b.name).includes(bucket), true);
  },
  async presigned() {
    const bucket = "minio-presigned";
    await client.makeBucket(bucket);
    const put = await client.presignedPutObject(bucket, "한글 k", 60);
    assert.equal((await fetch(put, { method: "PUT", body: "by url" })).status, 200);
    const get = await client.presignedGetObject(bucket, "한글 k", 60, { "response-content-type": "text/x-other" });
    const got = await fetch(get);
    assert.equal(got.headers.get("content-type"), "text/x-other");
    assert.equal(await got.text(), "by url");
    assert.equal((await fetch(get.replace("text%2Fx-other", "text%2Fhtml"))).status, 403);
    const policy = client.newPostPolicy();
    policy.setBucket(bucket);
    policy.setKey("form");
    policy.setExpires(new Date(Date.now() + 60_000));
    policy.setContentLengthRange(1, 10);
    const form = await client.presignedPostPolicy(policy), body = new FormData();
    for (const [name, value] of Object.entries(form.formData)) body.append(name, value);
    body.append("file", new Blob(["by form"]));
    assert.ok((await fetch(form.postURL, { method: "POST", body })).ok);
    assert.equal((await whole(await client.getObject(bucket, "form"))).toString(), "by form");
  },
};
await parts[process.argv[2]]();
console.log("ok");
