// Archives that attack: each is one clear error or a counted fault, nothing of it stays stored, serve does
// not grow, and the dataset service goes on afterwards.
import assert from "node:assert/strict";
import { randomFillSync } from "node:crypto";
import { gzipSync } from "node:zlib";
import { after, before, test } from "node:test";

import { Anneal, until } from "../lib/anneal";
import { lyingPng, plain, twoClasses, zip } from "../lib/archives";
import { upload } from "../lib/jobs";
import { png, tar } from "../lib/pictures";
import { resident } from "../lib/processes";
import { kept, objects } from "../lib/store";

const MiB = 1 << 20;
let anneal: Anneal;

before(async () => {
  anneal = await Anneal.start(["--archive-entries-max", "200", "--unpacked-bytes-max", "100MiB"]);
});
after(() => anneal.remove());

const stored = async () => (await objects(anneal)).join("\n");
const settled = async () => (await kept(anneal)).join("\n");
const datasets = async () => (await anneal.get("/datasets")).datasets.map((d: any) => d.name) as string[];

let names = 0;
/** Uploads what must be refused; the import's last state. */
async function refused(archive: Buffer): Promise<any> {
  const name = `bad-${++names}`, before = await settled(), known = await datasets();
  const state = await upload(anneal, name, archive);
  assert.equal(state.state, "failed", `${name} was imported: ${JSON.stringify(state)}`);
  assert.ok(state.error.length > 20, `no clear text: '${state.error}'`);
  await until("nothing of it is stored", async () => (await stored()) === before, 10_000);
  assert.deepEqual(await datasets(), known, "the dataset's row stayed");
  return state;
}

/** Zeros with some noise: shrinks to a twentieth, so that no ratio gives it away. */
function half(bytes: number): Buffer {
  const out = Buffer.alloc(bytes);
  for (let at = 0; at < bytes; at += MiB) randomFillSync(out, at, MiB / 20);
  return out;
}

