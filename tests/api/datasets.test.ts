// Datasets through the API: uploads in one stream, as a form and in parts; imports that survive a kill;
// hostile archives that leave nothing behind; versions, splits, pictures.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { after, before, test } from "node:test";

import { Anneal, until } from "../lib/anneal";
import { upload } from "../lib/jobs";
import { patterns, png, tar } from "../lib/pictures";
import { kept } from "../lib/store";

let anneal: Anneal;
before(async () => (anneal = await Anneal.start()));
after(() => anneal.remove());

const send = (method: string, path: string, body: Buffer | FormData | string, type?: string) =>
  fetch(anneal.url + path, {
    method,
    headers: { authorization: `Bearer ${anneal.token}`, ...(type ? { "content-type": type } : {}) },
    body: Buffer.isBuffer(body) ? new Blob([new Uint8Array(body)]) : body,
  });

async function imported(id: string): Promise<any> {
  return until("the import has ended", async () => {
    const state = await anneal.get(`/datasets/imports/${id}`);
    return (state.state === "done" || state.state === "failed") && state;
  });
}

test("an import is listed with its classes, pictures and their bytes", async () => {
  const done = await upload(anneal, "Patterns", patterns(8, 4));
  assert.equal(done.state, "done");
  assert.equal(done.images, 36);
  const dataset = await anneal.get("/datasets/patterns");
  assert.equal(dataset.version, done.version);
  const version = await anneal.get("/datasets/PATTERNS/versions/latest");
  assert.deepEqual(version.classes, ["disc", "square", "stripes"]);
  assert.equal(version.train, 24);
  assert.equal(version.stats.classes[1].val, 4);
  const page = await anneal.get("/datasets/patterns/versions/1/images?split=val&class=square&limit=3");
  assert.equal(page.images.length, 3);
  const rest = await anneal.get(
    `/datasets/patterns/versions/1/images?split=val&class=square&limit=3&cursor=${page.next}`);
  assert.equal(rest.images.length, 1);
  assert.equal(rest.next, null);
  const image = page.images[0];
  assert.equal(image.label, "square");
  const reply = await anneal.api("GET", image.url);
  assert.equal(reply.headers.get("content-type"), "image/png");
  assert.match(reply.headers.get("cache-control") ?? "", /immutable/);
  const bytes = Buffer.from(await reply.arrayBuffer());
  assert.equal(createHash("sha256").update(bytes).digest("hex"), image.sha256);
  const again = await anneal.api("GET", image.thumb_url, undefined, { "if-none-match": `"${image.sha256}"` });
  assert.equal(again.status, 304);
});

test("a picture is given out only as part of its own dataset", async () => {
  const data = png(9, 9, (x, y) => [x, y, 77]);
  const other = png(9, 9, (x, y) => [y, x, 78]);
  const done = await upload(anneal, "other", tar([{ name: "a/1.png", data }, { name: "b/2.png", data: other }]));
  assert.equal(done.state, "done");
  const sha = createHash("sha256").update(data).digest("hex");
  assert.equal((await anneal.api("GET", `/datasets/other/blobs/${sha}`)).status, 200);
  assert.equal((await anneal.api("GET", `/datasets/patterns/blobs/${sha}`)).status, 404);
  assert.equal((await anneal.api("GET", `/datasets/other/blobs/..%2f..%2fserve.lock`)).status, 404);
});

