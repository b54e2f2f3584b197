// Archives that an honest packer would not write: zip files with every header open to lies, tars with
// links, multipart bodies.  For the tests of hostile uploads.
import { deflateRawSync } from "node:zlib";

import { chunk, crc32, png, type TarFile } from "./pictures";

export interface ZipFile {
  name: string | Buffer;
  data: Buffer;
  /** Unix mode in the external attributes: 0o120777 is a symbolic link. */
  mode?: number;
  flags?: number;
  stored?: boolean;
  /** Claimed instead of the truth. */
  crc?: number;
  size?: number;
}

export function zip(files: ZipFile[]): Buffer {
  const parts: Buffer[] = [], directory: Buffer[] = [];
  let at = 0;
  for (const file of files) {
    const name = typeof file.name === "string" ? Buffer.from(file.name) : file.name;
    const body = file.stored ? file.data : deflateRawSync(file.data, { level: 9 });
    const flags = file.flags ?? (typeof file.name === "string" ? 0x800 : 0);
    const head = Buffer.alloc(30);
    head.writeUInt32LE(0x04034b50, 0);
    head.writeUInt16LE(20, 4);
    head.writeUInt16LE(flags, 6);
    head.writeUInt16LE(file.stored ? 0 : 8, 8);
    head.writeUInt32LE(0x5a210000, 10);
    head.writeUInt32LE(file.crc ?? crc32(file.data), 14);
    head.writeUInt32LE(body.length, 18);
    head.writeUInt32LE(file.size ?? file.data.length, 22);
    head.writeUInt16LE(name.length, 26);
    const entry = Buffer.alloc(46);
    entry.writeUInt32LE(0x02014b50, 0);
    entry.writeUInt16LE(0x0314, 4); // made on Unix
    head.copy(entry, 6, 4, 30);
    entry.writeUInt32LE(((file.mode ?? 0o100644) << 16) >>> 0, 38);
    entry.writeUInt32LE(at, 42);
    parts.push(head, name, body);
    directory.push(entry, name);
    at += head.length + name.length + body.length;
  }
  const central = Buffer.concat(directory);
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50, 0);
  end.writeUInt16LE(files.length, 8);
  end.writeUInt16LE(files.length, 10);
  end.writeUInt32LE(central.length, 12);
  end.writeUInt32LE(at, 16);
  return Buffer.concat([...parts, central, end]);
}

/** A PNG whose header claims another size than its rows have. */
export function lyingPng(width: number, height: number): Buffer {
  const head = Buffer.alloc(13);
  head.writeUInt32BE(width, 0);
  head.writeUInt32BE(height, 4);
  head.set([8, 2, 0, 0, 0], 8);
  const honest = plain(1, 24);
  return Buffer.concat([honest.subarray(0, 8), chunk("IHDR", head), honest.subarray(33)]);
}

/** A picture of one colour. */
export function plain(n: number, side = 16): Buffer {
  return png(side, side, () => [(n * 37) & 255, (n * 91) & 255, (n * 53) & 255]);
}

/** An image folder of two classes with `n` pictures each; `from` gives other pictures. */
export function twoClasses(n: number, from = 0): TarFile[] {
  return ["cat", "dog"].flatMap((name, k) =>
    Array.from({ length: n }, (_, i) => ({ name: `${name}/${i}.png`, data: plain(from + 2 * i + k) })));
}

/** A multipart/form-data body; a field is text or a file. */
export function form(fields: { name: string; file?: string; data: string | Buffer }[]): { type: string; body: Buffer } {
  const boundary = "----anneal-test-boundary";
  const parts = fields.flatMap((field) => [
    Buffer.from(`--${boundary}\r\nContent-Disposition: form-data; name="${field.name}"` +
      (field.file === undefined ? "" : `; filename="${field.file}"\r\nContent-Type: application/octet-stream`) + "\r\n\r\n"),
    Buffer.from(field.data), Buffer.from("\r\n"),
  ]);
  return { type: `multipart/form-data; boundary=${boundary}`, body: Buffer.concat([...parts, Buffer.from(`--${boundary}--\r\n`)]) };
}
