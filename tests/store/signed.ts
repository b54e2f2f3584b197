// One request to a store, signed by Signature Version 4 with node:crypto alone: an independent second
// implementation, so that the store's own signer is not its only witness.  Any header may be wrong on purpose.
import { createHash, createHmac } from "node:crypto";
import { request } from "node:http";

export interface Keys {
  access: string;
  secret: string;
}
export interface Ask {
  method?: string;
  query?: Record<string, string>;
  headers?: Record<string, string>;
  body?: string | Buffer;
  /** Host header, where it is not the address. */
  host?: string;
  /** null: not signed at all. */
  keys?: Keys | null;
  now?: Date;
  /** x-amz-content-sha256 in place of the body's. */
  payload?: string;
  /** Changes the request after it has been signed. */
  tamper?: (target: { path: string; headers: Record<string, string>; body: Buffer }) => void;
}
export interface Answer {
  status: number;
  headers: Record<string, string>;
  body: string;
  bytes: Buffer;
  /** <Code> of an error document. */
  code: string;
}

const sha = (b: string | Buffer): string => createHash("sha256").update(b).digest("hex");
const hmac = (key: string | Buffer, text: string): Buffer => createHmac("sha256", key).update(text).digest();
export const encode = (s: string, slash = false): string =>
  [...Buffer.from(s)].map((b) => {
    const c = String.fromCharCode(b);
    return /[A-Za-z0-9\-._~]/.test(c) || (slash && c === "/") ? c : `%${b.toString(16).toUpperCase().padStart(2, "0")}`;
  }).join("");
export const stamp = (d: Date): string => d.toISOString().replace(/[-:]|\.\d+/g, "");

export function signingKey(secret: string, day: string): Buffer {
  return hmac(hmac(hmac(hmac(`AWS4${secret}`, day), "us-east-1"), "s3"), "aws4_request");
}

const queryText = (q: Record<string, string>): string =>
  Object.entries(q).map(([k, v]) => [encode(k), encode(v)] as const).sort((a, b) => (a[0] < b[0] ? -1 : a[0] > b[0] ? 1 : 0)).map(([k, v]) => `${k}=${v}`).join("&");

function canonical(method: string, path: string, query: string, headers: Record<string, string>, payload: string): { text: string; names: string } {
  const names = Object.keys(headers).sort();
  return { names: names.join(";"),
    text: [method, path, query, ...names.map((n) => `${n}:${(headers[n] ?? "").trim().replace(/ +/g, " ")}`), "", names.join(";"), payload].join("\n") };
}

function signature(keys: Keys, when: string, text: string): string {
  const scope = `${when.slice(0, 8)}/us-east-1/s3/aws4_request`;
  return hmac(signingKey(keys.secret, when.slice(0, 8)), `AWS4-HMAC-SHA256\n${when}\n${scope}\n${sha(text)}`).toString("hex");
}

/** A presigned path and query. */
export function presign(keys: Keys, host: string, method: string, path: string, seconds: number, now = new Date(), more: Record<string, string> = {}): string {
  const when = stamp(now), target = encode(path, true);
  const query = queryText({ "X-Amz-Algorithm": "AWS4-HMAC-SHA256", "X-Amz-Credential": `${keys.access}/${when.slice(0, 8)}/us-east-1/s3/aws4_request`,
    "X-Amz-Date": when, "X-Amz-Expires": String(seconds), "X-Amz-SignedHeaders": "host", ...more });
  return `${target}?${query}&X-Amz-Signature=${signature(keys, when, canonical(method, target, query, { host }, "UNSIGNED-PAYLOAD").text)}`;
}

export function send(port: number, method: string, path: string, headers: Record<string, string>, body: Buffer): Promise<Answer> {
  return new Promise((done, fail) => {
    const r = request({ host: "127.0.0.1", port, method, path, headers: { ...headers, "content-length": String(body.length) } }, (reply) => {
      const pieces: Buffer[] = [];
      reply.on("data", (d: Buffer) => pieces.push(d));
      reply.on("error", fail);
      reply.on("end", () => {
        const bytes = Buffer.concat(pieces), text = bytes.toString();
        done({ status: reply.statusCode ?? 0, headers: reply.headers as Record<string, string>, body: text, bytes, code: /<Code>(\w+)<\/Code>/.exec(text)?.[1] ?? "" });
      });
    });
    r.on("error", fail);
    r.end(body);
  });
}

export function ask(port: number, root: Keys, path: string, a: Ask = {}): Promise<Answer> {
  const method = a.method ?? "GET", body = Buffer.from(a.body ?? ""), when = stamp(a.now ?? new Date());
  const target = encode(path, true), query = queryText(a.query ?? {});
  const headers: Record<string, string> = { host: a.host ?? `127.0.0.1:${port}` };
  for (const [k, v] of Object.entries(a.headers ?? {})) headers[k.toLowerCase()] = v;
  const keys = a.keys === undefined ? root : a.keys;
  if (keys) {
    headers["x-amz-date"] = when;
    headers["x-amz-content-sha256"] = a.payload ?? sha(body);
    const { text, names } = canonical(method, target, query, headers, headers["x-amz-content-sha256"]);
    headers["authorization"] = `AWS4-HMAC-SHA256 Credential=${keys.access}/${when.slice(0, 8)}/us-east-1/s3/aws4_request, ` +
      `SignedHeaders=${names}, Signature=${signature(keys, when, text)}`;
  }
  const sent = { path: query ? `${target}?${query}` : target, headers, body };
  a.tamper?.(sent);
  return send(port, method, sent.path, sent.headers, sent.body);
}