test("the same content again is the same version; another split is another", async () => {
  const before = await anneal.get("/datasets/patterns/versions");
  const again = await upload(anneal, "patterns", patterns(8, 4));
  assert.equal(again.version, before.versions[0].version);
  assert.equal((await anneal.get("/datasets/patterns/versions")).versions.length, before.versions.length);
  const spec = { method: "ratio", train: 0.5, val: 0.25, test: 0.25, seed: 3, exclude: ["train/disc/0.png"] };
  const reply = await anneal.api("POST", "/datasets/patterns/versions/1/split", spec);
  assert.equal(reply.status, 202);
  const done = await imported(((await reply.json()) as any).import);
  assert.equal(done.images, 35);
  const version = await anneal.get(`/datasets/patterns/versions/${done.version}`);
  assert.equal(version.number, 2);
  assert.equal(version.val, 9);
  assert.equal(version.split.seed, 3);
  const diff = await anneal.get(`/datasets/patterns/versions/1/diff/${done.version.slice(0, 12)}`);
  assert.deepEqual(diff.removed, { count: 1, first: ["train/disc/0.png"] });
  assert.equal(diff.relabelled.count, 0);
  assert.ok(diff.moved.count > 0);
  const bad = await anneal.api("POST", "/datasets/patterns/versions/1/split", { train: 0.9, val: 0.9 });
  assert.equal(bad.status, 400);
});

