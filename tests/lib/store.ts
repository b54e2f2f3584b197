// What lies in serve's object store: its list of keys, asked through S3 with the keys of the data directory.
import { createHash, createHmac } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";

import { type Anneal, until } from "./anneal";

const hmac = (key: Buffer | string, text: string) => createHmac("sha256", key).update(text).digest();

/** The store's access and secret key. */
export function storeKeys(anneal: Anneal): [string, string] {
  const words = readFileSync(join(anneal.dir, "store.keys"), "utf8").trim().split(/\s+/);
  return [words[0] ?? "", words[1] ?? ""];
}

/** A presigned URL of the bucket, or of an object in it (Signature Version 4). */
function presigned(anneal: Anneal, method: string, path: string, more: Record<string, string> = {}): string {
  const [access, secret] = storeKeys(anneal), host = `127.0.0.1:${anneal.storePort}`;
  const now = new Date().toISOString().replace(/[-:]|\.\d+/g, ""), day = now.slice(0, 8);
  const scope = `${day}/us-east-1/s3/aws4_request`;
  const query = Object.entries({
    "X-Amz-Algorithm": "AWS4-HMAC-SHA256", "X-Amz-Credential": `${access}/${scope}`, "X-Amz-Date": now,
    "X-Amz-Expires": "60", "X-Amz-SignedHeaders": "host", ...more,
  }).map(([k, v]) => `${encodeURIComponent(k)}=${encodeURIComponent(v)}`).join("&");
  const canonical = `${method}\n${path}\n${query}\nhost:${host}\n\nhost\nUNSIGNED-PAYLOAD`;
  const text = `AWS4-HMAC-SHA256\n${now}\n${scope}\n${createHash("sha256").update(canonical).digest("hex")}`;
  const key = ["us-east-1", "s3", "aws4_request"].reduce((k, word) => hmac(k, word), hmac(`AWS4${secret}`, day));
  return `http://${host}${path}?${query}&X-Amz-Signature=${hmac(key, text).toString("hex")}`;
}

/** Keys of all objects, sorted: a ListObjectsV2 for each thousand. */
export async function objects(anneal: Anneal): Promise<string[]> {
  const keys: string[] = [];
  for (let after = ""; ; ) {
    const reply = await fetch(presigned(anneal, "GET", "/anneal", { "list-type": "2", "start-after": after }));
    const xml = await reply.text();
    if (!reply.ok) throw new Error(`list: ${reply.status} ${xml}`);
    keys.push(...[...xml.matchAll(/<Key>([^<]*)<\/Key>/g)].map((m) => m[1] ?? ""));
    if (!xml.includes("<IsTruncated>true")) return keys;
    after = keys.at(-1) ?? "";
  }
}

/** The keys of what stays, once the imports that have ended have removed what was there for them alone (they do after
 * they say "done").  No upload may be open. */
export async function kept(anneal: Anneal): Promise<string[]> {
  return until("imports have removed their uploads, reports and edits", async () => {
    const keys = await objects(anneal);
    return !keys.some((key) => /^(uploads|reports|drafts)\//.test(key)) && keys;
  });
}

/** Takes an object away behind serve's back. */
export async function removeObject(anneal: Anneal, key: string): Promise<void> {
  const reply = await fetch(presigned(anneal, "DELETE", `/anneal/${key}`), { method: "DELETE" });
  if (!reply.ok) throw new Error(`delete ${key}: ${reply.status} ${await reply.text()}`);
}
