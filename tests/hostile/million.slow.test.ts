// A zip of a million entries, as one streamed body: refused by the default limit with constant memory; and one
// of 60,000 small pictures, which is allowed, is imported.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { Anneal, until } from "../lib/anneal";
import { plain } from "../lib/archives";
import { upload } from "../lib/jobs";
import { crc32, tar } from "../lib/pictures";
import { objects } from "../lib/store";
import { ofRole, resident } from "../lib/processes";

let anneal: Anneal;
before(async () => {
  anneal = await Anneal.start();
});
after(() => anneal.remove());

/** A zip with `n` stored entries of the same few bytes; beyond 65,535 the counts stand in a Zip64 record. */
function wide(n: number): Buffer {
  const data = plain(1, 4), crc = crc32(data), nameBytes = 12;
  const local = 30 + nameBytes + data.length, central = 46 + nameBytes;
  const out = Buffer.alloc(n * (local + central) + 56 + 20 + 22), start = n * local;
  for (let i = 0; i < n; i++) {
    const name = `cat/${String(i).padStart(7, "0")}`.padEnd(nameBytes, "p");
    const at = i * local, c = start + i * central;
    out.writeUInt32LE(0x04034b50, at);
    out.writeUInt16LE(20, at + 4);
    out.writeUInt32LE(0x5a210000, at + 10);
    out.writeUInt32LE(crc, at + 14);
    out.writeUInt32LE(data.length, at + 18);
    out.writeUInt32LE(data.length, at + 22);
    out.writeUInt16LE(nameBytes, at + 26);
    out.write(name, at + 30, "latin1");
    data.copy(out, at + 30 + nameBytes);
    out.writeUInt32LE(0x02014b50, c);
    out.writeUInt16LE(0x0314, c + 4);
    out.copy(out, c + 6, at + 4, at + 30);
    out.writeUInt32LE((0o100644 << 16) >>> 0, c + 38);
    out.writeUInt32LE(at, c + 42);
    out.write(name, c + 46, "latin1");
  }
  let at = start + n * central;
  const big = at;
  out.writeUInt32LE(0x06064b50, at);
  out.writeBigUInt64LE(44n, at + 4);
  out.writeUInt16LE(45, at + 12);
  out.writeUInt16LE(45, at + 14);
  for (const [k, v] of [n, n, n * central, start].entries()) out.writeBigUInt64LE(BigInt(v), at + 24 + 8 * k);
  at += 56;
  out.writeUInt32LE(0x07064b50, at);
  out.writeBigUInt64LE(BigInt(big), at + 8);
  out.writeUInt32LE(1, at + 16);
  at += 20;
  out.writeUInt32LE(0x06054b50, at);
  out.fill(0xff, at + 8, at + 20);
  return out;
}

test("a million entries are refused with constant memory", { timeout: 600_000 }, async () => {
  const before = await objects(anneal);
  let most = 0;
  const watching = setInterval(() => {
    for (const pid of ofRole(anneal.pid, "ingest"))
      try {
        most = Math.max(most, resident(pid));
      } catch {
        // it has just ended
      }
  }, 50);
  const state = await upload(anneal, "million", wide(1_000_000));
  clearInterval(watching);
  assert.deepEqual([state.state, state.error_fault], ["failed", "too_many_entries"], JSON.stringify(state));
  assert.match(state.error, /500000/);
  await until("nothing of it is stored", async () => JSON.stringify(await objects(anneal)) === JSON.stringify(before));
  assert.ok(resident(anneal.pid, "VmHWM") < 64e6, `serve held up to ${resident(anneal.pid, "VmHWM") / 1e6} MB`);
  assert.ok(most < 300e6, `the import held up to ${most / 1e6} MB`);
});

test("sixty thousand pictures are imported, one object for each content", { timeout: 600_000 }, async () => {
  const n = 60_000;
  const files = Array.from({ length: n }, (_, i) => ({ name: `${i % 2 ? "cat" : "dog"}/${i}.png`, data: plain(i % 256, 4) }));
  const state = await upload(anneal, "many", tar(files));
  assert.equal(state.state, "done", JSON.stringify(state));
  assert.equal(state.images, n);
  assert.ok((await objects(anneal)).filter((k) => k.startsWith("blobs/")).length <= 256);
  assert.ok(resident(anneal.pid, "VmHWM") < 100e6, `serve held up to ${resident(anneal.pid, "VmHWM") / 1e6} MB`);
  const page = await anneal.get("/datasets/many/versions/latest/faults?limit=1");
  assert.ok(page.total >= n - 256, "duplicates are counted without end");
});