test("a form may name the dataset behind the file", async () => {
  const form = new FormData();
  form.set("file", new Blob([new Uint8Array(patterns(3, 1))]), "my set.tar");
  form.set("dataset_name", "From a form");
  form.set("split", "0.5/0.5");
  const reply = await send("POST", "/datasets/upload", form);
  assert.equal(reply.status, 202);
  const body = (await reply.json()) as any;
  assert.equal(body.dataset_name, "From a form");
  assert.match(body.s3_uri, /^s3:\/\/anneal\/uploads\//);
  assert.equal((await imported(body.import)).state, "done");
  const version = await anneal.get("/datasets/from%20a%20form/versions/1");
  assert.equal(version.val, 6);
  const none = new FormData();
  none.set("dataset_name", "x");
  assert.equal((await send("POST", "/datasets/upload", none)).status, 400);
  const odd = await send("POST", "/datasets/upload?name=x", "{}", "application/json");
  assert.equal(odd.status, 415);
});

test("an upload in parts goes on after a restart and asks for what is missing", async () => {
  const archive = patterns(10, 2);
  const part = 20_000, parts = Math.ceil(archive.length / part);
  const begun = await anneal.api("POST", "/datasets/uploads", { name: "parts", size: archive.length, part_bytes: part });
  assert.equal(begun.status, 201);
  const { upload: id } = (await begun.json()) as any;
  const put = (n: number, data = archive.subarray((n - 1) * part, n * part)) =>
    send("PUT", `/datasets/uploads/${id}/parts/${n}`, data, "application/octet-stream");
  for (let n = parts; n > 2; n--) assert.equal((await put(n)).status, 200);
  assert.equal((await put(1, archive.subarray(0, part - 1))).status, 400);
  assert.equal((await put(1, archive.subarray(0, part + 1))).status, 413);
  assert.equal((await put(parts + 1, archive.subarray(0, 10))).status, 404);
  await anneal.down("SIGKILL");
  await anneal.up();
  const state = await anneal.get(`/datasets/uploads/${id}`);
  assert.deepEqual(state.received, Array.from({ length: parts - 2 }, (_, i) => i + 3));
  const early = await anneal.api("POST", `/datasets/uploads/${id}/complete`);
  assert.equal(early.status, 409);
  assert.match(((await early.json()) as any).detail, /part 1 of/);
  assert.equal((await put(1)).status, 200);
  assert.equal((await put(2)).status, 200);
  const done = await anneal.api("POST", `/datasets/uploads/${id}/complete`);
  assert.equal(done.status, 202);
  const result = await imported(((await done.json()) as any).import);
  assert.equal(result.images, 36, JSON.stringify(result));
  assert.equal((await anneal.api("POST", `/datasets/uploads/${id}/complete`)).ok, false);
});

test("kill -9 in the middle of an import: it is done after the restart", async () => {
  const files = Array.from({ length: 1500 }, (_, i) => ({
    name: `${i % 2 ? "odd" : "even"}/${i}.png`, data: png(12, 12, (x, y) => [x * i, y + (i >> 8), i & 255]),
  }));
  const reply = await send("POST", "/datasets/upload?name=killed", tar(files), "application/x-tar");
  const { import: id } = (await reply.json()) as any;
  await until("the import runs", async () => (await anneal.get(`/datasets/imports/${id}`)).state === "running");
  await anneal.down("SIGKILL");
  await anneal.up();
  const done = await imported(id);
  assert.equal(done.state, "done");
  assert.equal(done.images, 1500);
  const version = await anneal.get("/datasets/killed/versions/latest");
  assert.equal(version.train + version.val, 1500);
});

test("hostile archives end with a clear error, and nothing is left", async () => {
  const picture = png(8, 8, (x, y) => [x, y, 200]);
  const good = { name: "cat/1.png", data: picture };
  const cases: [string, Buffer, string, RegExp][] = [
    ["leads out", tar([good, { name: "../../x.png", data: picture }]), "unsafe_path", /leads out/],
    ["absolute", tar([good, { name: "/etc/x.png", data: picture }]), "unsafe_path", /absolute/],
    ["nested", tar([good, { name: "more.zip", data: picture }]), "nested_archive", /more\.zip/],
    ["cut off", tar([good, good]).subarray(0, 700), "truncated", /ends early/],
    ["no archive", Buffer.from("just some text, longer than a few bytes"), "unsupported_format", /neither a zip nor a tar/],
    ["no pictures", tar([{ name: "1.txt", data: Buffer.from("0 1 1 1 1") }]), "unknown_layout", /no JPEG/],
  ];
  for (const [name, archive, fault, text] of cases) {
    const state = await upload(anneal, name, archive);
    assert.equal(state.state, "failed", name);
    assert.equal(state.error_fault, fault, name);
    assert.match(state.error, text);
    assert.equal((await anneal.api("GET", `/datasets/${encodeURIComponent(name)}`)).status, 404);
  }
});

test("an empty body, a bad name and a foreign version are refused", async () => {
  const archive = patterns(2, 1);
  assert.equal((await send("POST", "/datasets/upload?name=a%2Fb", archive, "application/zip")).status, 400);
  assert.equal((await send("POST", "/datasets/upload?name=", archive, "application/zip")).status, 400);
  assert.equal((await send("POST", "/datasets/upload?name=e", Buffer.alloc(0), "application/zip")).status, 400);
  assert.equal((await send("POST", "/datasets/upload?name=e&split=2/3", archive, "application/zip")).status, 400);
  assert.equal((await anneal.api("GET", "/datasets/patterns/versions/99")).status, 404);
  assert.equal((await anneal.api("GET", "/datasets/patterns/versions/1/images?class=zebra")).status, 400);
  assert.equal((await anneal.api("GET", "/datasets/imports/nothing")).status, 404);
});

test("a deleted dataset is gone and its name free", async () => {
  assert.equal((await anneal.api("DELETE", "/datasets/other")).status, 204);
  assert.equal((await anneal.api("GET", "/datasets/other")).status, 404);
  const done = await upload(anneal, "other", patterns(2, 1));
  assert.equal(done.state, "done");
});

test("a deleted dataset gives back what it alone had in the store", async () => {
  const archive = tar([0, 1, 2, 3, 4, 5].map((i) => ({
    name: `${i % 2 ? "cat" : "dog"}/${i}.png`,
    data: png(31, 17, (x, y) => [x * y + 40 * i, 7 * x, 251 - y - i]),
  })));
  // What was there before may go meanwhile: datasets that were deleted above are swept when their turn comes.
  const before = new Set(await kept(anneal));
  const added = async (what: string, n: number) => until(what, async () => (await kept(anneal)).filter((key) => !before.has(key)).length === n);
  assert.equal((await upload(anneal, "brief", archive)).state, "done");
  await added("pictures and a manifest", 7);
  assert.equal((await upload(anneal, "brief too", archive)).state, "done");
  assert.equal((await anneal.api("DELETE", "/datasets/brief")).status, 204);
  await added("shared pictures stay", 7);
  assert.equal((await anneal.api("GET", "/datasets/brief%20too/versions/1/images")).status, 200);
  assert.equal((await anneal.api("DELETE", "/datasets/brief%20too")).status, 204);
  await added("nothing left", 0);
});