const picture = { name: "cat/1.png", data: plain(1) };
const refusals: { what: string; archive: () => Buffer; fault: string; says: RegExp }[] = [
  { what: "a zip that climbs out with ../", fault: "unsafe_path", says: /\.\.\/\.\.\/evil\.png/,
    archive: () => zip([picture, { name: "../../evil.png", data: plain(2) }]) },
  { what: "a zip that climbs out from inside", fault: "unsafe_path", says: /leads out/,
    archive: () => zip([picture, { name: "cat/../../../etc/cron.d/x", data: plain(2) }]) },
  { what: "a zip that climbs out with backslashes", fault: "unsafe_path", says: /evil/,
    archive: () => zip([picture, { name: "..\\..\\evil.png", data: plain(2) }]) },
  { what: "an absolute name in a zip", fault: "unsafe_path", says: /\/etc\/passwd/,
    archive: () => zip([picture, { name: "/etc/passwd", data: plain(2) }]) },
  { what: "a drive's name in a zip", fault: "unsafe_path", says: /drive/,
    archive: () => zip([picture, { name: "C:\\cat\\2.png", data: plain(2) }]) },
  { what: "an absolute name in a tar", fault: "unsafe_path", says: /absolute/,
    archive: () => tar([picture, { name: "/tmp/evil.png", data: plain(2) }]) },
  { what: "a tar that climbs out", fault: "unsafe_path", says: /leads out/,
    archive: () => tar([picture, { name: "../evil.png", data: plain(2) }]) },
  { what: "a symbolic link in a zip", fault: "link", says: /cat\/link\.png/,
    archive: () => zip([picture, { name: "cat/link.png", data: Buffer.from("/etc/passwd"), mode: 0o120777 }]) },
  { what: "a symbolic link in a tar", fault: "link", says: /cat\/link\.png/,
    archive: () => tar([picture, { name: "cat/link.png", data: Buffer.alloc(0), type: 2, link: "/etc/passwd" }]) },
  { what: "a hard link in a tar", fault: "link", says: /link/,
    archive: () => tar([picture, { name: "cat/link.png", data: Buffer.alloc(0), type: 1, link: "cat/1.png" }]) },
  { what: "a pipe in a tar", fault: "link", says: /pipe|device/,
    archive: () => tar([picture, { name: "cat/pipe.png", data: Buffer.alloc(0), type: 6 }]) },
  { what: "an encrypted zip", fault: "encrypted", says: /encrypted|password/,
    archive: () => zip([{ ...picture, flags: 0x801 }, { name: "cat/2.png", data: plain(2), flags: 0x801 }]) },
  { what: "an archive inside", fault: "nested_archive", says: /cat\/more\.zip/,
    archive: () => zip([picture, { name: "cat/more.zip", data: zip([picture]) }]) },
  { what: "more entries than the limit", fault: "too_many_entries", says: /200/,
    archive: () => zip(Array.from({ length: 201 }, (_, i) => ({ name: `cat/${i}.png`, data: plain(i, 4) }))) },
  { what: "more entries than the limit in a tar", fault: "too_many_entries", says: /200/,
    archive: () => tar(Array.from({ length: 201 }, (_, i) => ({ name: `cat/${i}.png`, data: plain(i, 4) }))) },
  { what: "a zip bomb by ratio", fault: "bomb", says: /times its own size/,
    archive: () => zip([picture, { name: "cat/zeros.png", data: Buffer.alloc(90 * MiB) }]) },
  { what: "a zip bomb by sum", fault: "bomb", says: /unpacks to more than 104857600/,
    archive: () => zip([picture, ...Array.from({ length: 3 }, (_, i) => ({ name: `cat/${i}.bin`, data: half(40 * MiB) }))]) },
  { what: "an entry that claims more than the limit", fault: "bomb", says: /unpacks to more than 104857600/,
    archive: () => zip([picture, { name: "cat/2.png", data: plain(2), size: 101 * MiB }]) },
  { what: "a bomb that claims to be small", fault: "bomb", says: /unpacks|size/,
    archive: () => zip([picture, { name: "cat/zeros.png", data: Buffer.alloc(120 * MiB), size: 1000 }]) },
  { what: "a gzip bomb", fault: "bomb", says: /unpacks|size/,
    archive: () => gzipSync(tar([picture, { name: "cat/zeros.png", data: Buffer.alloc(99 * MiB) }])) },
  { what: "a zip that ends early", fault: "truncated", says: /ends early|damaged/,
    archive: () => zip(twoClasses(20)).subarray(0, -100) },
  { what: "a zip that ends in a picture", fault: "truncated", says: /ends early|damaged/,
    archive: () => { const all = zip(twoClasses(20)); return all.subarray(0, all.length >> 1); } },
  { what: "a tar that ends in a picture", fault: "truncated", says: /ends early|damaged/,
    archive: () => { const all = tar(twoClasses(20)); return all.subarray(0, (all.length >> 1) + 100); } },
  { what: "a tar.gz that ends early", fault: "truncated", says: /ends early|damaged/,
    archive: () => { const all = gzipSync(tar(twoClasses(20))); return all.subarray(0, all.length - 40); } },
  { what: "what is no archive", fault: "unsupported_format", says: /neither a zip nor a tar/,
    archive: () => Buffer.from("GIF89a is not what we asked for. ".repeat(100)) },
  { what: "one picture in place of an archive", fault: "unsupported_format", says: /neither a zip nor a tar/,
    archive: () => plain(1, 64) },
  { what: "a zip without pictures", fault: "unknown_layout", says: /no JPEG, PNG or WebP/,
    archive: () => zip([{ name: "cat/readme.md", data: Buffer.from("hello") }]) },
  { what: "an empty zip", fault: "unknown_layout", says: /the zip file is empty/, archive: () => zip([]) },
  { what: "a directory that hides entries from its end record", fault: "", says: /200|directory/,
    archive: () => {
      const all = zip(Array.from({ length: 201 }, (_, i) => ({ name: `cat/${i}.png`, data: plain(i, 4) })));
      all.writeUInt16LE(1, all.length - 14);
      all.writeUInt16LE(1, all.length - 12);
      return all;
    } },
  { what: "a directory that points outside of the file", fault: "truncated", says: /directory|damaged/,
    archive: () => {
      const all = zip(twoClasses(5));
      all.writeUInt32LE(0xfffffff0, all.length - 6);
      return all;
    } },
  { what: "only broken pictures", fault: "", says: /picture/,
    archive: () => zip([{ name: "cat/1.jpg", data: Buffer.from("\xff\xd8\xff\xe0 no more", "latin1") },
      { name: "dog/1.png", data: plain(1).subarray(0, 60) }]) },
];

