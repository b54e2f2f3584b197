// The protocol on the wire, by a signer of our own: versions, tags, ACLs, policies, CORS, forms, checksums,
// parts that are copied, lists of several entries a key, virtual hosts, and what a changed request is told.
import assert from "node:assert/strict";
import { createHash, createHmac, randomBytes } from "node:crypto";
import { after, before, test } from "node:test";

import { freePort } from "../lib/anneal";
import { Store } from "./lib";
import { type Answer, type Ask, ask, encode, presign, send, signingKey, stamp } from "./signed";

let store: Store;
const root = (): { access: string; secret: string } => ({ access: store.access, secret: store.secret });
const call = (path: string, a: Ask = {}): Promise<Answer> => ask(store.port, root(), path, a);
const put = (path: string, body: string | Buffer, headers: Record<string, string> = {}, query: Record<string, string> = {}): Promise<Answer> =>
  call(path, { method: "PUT", body, headers, query });
const anyone = (path: string, a: Ask = {}): Promise<Answer> => call(path, { ...a, keys: null });
const all = (text: string, tag: string): string[] => [...text.matchAll(new RegExp(`<${tag}>([^<]*)</${tag}>`, "g"))].map((m) => m[1] ?? "");

async function bucket(name: string): Promise<string> {
  assert.equal((await put(`/${name}`, "")).status, 200);
  return name;
}

async function ok(answer: Promise<Answer>, status = 200): Promise<Answer> {
  const a = await answer;
  assert.equal(a.status, status, `${a.status} ${a.body}`);
  return a;
}

async function refused(answer: Promise<Answer>, status: number, code: string): Promise<void> {
  const a = await answer;
  assert.deepEqual([a.status, a.code], [status, code], a.body);
}

before(async () => {
  store = new Store();
  store.port = await freePort();
  const env = store.env.bind(store);
  store.env = (more = {}) => env({ ANNEAL_STORE_DOMAIN: "s3.test", ...more });
  await store.up();
}, { timeout: 60_000 });
after(() => store.remove());

test("versions: each put stays, a delete puts a marker, a version can be read, copied and removed", async () => {
  const b = await bucket("versions");
  const on = "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>";
  assert.equal((await put(`/${b}/old`, "before")).headers["x-amz-version-id"], undefined);
  assert.ok(!(await ok(call(`/${b}`, { query: { versioning: "" } }))).body.includes("Status"));
  await ok(put(`/${b}`, on, {}, { versioning: "" }));
  assert.match((await call(`/${b}`, { query: { versioning: "" } })).body, /<Status>Enabled</);
  const one = (await ok(put(`/${b}/k`, "one"))).headers["x-amz-version-id"] ?? "";
  const two = (await ok(put(`/${b}/k`, "two"))).headers["x-amz-version-id"] ?? "";
  assert.ok(one && two && one !== two);
  assert.equal((await ok(call(`/${b}/k`, { query: { versionId: one } }))).body, "one");
  assert.equal((await ok(call(`/${b}/old`, { query: { versionId: "null" } }))).headers["x-amz-version-id"], "null");
  const gone = await ok(call(`/${b}/k`, { method: "DELETE" }), 204);
  assert.equal(gone.headers["x-amz-delete-marker"], "true");
  const marker = gone.headers["x-amz-version-id"] ?? "";
  const hidden = await call(`/${b}/k`);
  assert.deepEqual([hidden.status, hidden.code, hidden.headers["x-amz-delete-marker"]], [404, "NoSuchKey", "true"]);
  await refused(call(`/${b}/k`, { query: { versionId: marker } }), 405, "MethodNotAllowed");
  await refused(call(`/${b}/k`, { query: { versionId: "00000000000000ff" } }), 404, "NoSuchVersion");
  await refused(call(`/${b}/k`, { query: { versionId: "what" } }), 400, "InvalidArgument");
  assert.deepEqual(all((await call(`/${b}`)).body, "Key"), ["old"]);
  const list = (await ok(call(`/${b}`, { query: { versions: "" } }))).body;
  assert.deepEqual(all(list, "Key"), ["k", "k", "k", "old"]);
  assert.deepEqual(all(list, "VersionId"), [marker, two, one, "null"]);
  assert.deepEqual(all(list, "IsLatest"), ["true", "false", "false", "true"]);
  await ok(put(`/${b}/copied`, "", { "x-amz-copy-source": `/${b}/k?versionId=${one}` }));
  assert.equal((await call(`/${b}/copied`)).body, "one");
  assert.equal((await ok(call(`/${b}/k`, { method: "DELETE", query: { versionId: marker } }), 204)).headers["x-amz-delete-marker"], "true");
  assert.equal((await ok(call(`/${b}/k`))).body, "two");
  const body = `<Delete><Object><Key>k</Key><VersionId>${two}</VersionId></Object><Object><Key>old</Key></Object></Delete>`;
  const many = (await ok(call(`/${b}`, { method: "POST", query: { delete: "" }, body }))).body;
  assert.deepEqual([all(many, "DeleteMarker"), all(many, "VersionId")], [["true"], [two]]);
  assert.equal((await ok(call(`/${b}/k`))).body, "one");
  await refused(call(`/${b}`, { method: "DELETE" }), 409, "BucketNotEmpty");
  await refused(put(`/${b}`, "<VersioningConfiguration/>", {}, { versioning: "" }), 400, "IllegalVersioningConfigurationException");
  await ok(put(`/${b}`, on.replace("Enabled", "Suspended"), {}, { versioning: "" }));
  assert.equal((await ok(put(`/${b}/k`, "three"))).headers["x-amz-version-id"], "null");
  assert.equal((await ok(call(`/${b}/k`, { query: { versionId: one } }))).body, "one");
});

