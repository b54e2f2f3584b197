// Uploads as a body, as a form and in parts; what is too much, cut off or given up leaves nothing.
import assert from "node:assert/strict";
import { connect } from "node:net";
import { after, before, test } from "node:test";

import { Anneal, until } from "../lib/anneal";
import { form, twoClasses, zip } from "../lib/archives";
import { tar } from "../lib/pictures";
import { kept, objects } from "../lib/store";

const MiB = 1 << 20;
let anneal: Anneal;
const good = zip(twoClasses(6));

before(async () => {
  anneal = await Anneal.start(["--upload-bytes-max", "2MiB"]);
});
after(() => anneal.remove());

const stored = async () => (await objects(anneal)).join("\n");
const settled = async () => (await kept(anneal)).join("\n");
const bytes = (data: Buffer) => new Blob([new Uint8Array(data)]);

async function send(path: string, data: Buffer, type = "application/octet-stream", method = "POST"): Promise<{ status: number; body: any }> {
  const reply = await fetch(anneal.url + path, {
    method, headers: { authorization: `Bearer ${anneal.token}`, "content-type": type }, body: bytes(data) });
  return { status: reply.status, body: await reply.json() };
}
const finished = (id: string) => until("the import has ended", async () => {
  const state = await anneal.get(`/datasets/imports/${id}`);
  return ["done", "failed"].includes(state.state) && state;
});
const same = async (before: string) => {
  await until("nothing stays stored", async () => (await stored()) === before, 15_000);
};

