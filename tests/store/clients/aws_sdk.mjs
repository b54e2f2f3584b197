// What javascript.test.ts runs with the AWS SDK for JavaScript v3: one part of S3 each.  The working folder
// holds tree/ and big.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { createReadStream, readdirSync, readFileSync } from "node:fs";

import * as s3 from "@aws-sdk/client-s3";
import { Upload } from "@aws-sdk/lib-storage";
import { createPresignedPost } from "@aws-sdk/s3-presigned-post";
import { getSignedUrl } from "@aws-sdk/s3-request-presigner";

const client = new s3.S3Client({ endpoint: `http://127.0.0.1:${process.env.PORT}`, region: "us-east-1", forcePathStyle: true });
const send = (command) => client.send(command);
const files = () => readdirSync("tree", { recursive: true, withFileTypes: true }).filter((f) => f.isFile())
  .map((f) => `${f.parentPath ?? f.path}/${f.name}`);

/** Runs `each` over all, eight at a time. */
async function all(list, each) {
  const left = [...list];
  await Promise.all(Array.from({ length: 8 }, async () => {
    for (let one = left.pop(); one !== undefined; one = left.pop()) await each(one);
  }));
}

const parts = {
  async tree() {
    const names = files(), Bucket = "sdk-tree";
    assert.equal(names.length, Number(process.env.FILES));
    await send(new s3.CreateBucketCommand({ Bucket }));
    await all(names, (Key) => send(new s3.PutObjectCommand({ Bucket, Key, Body: readFileSync(Key) })));
    const listed = [];
    for await (const page of s3.paginateListObjectsV2({ client }, { Bucket })) listed.push(...page.Contents.map((o) => o.Key));
    assert.deepEqual([...listed].sort(), [...names].sort());
    await all(listed, async (Key) => {
      const got = await send(new s3.GetObjectCommand({ Bucket, Key }));
      assert.ok(readFileSync(Key).equals(await got.Body.transformToByteArray()), Key);
    });
    for (let at = 0; at < listed.length; at += 1000) {
      const Objects = listed.slice(at, at + 1000).map((Key) => ({ Key }));
      const gone = await send(new s3.DeleteObjectsCommand({ Bucket, Delete: { Objects } }));
      assert.equal(gone.Deleted.length, Objects.length);
    }
    await send(new s3.DeleteBucketCommand({ Bucket }));
  },
  async large() {
    const Bucket = "sdk-large", Key = "big";
    await send(new s3.CreateBucketCommand({ Bucket }));
    await new Upload({ client, params: { Bucket, Key, Body: createReadStream("big"), Metadata: { colour: "blue" } }, partSize: 16 << 20 }).done();
    const got = await send(new s3.GetObjectCommand({ Bucket, Key }));
    assert.equal(got.ContentLength, Number(process.env.BIG_BYTES));
    assert.equal(got.Metadata.colour, "blue");
    const hash = createHash("sha256");
    for await (const piece of got.Body) hash.update(piece);
    assert.equal(hash.digest("hex"), process.env.BIG_SHA256);
  },
  async objects() {
    const Bucket = "sdk-objects";
    await send(new s3.CreateBucketCommand({ Bucket }));
    await assert.rejects(send(new s3.GetObjectCommand({ Bucket, Key: "absent" })), { name: "NoSuchKey" });
    for (const ChecksumAlgorithm of ["CRC32", "CRC32C", "SHA1", "SHA256"]) {
      const put = await send(new s3.PutObjectCommand({ Bucket, Key: "sum", Body: "x".repeat(70_000), ChecksumAlgorithm }));
      const got = await send(new s3.GetObjectCommand({ Bucket, Key: "sum", ChecksumMode: "ENABLED" }));
      assert.equal((await got.Body.transformToString()).length, 70_000);
      assert.ok(put[`Checksum${ChecksumAlgorithm}`], ChecksumAlgorithm);
      assert.equal(got[`Checksum${ChecksumAlgorithm}`], put[`Checksum${ChecksumAlgorithm}`]);
    }
    await send(new s3.PutObjectCommand({ Bucket, Key: "once", Body: "1", IfNoneMatch: "*" }));
    await assert.rejects(send(new s3.PutObjectCommand({ Bucket, Key: "once", Body: "2", IfNoneMatch: "*" })), { name: "PreconditionFailed" });
    await send(new s3.PutObjectTaggingCommand({ Bucket, Key: "once", Tagging: { TagSet: [{ Key: "a", Value: "b" }] } }));
    assert.deepEqual((await send(new s3.GetObjectTaggingCommand({ Bucket, Key: "once" }))).TagSet, [{ Key: "a", Value: "b" }]);
    const parts = await send(new s3.GetObjectAttributesCommand({ Bucket, Key: "once", ObjectAttributes: ["ETag", "ObjectSize"] }));
    assert.equal(parts.ObjectSize, 1);
  },
  async presigned() {
    const Bucket = "sdk-presigned";
    await send(new s3.CreateBucketCommand({ Bucket }));
    const put = await getSignedUrl(client, new s3.PutObjectCommand({ Bucket, Key: "한글 k" }), { expiresIn: 60 });
    assert.equal((await fetch(put, { method: "PUT", body: "by url" })).status, 200);
    const get = await getSignedUrl(client, new s3.GetObjectCommand({ Bucket, Key: "한글 k" }), { expiresIn: 60 });
    assert.equal(await (await fetch(get)).text(), "by url");
    assert.equal((await fetch(get.replace("X-Amz-Expires=60", "X-Amz-Expires=600"))).status, 403);
    const form = await createPresignedPost(client, { Bucket, Key: "form", Conditions: [["content-length-range", 1, 10]], Expires: 60 });
    const body = new FormData();
    for (const [name, value] of Object.entries(form.fields)) body.append(name, value);
    body.append("file", new Blob(["by form"]));
    assert.ok((await fetch(form.url, { method: "POST", body })).ok);
    body.set("file", new Blob(["too long for the policy"]));
    assert.equal((await fetch(form.url, { method: "POST", body })).status, 400);
  },
};
await parts[process.argv[2]]();
console.log("ok");