test("a list of versions goes on where the page ended, in any size of page", async () => {
  const b = await bucket("pages");
  await ok(put(`/${b}`, "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>", {}, { versioning: "" }));
  for (const key of ["a/1", "a/2", "b", "b", "b", "c", "d/x"]) await ok(put(`/${b}/${key}`, key));
  for (const size of [1, 2, 3, 100])
    for (const delimiter of ["", "/"]) {
      const seen: string[] = [];
      let more: Record<string, string> = {};
      for (let guard = 0; guard < 20; guard++) {
        const page = (await ok(call(`/${b}`, { query: { versions: "", "max-keys": String(size), ...(delimiter ? { delimiter } : {}), ...more } }))).body;
        seen.push(...all(page, "Key"), ...all(page.replace(/^.*?<CommonPrefixes>/s, "<CommonPrefixes>"), "Prefix").filter(() => page.includes("<CommonPrefixes>")));
        if (!page.includes("<IsTruncated>true")) break;
        more = { "key-marker": all(page, "NextKeyMarker")[0] ?? "", "version-id-marker": all(page, "NextVersionIdMarker")[0] ?? "" };
        if (!more["version-id-marker"]) delete more["version-id-marker"];
      }
      assert.deepEqual(seen.sort(), delimiter ? ["a/", "b", "b", "b", "c", "d/"] : ["a/1", "a/2", "b", "b", "b", "c", "d/x"], `${size} ${delimiter}`);
    }
});

test("tags of objects and buckets", async () => {
  const b = await bucket("tags");
  await ok(put(`/${b}/k`, "v", { "x-amz-tagging": "a=1&b%20c=%C3%A4" }));
  assert.equal((await call(`/${b}/k`)).headers["x-amz-tagging-count"], "2");
  assert.deepEqual(all((await ok(call(`/${b}/k`, { query: { tagging: "" } }))).body, "Value"), ["1", "ä"]);
  await ok(put(`/${b}/k`, "<Tagging><TagSet><Tag><Key>x</Key><Value>&lt;</Value></Tag></TagSet></Tagging>", {}, { tagging: "" }));
  assert.deepEqual(all((await call(`/${b}/k`, { query: { tagging: "" } })).body, "Value"), ["&lt;"]);
  await ok(put(`/${b}/copy`, "", { "x-amz-copy-source": `/${b}/k` }));
  assert.deepEqual(all((await call(`/${b}/copy`, { query: { tagging: "" } })).body, "Key"), ["x"]);
  await refused(put(`/${b}/k`, "v", { "x-amz-tagging": Array.from({ length: 11 }, (_, i) => `t${i}=1`).join("&") }), 400, "InvalidTag");
  await refused(put(`/${b}/k`, "<Tagging><TagSet><Tag><Key>a</Key></Tag></TagSet></Tagging>", {}, { tagging: "" }), 400, "MalformedXML");
  await ok(call(`/${b}/k`, { method: "DELETE", query: { tagging: "" } }), 204);
  assert.deepEqual(all((await call(`/${b}/k`, { query: { tagging: "" } })).body, "Key"), []);
  await refused(call(`/${b}`, { query: { tagging: "" } }), 404, "NoSuchTagSet");
  await ok(put(`/${b}`, "<Tagging><TagSet><Tag><Key>team</Key><Value>x</Value></Tag></TagSet></Tagging>", {}, { tagging: "" }), 204);
  assert.deepEqual(all((await call(`/${b}`, { query: { tagging: "" } })).body, "Key"), ["team"]);
  await ok(call(`/${b}`, { method: "DELETE", query: { tagging: "" } }), 204);
});