for (const refusal of refusals)
  test(`${refusal.what} is refused by name and leaves nothing`, { timeout: 120_000 }, async () => {
    const state = await refused(refusal.archive());
    if (refusal.fault) assert.equal(state.error_fault, refusal.fault, JSON.stringify(state));
    assert.match(state.error, refusal.says);
  });

test("serve held its memory through all of them", () => {
  assert.ok(resident(anneal.pid, "VmHWM") < 64e6, `serve held up to ${resident(anneal.pid, "VmHWM") / 1e6} MB`);
});

async function imported(name: string, archive: Buffer): Promise<{ state: any; version: any; faults: any[] }> {
  const state = await upload(anneal, name, archive);
  assert.equal(state.state, "done", JSON.stringify(state));
  const version = await anneal.get(`/datasets/${name}/versions/latest`);
  const reply = await anneal.get(`/datasets/${name}/versions/latest/faults?limit=500`);
  assert.equal(reply.total, state.faults);
  return { state, version, faults: reply.faults };
}

test("broken and lying pictures among good ones are counted by file, the good ones imported", async () => {
  const bad = [
    { name: "cat/cut.png", data: plain(90, 64).subarray(0, 80) },
    { name: "cat/broken.jpg", data: Buffer.concat([Buffer.from([0xff, 0xd8, 0xff, 0xe0, 0, 16]), Buffer.alloc(300, 7)]) },
    { name: "dog/huge.png", data: lyingPng(29_999, 29_999) },
    { name: "dog/taller.png", data: lyingPng(24, 4000) },
    { name: "dog/zero.png", data: lyingPng(0, 24) },
    { name: "dog/empty.jpg", data: Buffer.alloc(0) },
    { name: "dog/text.png", data: Buffer.from("I am text") },
  ];
  const { version, faults } = await imported("mixed", zip([...twoClasses(5), ...bad]));
  assert.equal(version.images, 10);
  for (const file of bad) {
    const fault = faults.find((f) => f.file === file.name || f.image === file.name);
    assert.ok(fault, `no fault names ${file.name}: ${JSON.stringify(faults)}`);
    assert.equal(fault.severity, "error");
    assert.match(fault.code, /corrupt_image|too_large|unsupported_format/, file.name);
    assert.ok(fault.message.length > 5 && fault.action, JSON.stringify(fault));
  }
  assert.ok(resident(anneal.pid, "VmHWM") < 64e6);
});

test("duplicates are found by content, and a conflict of labels is told", async () => {
  const same = plain(77);
  const { version, faults } = await imported("twice", zip([...twoClasses(4),
    { name: "cat/copy.png", data: same }, { name: "cat/copy2.png", data: same }, { name: "dog/copy3.png", data: same }]));
  const found = faults.filter((f) => f.code === "duplicate_image");
  assert.ok(found.length >= 2, JSON.stringify(faults));
  assert.ok(found.some((f) => /label|class|cat|dog/.test(f.message)), `no word of the conflict: ${JSON.stringify(found)}`);
  assert.equal(version.stats.duplicates, 2);
});

