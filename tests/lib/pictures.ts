// Pictures and archives made by the tests themselves: small PNGs in classes that a tiny net can learn, in a
// tar (POSIX ustar).
import { deflateSync } from "node:zlib";

const crcTable = Array.from({ length: 256 }, (_, n) => {
  let c = n;
  for (let k = 0; k < 8; k++) c = c & 1 ? 0xedb88320 ^ (c >>> 1) : c >>> 1;
  return c >>> 0;
});

export function crc32(data: Buffer): number {
  let c = 0xffffffff;
  for (const byte of data) c = (crcTable[(c ^ byte) & 255] ?? 0) ^ (c >>> 8);
  return (c ^ 0xffffffff) >>> 0;
}

export function chunk(type: string, data: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(type, "latin1"), data]);
  const out = Buffer.alloc(body.length + 8);
  out.writeUInt32BE(data.length, 0);
  body.copy(out, 4);
  out.writeUInt32BE(crc32(body), body.length + 4);
  return out;
}

/** An RGB PNG; `pixel` gives three values of 0..255. */
export function png(width: number, height: number, pixel: (x: number, y: number) => number[]): Buffer {
  const head = Buffer.alloc(13);
  head.writeUInt32BE(width, 0);
  head.writeUInt32BE(height, 4);
  head.set([8, 2, 0, 0, 0], 8);
  const rows = Buffer.alloc(height * (1 + 3 * width));
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++) rows.set(pixel(x, y), y * (1 + 3 * width) + 1 + 3 * x);
  return Buffer.concat([Buffer.from("\x89PNG\r\n\x1a\n", "latin1"), chunk("IHDR", head),
    chunk("IDAT", deflateSync(rows)), chunk("IEND", Buffer.alloc(0))]);
}

/** A reproducible number in [0, 1). */
export function noise(...keys: number[]): number {
  let h = 2166136261;
  for (const k of keys) h = Math.imul(h ^ (k + 0x9e3779b9), 16777619);
  h ^= h >>> 15;
  h = Math.imul(h, 0x2c1b3c6d);
  h ^= h >>> 12;
  return (h >>> 0) / 4294967296;
}

export interface TarFile {
  name: string;
  data: Buffer;
  /** Where a link points; `type` is then 1 (hard) or 2 (symbolic). */
  link?: string;
  type?: number;
}

export function tar(files: TarFile[]): Buffer {
  const parts: Buffer[] = [];
  for (const file of files) {
    const head = Buffer.alloc(512);
    head.write(file.name, 0, 100, "utf8");
    head.write("0000644\0" + "0000000\0" + "0000000\0", 100, "latin1");
    head.write(file.data.length.toString(8).padStart(11, "0") + "\0", 124, "latin1");
    head.write("00000000000\0        0", 136, "latin1");
    if (file.type) head.write(String(file.type), 156, "latin1");
    if (file.link) head.write(file.link, 157, 100, "utf8");
    head.write("ustar\0" + "00", 257, "latin1");
    let sum = 0;
    for (const byte of head) sum += byte;
    head.write(sum.toString(8).padStart(6, "0") + "\0 ", 148, "latin1");
    parts.push(head, file.data, Buffer.alloc((512 - (file.data.length % 512)) % 512));
  }
  parts.push(Buffer.alloc(1024));
  return Buffer.concat(parts);
}

/** Stripes, squares and discs in noise: an image folder with train and val. */
export function patterns(train: number, val: number): Buffer {
  const kinds = ["disc", "square", "stripes"];
  const files = kinds.flatMap((kind, k) =>
    Array.from({ length: train + val }, (_, i) => ({
      name: `${i < train ? "train" : "val"}/${kind}/${i}.png`,
      data: png(24, 24, (x, y) => {
        const dx = x - 8 - 8 * noise(k, i, 1), dy = y - 8 - 8 * noise(k, i, 2);
        const inside = kind === "disc" ? dx * dx + dy * dy < 36
          : kind === "square" ? Math.abs(dx) < 5 && Math.abs(dy) < 5 : (x + i) % 6 < 3;
        return [0, 1, 2].map((c) => Math.floor((inside ? 150 : 40) + 80 * noise(k, i, x, y, c)));
      }),
    })));
  return tar(files);
}