test("a policy lets anybody read a prefix and nobody else more; a canned ACL opens one object", async () => {
  const b = await bucket("public");
  await ok(put(`/${b}/pub/a`, "open"));
  await ok(put(`/${b}/private`, "closed"));
  await refused(anyone(`/${b}/pub/a`), 403, "AccessDenied");
  await refused(call(`/${b}`, { query: { policy: "" } }), 404, "NoSuchBucketPolicy");
  const policy = JSON.stringify({ Version: "2012-10-17", Statement: [{ Effect: "Allow", Principal: "*", Action: "s3:GetObject", Resource: `arn:aws:s3:::${b}/pub/*` }] });
  await ok(put(`/${b}`, policy, {}, { policy: "" }), 204);
  const back = await ok(call(`/${b}`, { query: { policy: "" } }));
  assert.equal(back.body, policy);
  assert.match(back.headers["content-type"] ?? "", /json/);
  assert.match((await call(`/${b}`, { query: { policyStatus: "" } })).body, /TRUE/);
  assert.equal((await ok(anyone(`/${b}/pub/a`))).body, "open");
  await refused(anyone(`/${b}/private`), 403, "AccessDenied");
  await refused(anyone(`/${b}`), 403, "AccessDenied");
  await refused(anyone(`/${b}/pub/b`, { method: "PUT", body: "x" }), 403, "AccessDenied");
  await refused(anyone(`/${b}/pub/a`, { method: "DELETE" }), 403, "AccessDenied");
  await refused(anyone("/nowhere/k"), 403, "AccessDenied");
  await refused(put(`/${b}`, policy.replace("s3:GetObject", "ec2:Run"), {}, { policy: "" }), 400, "MalformedPolicy");
  await ok(call(`/${b}`, { method: "DELETE", query: { policy: "" } }), 204);
  await refused(anyone(`/${b}/pub/a`), 403, "AccessDenied");
  await refused(put(`/${b}/one`, "", { "x-amz-acl": "public-read" }, { acl: "" }), 404, "NoSuchKey");
  await ok(put(`/${b}/one`, "1", { "x-amz-acl": "public-read" }));
  assert.equal((await ok(anyone(`/${b}/one`))).body, "1");
  assert.match((await call(`/${b}/one`, { query: { acl: "" } })).body, /AllUsers<\/URI><\/Grantee><Permission>READ</);
  await ok(put(`/${b}/one`, "", { "x-amz-acl": "private" }, { acl: "" }));
  await refused(anyone(`/${b}/one`), 403, "AccessDenied");
  await ok(put(`/${b}`, "", { "x-amz-acl": "public-read" }, { acl: "" }));
  assert.ok((await ok(anyone(`/${b}`))).body.includes("<Key>one</Key>"));
  const grants = `<AccessControlPolicy><AccessControlList><Grant><Grantee><ID>x</ID></Grantee><Permission>FULL_CONTROL</Permission></Grant></AccessControlList></AccessControlPolicy>`;
  await ok(put(`/${b}`, grants, {}, { acl: "" }));
  await refused(anyone(`/${b}`), 403, "AccessDenied");
  await refused(put(`/${b}/one`, "1", { "x-amz-acl": "log-delivery-write" }), 400, "InvalidArgument");
  const denied = JSON.stringify({ Statement: { Effect: "Deny", Principal: "*", Action: "s3:*", Resource: "*" } });
  await ok(put(`/${b}`, denied, {}, { policy: "" }), 204);
  await refused(call(`/${b}/one`), 403, "AccessDenied");
  await ok(call(`/${b}`, { method: "DELETE", query: { policy: "" } }), 204);
  await ok(call(`/${b}/one`));
});