test("names that are not UTF-8 are repaired, shown and importable", async () => {
  const latin = Buffer.concat([Buffer.from("cat/f"), Buffer.from([0xfc, 0xdf]), Buffer.from(".png")]);
  const { version, faults } = await imported("names", zip([...twoClasses(3), { name: latin, data: plain(60), flags: 0 }]));
  assert.equal(version.images, 7);
  assert.ok(faults.some((f) => f.code === "bad_utf8_name" && f.file === "cat/f%FC%DF.png"), JSON.stringify(faults));
});

test("the same name twice keeps the first and says so", async () => {
  const { version, faults } = await imported("names2", zip([...twoClasses(3), { name: "cat/0.png", data: plain(61) }]));
  assert.equal(version.images, 6);
  assert.ok(faults.some((f) => f.code === "duplicate_name" && f.file === "cat/0.png"));
});

test("faults of annotations carry file and line", async () => {
  const boxes = ["0 0.5 0.5 0.2 0.2", "7 0.5 0.5 0.2 0.2", "zero 0.5 0.5", "0 0.5 0.5 0 0.2"].join("\n");
  const { faults } = await imported("boxes", zip([
    { name: "data.yaml", data: Buffer.from("names: [cat, dog]\n") },
    { name: "images/1.png", data: plain(1, 64) }, { name: "labels/1.txt", data: Buffer.from(boxes) },
    { name: "images/2.png", data: plain(2, 64) }, { name: "labels/2.txt", data: Buffer.from("1 0.5 0.5 0.5 0.5\n") },
    { name: "labels/3.txt", data: Buffer.from("1 0.5 0.5 0.5 0.5\n") },
  ]));
  const at = (line: number) => faults.find((f) => f.file === "labels/1.txt" && f.line === line)?.code;
  assert.deepEqual([at(2), at(3), at(4)], ["class_out_of_range", "bad_line", "zero_area_box"], JSON.stringify(faults));
  assert.ok(faults.some((f) => f.code === "missing_image" && f.file === "labels/3.txt"), JSON.stringify(faults));
});

test("a COCO file that breaks off names file and line", async () => {
  const text = '{"images": [{"id": 1, "file_name": "1.png", "width": 64,\n "height": 64}],\n "annotations": [{"id": 1, }]}';
  const state = await upload(anneal, "coco", zip([{ name: "a.json", data: Buffer.from(text) }, { name: "1.png", data: plain(1, 64) },
    { name: "2.png", data: plain(2, 64) }]));
  if (state.state === "failed") {
    assert.match(state.error, /a\.json|labels/);
  } else {
    const faults = (await anneal.get("/datasets/coco/versions/latest/faults")).faults;
    assert.ok(faults.some((f: any) => f.file === "a.json" && f.line === 3), JSON.stringify(faults));
  }
});

test("a good archive still imports, with pictures and previews to see", async () => {
  const big = png(400, 300, (x, y) => [x & 255, y & 255, 9]);
  const { version } = await imported("good", zip([...twoClasses(5, 200), { name: "cat/big.png", data: big }]));
  assert.equal(version.images, 11);
  const images = (await anneal.get("/datasets/good/versions/latest/images?limit=100")).images;
  assert.equal(images.length, 11);
  const one = images.find((i: any) => i.name.endsWith("big.png"));
  const original = await anneal.api("GET", `/datasets/good/blobs/${one.sha256}`);
  assert.deepEqual(Buffer.from(await original.arrayBuffer()), big);
});

test("imports are counted by result", async () => {
  const text = await (await anneal.api("GET", "/metrics")).text();
  const count = (result: string) => Number(new RegExp(`dataset_imports_total\\{result="${result}"\\} (\\d+)`).exec(text)?.[1]);
  assert.ok(count("failed") >= refusals.length, text);
  assert.ok(count("done") >= 6);
});