test("one stream, a form and parts give the same version", async () => {
  const raw = await send("/datasets/upload?name=raw", good);
  assert.equal(raw.status, 202);
  assert.match(raw.body.s3_uri, /^s3:\/\/anneal\/uploads\//);
  assert.equal(raw.body.size, good.length);
  const f = form([{ name: "file", file: "flowers.zip", data: good }, { name: "dataset_name", data: "by form" }]);
  const formed = await send("/datasets/upload", f.body, f.type);
  assert.equal(formed.status, 202, JSON.stringify(formed.body));
  assert.equal(formed.body.dataset_name, "by form");
  assert.equal(formed.body.size, good.length);

  const partBytes = 700;
  const begun = await (await anneal.api("POST", "/datasets/uploads", { name: "by parts", size: good.length, part_bytes: partBytes })).json() as any;
  const count = Math.ceil(good.length / partBytes);
  assert.equal(begun.parts, count);
  const part = (n: number) => good.subarray((n - 1) * partBytes, n * partBytes);
  const put = (n: number, data = part(n)) => send(`/datasets/uploads/${begun.upload}/parts/${n}`, data, "application/octet-stream", "PUT");
  for (let n = count; n >= 2; n -= 2) assert.equal((await put(n)).status, 200);
  const early = await anneal.api("POST", `/datasets/uploads/${begun.upload}/complete`);
  assert.equal(early.status, 409);
  assert.match(((await early.json()) as any).detail, /missing/);
  assert.equal((await put(1, part(1).subarray(1))).status, 400);
  assert.equal((await put(count + 1, part(1))).status, 404);
  assert.equal((await put(1, Buffer.concat([part(1), part(1)]))).status, 413);
  // Here the client is interrupted: it asks what has arrived, after a restart of serve even.
  await anneal.down();
  await anneal.up();
  const have = (await anneal.get(`/datasets/uploads/${begun.upload}`)).received as number[];
  assert.ok(have.length > 0 && have.length < count, JSON.stringify(have));
  for (let n = 1; n <= count; n++) if (!have.includes(n)) assert.equal((await put(n)).status, 200);
  const done = await (await anneal.api("POST", `/datasets/uploads/${begun.upload}/complete`)).json() as any;
  assert.equal((await put(1)).status, 409);

  const states = [await finished(raw.body.import), await finished(formed.body.import), await finished(done.import)];
  assert.deepEqual(states.map((s) => s.state), ["done", "done", "done"], JSON.stringify(states));
  assert.equal(new Set(states.map((s) => s.version)).size, 1);
});

test("a form may name the dataset before the file, and by the file's own name", async () => {
  const named = form([{ name: "dataset_name", data: "first" }, { name: "split", data: "0.5/0.5" }, { name: "file", file: "x.zip", data: good }]);
  const first = await send("/datasets/upload", named.body, named.type);
  assert.equal(first.body.dataset_name, "first");
  assert.equal((await finished(first.body.import)).state, "done");
  const version = await anneal.get("/datasets/first/versions/latest");
  assert.deepEqual([version.train, version.val], [6, 6]);
  const bare = form([{ name: "file", file: "roses.v2.zip", data: good }]);
  const reply = await send("/datasets/upload", bare.body, bare.type);
  assert.equal(reply.status, 202);
  assert.match(reply.body.dataset_name, /^roses/);
  await finished(reply.body.import);
});

test("a malformed form is refused and leaves nothing", async () => {
  const before = await settled();
  const cases: [string, { type: string; body: Buffer }, RegExp][] = [
    ["no file", form([{ name: "dataset_name", data: "x" }]), /no field 'file'/],
    ["two files", form([{ name: "file", file: "a.zip", data: good }, { name: "file", file: "b.zip", data: good }]), /two files/],
    ["an unknown field", form([{ name: "colour", data: "red" }, { name: "file", file: "a.zip", data: good }]), /colour/],
    ["an unknown field behind the file", form([{ name: "file", file: "a.zip", data: good }, { name: "colour", data: "red" }]), /colour/],
    ["a split that is none", form([{ name: "file", file: "a.zip", data: good }, { name: "split", data: "half" }]), /half/],
    ["an empty file", form([{ name: "file", file: "a.zip", data: "" }]), /empty/],
    ["no end", { type: form([]).type, body: form([{ name: "file", file: "a.zip", data: good }]).body.subarray(0, -30) }, /./],
    ["no boundary", { type: "multipart/form-data", body: Buffer.from("x") }, /boundary/],
  ];
  for (const [what, f, says] of cases) {
    const reply = await send("/datasets/upload?name=bad-form", f.body, f.type);
    assert.ok(reply.status >= 400 && reply.status < 500, `${what}: ${reply.status} ${JSON.stringify(reply.body)}`);
    assert.match(reply.body.detail, says, what);
  }
  await same(before);
  assert.equal((await anneal.api("GET", "/datasets/bad-form")).status, 404);
});

test("an upload over the limit is 413, announced or not", async () => {
  const before = await settled();
  const announced = await send("/datasets/upload?name=big", Buffer.alloc(2 * MiB + 1));
  assert.equal(announced.status, 413, JSON.stringify(announced.body));
  assert.equal(announced.body.code, "too_large");
  const body = new ReadableStream({
    start(controller) {
      for (let i = 0; i < 6; i++) controller.enqueue(new Uint8Array(MiB / 2));
      controller.close();
    },
  });
  const chunked = await fetch(`${anneal.url}/datasets/upload?name=big`, { method: "POST", duplex: "half",
    headers: { authorization: `Bearer ${anneal.token}`, "content-type": "application/zip" }, body } as RequestInit);
  assert.equal(chunked.status, 413);
  const parts = await anneal.api("POST", "/datasets/uploads", { name: "big", size: 2 * MiB + 1 });
  assert.equal(parts.status, 413);
  await same(before);
});

test("wrong type, no name and an empty body are told apart", async () => {
  assert.equal((await send("/datasets/upload?name=x", good, "text/plain")).status, 415);
  const nameless = await send("/datasets/upload", good);
  assert.equal(nameless.status, 400);
  assert.match(JSON.stringify(nameless.body), /name/);
  const empty = await send("/datasets/upload?name=x", Buffer.alloc(0));
  assert.equal(empty.status, 400);
  assert.match(empty.body.detail, /empty/);
  for (const split of ["0.5/0.6", "0/1", "a/b", "0.5/0.2/0.2/0.1"]) {
    const reply = await send(`/datasets/upload?name=x&split=${split}`, good);
    assert.equal(reply.status, 400, split);
  }
});

test("a client that vanishes in the middle of an upload leaves nothing", async () => {
  const before = await settled();
  const archive = tar(twoClasses(40, 500));
  for (const kind of ["length", "chunked"]) {
    await new Promise<void>((done, fail) => {
      const socket = connect(anneal.port, "127.0.0.1", () => {
        socket.write(`POST /datasets/upload?name=gone HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${anneal.token}\r\n` +
          "Content-Type: application/x-tar\r\n" +
          (kind === "length" ? `Content-Length: ${archive.length}\r\n\r\n` : `Transfer-Encoding: chunked\r\n\r\n${archive.length.toString(16)}\r\n`));
        socket.write(archive.subarray(0, archive.length >> 1), () => socket.destroy());
      });
      socket.on("error", fail);
      socket.on("close", () => done());
    });
  }
  await same(before);
  assert.equal((await anneal.api("GET", "/datasets/gone")).status, 404);
  assert.equal((await fetch(`${anneal.url}/health`)).status, 200);
});

test("an upload that is given up is removed; a foreign one cannot be seen", async () => {
  const before = await settled();
  const begun = await (await anneal.api("POST", "/datasets/uploads", { name: "dropped", size: 1000, part_bytes: 600 })).json() as any;
  assert.equal((await send(`/datasets/uploads/${begun.upload}/parts/1`, Buffer.alloc(600), "application/octet-stream", "PUT")).status, 200);
  assert.notEqual(await stored(), before);
  assert.equal((await anneal.api("DELETE", `/datasets/uploads/${begun.upload}`)).status, 204);
  await same(before);
  assert.equal((await anneal.api("GET", `/datasets/uploads/${begun.upload}`)).status, 404);
});