test("CORS: a preflight is answered by the rules, and so are replies and errors", async () => {
  const b = await bucket("cors");
  const origin = "https://app.example.org";
  const preflight = (headers: Record<string, string>): Promise<Answer> => anyone(`/${b}/k`, { method: "OPTIONS", headers });
  await refused(preflight({ origin, "access-control-request-method": "PUT" }), 403, "AccessForbidden");
  await refused(call(`/${b}`, { query: { cors: "" } }), 404, "NoSuchCORSConfiguration");
  const rules = "<CORSConfiguration><CORSRule><AllowedOrigin>https://*.example.org</AllowedOrigin><AllowedMethod>PUT</AllowedMethod><AllowedMethod>GET</AllowedMethod>" +
    "<AllowedHeader>*</AllowedHeader><ExposeHeader>ETag</ExposeHeader><MaxAgeSeconds>60</MaxAgeSeconds></CORSRule></CORSConfiguration>";
  await ok(put(`/${b}`, rules, {}, { cors: "" }));
  const yes = await ok(preflight({ origin, "access-control-request-method": "PUT", "access-control-request-headers": "x-amz-date, content-type" }));
  assert.deepEqual([yes.headers["access-control-allow-origin"], yes.headers["access-control-allow-methods"], yes.headers["access-control-allow-headers"], yes.headers["access-control-max-age"]],
    [origin, "GET, PUT", "x-amz-date, content-type", "60"]);
  await refused(preflight({ origin: "https://evil.org", "access-control-request-method": "PUT" }), 403, "AccessForbidden");
  await refused(preflight({ origin, "access-control-request-method": "DELETE" }), 403, "AccessForbidden");
  const missing = await call(`/${b}/none`, { headers: { origin } });
  assert.deepEqual([missing.status, missing.headers["access-control-allow-origin"], missing.headers["access-control-expose-headers"]], [404, origin, "ETag"]);
  assert.equal((await call(`/${b}/none`, { headers: { origin: "https://evil.org" } })).headers["access-control-allow-origin"], undefined);
  await refused(put(`/${b}`, "<CORSConfiguration/>", {}, { cors: "" }), 400, "MalformedXML");
  await ok(call(`/${b}`, { method: "DELETE", query: { cors: "" } }), 204);
});

test("checksums are kept and given back, of single puts and of parts", async () => {
  const b = await bucket("sums");
  const sha1 = createHash("sha1").update("hello").digest("base64");
  assert.equal((await ok(put(`/${b}/k`, "hello", { "x-amz-checksum-sha1": sha1 }))).headers["x-amz-checksum-sha1"], sha1);
  const head = await ok(call(`/${b}/k`, { method: "HEAD", headers: { "x-amz-checksum-mode": "ENABLED" } }));
  assert.deepEqual([head.headers["x-amz-checksum-sha1"], head.headers["x-amz-checksum-type"]], [sha1, "FULL_OBJECT"]);
  assert.equal((await call(`/${b}/k`, { method: "HEAD" })).headers["x-amz-checksum-sha1"], undefined);
  await refused(put(`/${b}/k`, "hellO", { "x-amz-checksum-sha1": sha1 }), 400, "BadDigest");
  assert.ok((await ok(put(`/${b}/plain`, "hello"))).headers["x-amz-checksum-crc64nvme"]);
  const whole = randomBytes((5 << 20) + 1000), parts = [whole.subarray(0, 5 << 20), whole.subarray(5 << 20)];
  const sum = (await ok(put(`/${b}/whole`, whole, { "x-amz-sdk-checksum-algorithm": "CRC64NVME" }))).headers["x-amz-checksum-crc64nvme"] ?? "";
  const start = await ok(call(`/${b}/parts`, { method: "POST", query: { uploads: "" }, headers: { "x-amz-checksum-algorithm": "CRC64NVME", "x-amz-checksum-type": "FULL_OBJECT" } }));
  const uploadId = all(start.body, "UploadId")[0] ?? "";
  const tags: string[] = [];
  for (const [i, part] of parts.entries()) tags.push((await ok(put(`/${b}/parts`, part, {}, { uploadId, partNumber: String(i + 1) }))).headers["etag"] ?? "");
  const body = `<CompleteMultipartUpload>${tags.map((t, i) => `<Part><PartNumber>${i + 1}</PartNumber><ETag>${t}</ETag></Part>`).join("")}</CompleteMultipartUpload>`;
  await refused(call(`/${b}/parts`, { method: "POST", query: { uploadId }, body, headers: { "x-amz-checksum-crc64nvme": "AAAAAAAAAAA=" } }), 400, "BadDigest");
  const done = await ok(call(`/${b}/parts`, { method: "POST", query: { uploadId }, body, headers: { "x-amz-checksum-crc64nvme": sum } }));
  assert.equal(all(done.body, "ChecksumCRC64NVME")[0], sum);
  const attributes = (await ok(call(`/${b}/parts`, { query: { attributes: "" }, headers: { "x-amz-object-attributes": "ETag,Checksum,ObjectParts,ObjectSize,StorageClass" } }))).body;
  assert.deepEqual([all(attributes, "ChecksumCRC64NVME")[0], all(attributes, "PartsCount")[0], all(attributes, "ObjectSize")[0]], [sum, "2", String(whole.length)]);
  const second = await ok(call(`/${b}/parts`, { query: { partNumber: "2" } }), 206);
  assert.ok(second.bytes.equals(parts[1] as Buffer));
  assert.equal(second.headers["x-amz-mp-parts-count"], "2");
  await refused(call(`/${b}/parts`, { query: { partNumber: "3" } }), 416, "InvalidPartNumber");
  const composite = await ok(call(`/${b}/c`, { method: "POST", query: { uploads: "" }, headers: { "x-amz-checksum-algorithm": "SHA256" } }));
  const id = all(composite.body, "UploadId")[0] ?? "";
  await refused(put(`/${b}/c`, "x", { "x-amz-checksum-crc32": "AAAAAA==" }, { uploadId: id, partNumber: "1" }), 400, "InvalidRequest");
  const etag = (await ok(put(`/${b}/c`, "x", {}, { uploadId: id, partNumber: "1" }))).headers["etag"];
  const end = await ok(call(`/${b}/c`, { method: "POST", query: { uploadId: id }, body: `<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>${etag}</ETag></Part></CompleteMultipartUpload>` }));
  const want = createHash("sha256").update(createHash("sha256").update("x").digest()).digest("base64");
  assert.equal(all(end.body, "ChecksumSHA256")[0], `${want}-1`);
  const ofPart = createHash("sha256").update("x").digest("base64");
  const told = (await ok(call(`/${b}/c`, { query: { attributes: "" }, headers: { "x-amz-object-attributes": "Checksum,ObjectParts" } }))).body;
  assert.deepEqual([all(told, "ChecksumType")[0], ...all(told, "ChecksumSHA256"), all(told, "PartNumber")[0], all(told, "Size")[0]], ["COMPOSITE", `${want}-1`, ofPart, "1", "1"]);
  const one = await ok(call(`/${b}/c`, { query: { partNumber: "1" }, headers: { "x-amz-checksum-mode": "ENABLED" } }), 206);
  assert.deepEqual([one.body, one.headers["x-amz-checksum-sha256"], one.headers["x-amz-checksum-type"]], ["x", ofPart, "COMPOSITE"]);
});

