// A tar around chosen files, as a Blob of Blobs: the browser reads the files when it sends them, so nothing is
// held in memory.  POSIX.1-2001: names beyond 100 bytes travel as a pax header.
export interface Named { path: string; file: Blob }

const BLOCK = 512;
const text = new TextEncoder();

function header(name: Uint8Array, size: number, type: "0" | "x"): Uint8Array<ArrayBuffer> {
  const head = new Uint8Array(BLOCK);
  const put = (at: number, value: string) => head.set(text.encode(value), at);
  head.set(name.subarray(0, 100));
  put(100, "0000644"); // mode, owner, group, size, time: octal, each closed by a zero byte
  put(108, "0000000");
  put(116, "0000000");
  put(124, size.toString(8).padStart(11, "0"));
  put(136, "00000000000");
  put(148, "        "); // the sum counts its own field as spaces
  put(156, type);
  put(257, "ustar");
  put(263, "00");
  const sum = head.reduce((a, b) => a + b, 0);
  put(148, `${sum.toString(8).padStart(6, "0")}\x00 `);
  return head;
}

const padding = (size: number) => new Uint8Array((BLOCK - (size % BLOCK)) % BLOCK);

/** "27 path=..\n": the number counts its own digits. */
function record(key: string, value: string): Uint8Array<ArrayBuffer> {
  const rest = text.encode(` ${key}=${value}\n`).length;
  let length = rest + String(rest).length;
  if (String(length).length !== String(rest).length) length = rest + String(length).length;
  return text.encode(`${length} ${key}=${value}\n`);
}

export function tar(files: Named[]): Blob {
  const parts: BlobPart[] = [];
  for (const { path, file } of files) {
    const name = text.encode(path);
    if (name.length > 100 || file.size >= 8 ** 11) {
      const pax = record("path", path);
      const size = file.size >= 8 ** 11 ? record("size", String(file.size)) : new Uint8Array();
      parts.push(header(text.encode("pax"), pax.length + size.length, "x"), pax, size, padding(pax.length + size.length));
    }
    parts.push(header(name, Math.min(file.size, 8 ** 11 - 1), "0"), file, padding(file.size));
  }
  parts.push(new Uint8Array(2 * BLOCK));
  return new Blob(parts, { type: "application/x-tar" });
}