test("buckets are listed page by page, by prefix and region", async () => {
  for (const name of ["list-a", "list-b", "list-c", "lisu"]) await bucket(name);
  const list = async (query: Record<string, string>): Promise<Answer> => await ok(call("/", { query }));
  const names: string[] = [];
  let token = "";
  do {
    const page = await list({ prefix: "list-", "max-buckets": "2", ...(token ? { "continuation-token": token } : {}) });
    assert.equal(all(page.body, "Prefix")[0], "list-");
    assert.ok(all(page.body, "BucketRegion").every((r) => r === "us-east-1"));
    names.push(...all(page.body, "Name"));
    token = all(page.body, "ContinuationToken")[0] ?? "";
  } while (token);
  assert.deepEqual(names, ["list-a", "list-b", "list-c"]);
  assert.ok(!(await list({ prefix: "list-", "max-buckets": "3" })).body.includes("ContinuationToken"), "a page that holds all has no next");
  assert.deepEqual(all((await list({ prefix: "lis", "bucket-region": "us-east-1" })).body, "Name"), ["list-a", "list-b", "list-c", "lisu"]);
  assert.deepEqual(all((await list({ "bucket-region": "eu-west-1" })).body, "Name"), []);
  assert.ok(!(await list({})).body.includes("BucketRegion"));
  for (const bad of [{ "max-buckets": "0" }, { "max-buckets": "10001" }, { "max-buckets": "x" }, { "continuation-token": "zz" }])
    await refused(call("/", { query: bad }), 400, "InvalidArgument");
});

test("parts are copied from ranges; uploads and parts are listed", async () => {
  const b = await bucket("partcopy");
  const source = randomBytes(6 << 20);
  await ok(put(`/${b}/source`, source));
  const begin = async (key: string): Promise<string> => all((await ok(call(`/${b}/${key}`, { method: "POST", query: { uploads: "" } }))).body, "UploadId")[0] ?? "";
  const uploadId = await begin("k/1"), other = await begin("k/1"), third = await begin("z");
  const from = { "x-amz-copy-source": `/${b}/source` };
  const one = await ok(put(`/${b}/k/1`, "", { ...from, "x-amz-copy-source-range": `bytes=0-${(5 << 20) - 1}` }, { uploadId, partNumber: "1" }));
  const two = await ok(put(`/${b}/k/1`, "", { ...from, "x-amz-copy-source-range": `bytes=${5 << 20}-${source.length - 1}` }, { uploadId, partNumber: "2" }));
  await refused(put(`/${b}/k/1`, "", { ...from, "x-amz-copy-source-range": `bytes=0-${source.length}` }, { uploadId, partNumber: "3" }), 400, "InvalidArgument");
  await refused(put(`/${b}/k/1`, "", { ...from, "x-amz-copy-source-if-match": "other" }, { uploadId, partNumber: "3" }), 412, "PreconditionFailed");
  assert.deepEqual(all((await ok(call(`/${b}/k/1`, { query: { uploadId } }))).body, "PartNumber"), ["1", "2"]);
  const page = (await ok(call(`/${b}`, { query: { uploads: "", "max-uploads": "1" } }))).body;
  assert.deepEqual([all(page, "UploadId")[0], all(page, "IsTruncated")[0]], [uploadId, "true"]);
  const next = (await ok(call(`/${b}`, { query: { uploads: "", "key-marker": all(page, "NextKeyMarker")[0] ?? "", "upload-id-marker": all(page, "NextUploadIdMarker")[0] ?? "" } }))).body;
  assert.deepEqual(all(next, "UploadId"), [other, third]);
  assert.deepEqual(all((await ok(call(`/${b}`, { query: { uploads: "", delimiter: "/" } }))).body.replace(/^.*?<Upload>/s, ""), "Prefix"), ["k/"]);
  const etag = (a: Answer): string => (all(a.body, "ETag")[0] ?? "").replaceAll("&quot;", "");
  await ok(call(`/${b}/k/1`, { method: "POST", query: { uploadId }, headers: { "if-none-match": "*" },
    body: `<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>${etag(one)}</ETag></Part><Part><PartNumber>2</PartNumber><ETag>${etag(two)}</ETag></Part></CompleteMultipartUpload>` }));
  assert.ok((await ok(call(`/${b}/k/1`))).bytes.equals(source));
  const again = await begin("k/1");
  await refused(call(`/${b}/k/1`, { method: "POST", query: { uploadId: again }, headers: { "if-none-match": "*" },
    body: "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>d41d8cd98f00b204e9800998ecf8427e</ETag></Part></CompleteMultipartUpload>" }), 400, "InvalidPart");
});

test("a browser's form uploads what its policy allows, and nothing else", async () => {
  const b = await bucket("forms");
  const form = (conditions: unknown[], fields: Record<string, string>, file = "content", now = Date.now()): Promise<Answer> => {
    const when = stamp(new Date()), credential = `${store.access}/${when.slice(0, 8)}/us-east-1/s3/aws4_request`;
    const signed = { "x-amz-algorithm": "AWS4-HMAC-SHA256", "x-amz-credential": credential, "x-amz-date": when };
    const policy = Buffer.from(JSON.stringify({ expiration: new Date(now + 60_000).toISOString(),
      conditions: [...conditions, ...Object.entries(signed).map(([k, v]) => ({ [k]: v }))] })).toString("base64");
    const everything: Record<string, string> = { ...signed, policy, "x-amz-signature": createHmac("sha256", signingKey(store.secret, when.slice(0, 8))).update(policy).digest("hex"), ...fields };
    const body = Object.entries(everything).map(([k, v]) => `--X\r\nContent-Disposition: form-data; name="${k}"\r\n\r\n${v}\r\n`).join("") +
      `--X\r\nContent-Disposition: form-data; name="file"; filename="C:\\\\dir\\\\pic.txt"\r\nContent-Type: text/plain\r\n\r\n${file}\r\n--X--\r\n`;
    return send(store.port, "POST", `/${b}`, { host: `127.0.0.1:${store.port}`, "content-type": "multipart/form-data; boundary=X" }, Buffer.from(body));
  };
  const rules = [{ bucket: b }, ["starts-with", "$key", "up/"], ["content-length-range", 1, 100]];
  const done = await ok(form([...rules, ["eq", "$x-amz-meta-by", "form"], { success_action_status: "201" }], { key: "up/${filename}", "x-amz-meta-by": "form", success_action_status: "201" }), 201);
  assert.deepEqual(all(done.body, "Key"), ["up/pic.txt"]);
  const got = await ok(call(`/${b}/up/pic.txt`));
  assert.deepEqual([got.body, got.headers["content-type"], got.headers["x-amz-meta-by"]], ["content", "text/plain", "form"]);
  await ok(form(rules, { key: "up/two" }), 204);
  await refused(form(rules, { key: "down/two" }), 403, "AccessDenied");
  await refused(form(rules, { key: "up/x", "x-amz-meta-extra": "1" }), 403, "AccessDenied");
  await refused(form(rules, { key: "up/x" }, ""), 400, "EntityTooSmall");
  await refused(form(rules, { key: "up/x" }, "y".repeat(101)), 400, "EntityTooLarge");
  await refused(form(rules, { key: "up/x" }, "y", Date.now() - 120_000), 403, "AccessDenied");
  await refused(form(rules, { key: "up/x", "x-amz-signature": "0".repeat(64) }), 403, "SignatureDoesNotMatch");
  await refused(form(rules, { key: "up/x", policy: "bm90aGluZw==" }), 403, "SignatureDoesNotMatch");
  await refused(call(`/${b}/up/x`), 404, "NoSuchKey");
});

test("a bucket is a host under the store's domain", async () => {
  const b = await bucket("hosted");
  const host = `${b}.s3.test:${store.port}`;
  await ok(call("/dir/k", { method: "PUT", host, body: "by host" }));
  assert.equal((await ok(call(`/${b}/dir/k`))).body, "by host");
  assert.equal((await ok(call("/dir/k", { host: host.toUpperCase() }))).body, "by host");
  assert.ok((await ok(call("/", { host }))).body.includes("<Key>dir/k</Key>"));
  assert.ok((await ok(call("/", { host: `s3.test:${store.port}` }))).body.includes("<Name>hosted</Name>"));
  assert.equal((await ok(call(`/${b}/dir/k`, { host: `other.example.org:${store.port}` }))).body, "by host");
});

test("lists: keys of any UTF-8 in the order of their bytes, with delimiters, markers and encoding", async () => {
  const b = await bucket("lists");
  const keys = ["a b", "a+b", "a/1", "a/2", "a//", "a~", "b%20", "e\u0301", "é", "한/글", "😀", "z&<>\"'", "k".repeat(1024)];
  for (const k of keys) await ok(put(`/${b}/${k}`, k));
  const sorted = [...keys].sort((x, y) => Buffer.compare(Buffer.from(x), Buffer.from(y)));
  for (const size of ["1", "3", "1000"])
    for (const v2 of [true, false]) {
      const seen: string[] = [];
      let more: Record<string, string> = {};
      for (let guard = 0; guard < 30; guard++) {
        const page = (await ok(call(`/${b}`, { query: { "max-keys": size, "encoding-type": "url", ...(v2 ? { "list-type": "2" } : {}), ...more } }))).body;
        seen.push(...all(page, "Key").map(decodeURIComponent));
        if (!page.includes("<IsTruncated>true")) break;
        more = v2 ? { "continuation-token": all(page, "NextContinuationToken")[0] ?? "" } : { marker: decodeURIComponent(all(page, "NextMarker")[0] ?? "") };
      }
      assert.deepEqual(seen, sorted, `${size} ${v2}`);
    }
  const folders = (await ok(call(`/${b}`, { query: { "list-type": "2", delimiter: "/", prefix: "a" } }))).body;
  assert.deepEqual([all(folders, "Key"), all(folders.slice(folders.indexOf("<CommonPrefixes>")), "Prefix"), all(folders, "KeyCount")], [["a b", "a+b", "a~"], ["a/"], ["4"]]);
  assert.deepEqual(all((await ok(call(`/${b}`, { query: { prefix: "a/", delimiter: "/", marker: "a/1" } }))).body, "Key"), ["a/2"]);
  assert.ok((await ok(call(`/${b}`, { query: { "list-type": "2", "fetch-owner": "true" } }))).body.includes("<Owner>"));
  assert.ok(!(await ok(call(`/${b}`, { query: { "list-type": "2" } }))).body.includes("<Owner>"));
  await refused(put(`/${b}/${"k".repeat(1025)}`, "x"), 400, "KeyTooLongError");
  await refused(call(`/${b}`, { query: { "max-keys": "-1" } }), 400, "InvalidArgument");
});

test("a changed, late, replayed or half-signed request is refused with S3's code", async () => {
  const b = await bucket("signed");
  await ok(put(`/${b}/k`, "v"));
  const mismatch = "SignatureDoesNotMatch";
  await refused(call(`/${b}/k`, { headers: { "x-amz-meta-a": "1" }, tamper: (t) => (t.headers["x-amz-meta-a"] = "2") }), 403, mismatch);
  await refused(call(`/${b}/k`, { tamper: (t) => (t.path = `/${b}/other`) }), 403, mismatch);
  await refused(call(`/${b}`, { query: { prefix: "a" }, tamper: (t) => (t.path = t.path.replace("=a", "=b")) }), 403, mismatch);
  await refused(call(`/${b}/k`, { tamper: (t) => (t.headers["x-amz-copy-source"] = "/x/y") }), 403, "AccessDenied");
  await refused(put(`/${b}/k`, "v").then(() => call(`/${b}/k`, { method: "PUT", body: "body", tamper: (t) => t.body.write("BODY") })), 400, "XAmzContentSHA256Mismatch");
  for (const minutes of [-16, 16]) await refused(call(`/${b}/k`, { now: new Date(Date.now() + minutes * 60_000) }), 403, "RequestTimeTooSkewed");
  const host = `127.0.0.1:${store.port}`, none = Buffer.alloc(0);
  const url = presign(root(), host, "GET", `/${b}/k`, 60);
  assert.equal((await ok(send(store.port, "GET", url, { host }, none))).body, "v");
  await refused(send(store.port, "PUT", url, { host }, none), 403, mismatch);
  await refused(send(store.port, "GET", url.replace(/X-Amz-Expires=60/, "X-Amz-Expires=600"), { host }, none), 403, mismatch);
  await refused(send(store.port, "GET", presign(root(), host, "GET", `/${b}/k`, 1, new Date(Date.now() - 2500)), { host }, none), 403, "AccessDenied");
  await refused(send(store.port, "GET", presign(root(), host, "GET", `/${b}/k`, 604801), { host }, none), 400, "AuthorizationQueryParametersError");
  await refused(send(store.port, "GET", url, { host: "other.example.org" }, none), 403, mismatch);
  const moved = presign(root(), host, "PUT", `/${b}/moved`, 60, new Date(), { "x-amz-meta-a": "1", "X-Amz-Acl": "public-read", "x-amz-tagging": "t=u" });
  await ok(send(store.port, "PUT", moved, { host }, Buffer.from("moved")));
  const open = await ok(anyone(`/${b}/moved`));
  assert.deepEqual([open.body, open.headers["x-amz-meta-a"], open.headers["x-amz-tagging-count"]], ["moved", "1", "1"]);
  await ok(send(store.port, "PUT", presign(root(), host, "PUT", `/${b}/copied`, 60, new Date(), { "x-amz-copy-source": `/${b}/moved` }), { host }, none));
  assert.equal((await ok(call(`/${b}/copied`))).body, "moved");
  await refused(send(store.port, "PUT", presign(root(), host, "PUT", `/${b}/moved`, 60, new Date(), { "x-amz-meta-a": "1\nx: y" }), { host }, none), 400, "InvalidArgument");
  const chunk = "5\r\nhello\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\r\n\r\n";
  const chunked = (body: string): Promise<Answer> => call(`/${b}/chunk`, { method: "PUT", body, payload: "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
    headers: { "x-amz-decoded-content-length": "5", "x-amz-trailer": "x-amz-checksum-crc32", "content-encoding": "aws-chunked,gzip" } });
  await ok(chunked(chunk));
  const kept = await call(`/${b}/chunk`, { headers: { "x-amz-checksum-mode": "ENABLED" } });
  assert.deepEqual([kept.body, kept.headers["x-amz-checksum-crc32"], kept.headers["content-encoding"]], ["hello", "NhCmhg==", "gzip"]);
  await refused(chunked(chunk.replace("hello", "hellO")), 400, "BadDigest");
});

test("what the store does not have is said; settings with one answer have it", async () => {
  const b = await bucket("fixed");
  for (const [name, code] of Object.entries({ encryption: "ServerSideEncryptionConfigurationNotFoundError", "object-lock": "ObjectLockConfigurationNotFoundError", replication: "ReplicationConfigurationNotFoundError",
    website: "NoSuchWebsiteConfiguration", publicAccessBlock: "NoSuchPublicAccessBlockConfiguration", lifecycle: "NoSuchLifecycleConfiguration" })) await refused(call(`/${b}`, { query: { [name]: "" } }), 404, code);
  for (const name of ["logging", "notification", "accelerate", "requestPayment"]) await ok(call(`/${b}`, { query: { [name]: "" } }));
  await refused(put(`/${b}`, "<x/>", {}, { "object-lock": "" }), 501, "NotImplemented");
  await refused(put("/locked", "", { "x-amz-bucket-object-lock-enabled": "true" }), 501, "NotImplemented");
  await refused(put(`/${b}/k`, "v", { "x-amz-object-lock-mode": "GOVERNANCE" }), 400, "InvalidRequest");
  await refused(put(`/${b}/k`, "v", { "x-amz-server-side-encryption": "aws:kms" }), 501, "NotImplemented");
  await refused(put(`/${b}/k`, "v", { "x-amz-storage-class": "GLACIER" }), 400, "InvalidStorageClass");
  const rule = "<LifecycleConfiguration><Rule><Filter><Prefix>tmp/</Prefix></Filter><Status>Enabled</Status><Expiration><Days>1</Days></Expiration></Rule></LifecycleConfiguration>";
  await ok(put(`/${b}`, rule, {}, { lifecycle: "" }));
  assert.match((await ok(call(`/${b}`, { query: { lifecycle: "" } }))).body, /<Prefix>tmp\/<\/Prefix>/);
  await refused(put(`/${b}`, rule.replace("<Days>1", "<Days>0"), {}, { lifecycle: "" }), 400, "MalformedXML");
  await ok(call(`/${b}`, { method: "DELETE", query: { lifecycle: "" } }), 204);
  assert.equal(encode("a b/ü", true), "a%20b/%C3%BC");
});
