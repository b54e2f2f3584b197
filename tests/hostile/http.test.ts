// Requests that no honest client sends: each is answered in time with the right status and a problem
// document, and serve goes on.  Raw bytes over a socket, because fetch would refuse to send them.
import assert from "node:assert/strict";
import { connect } from "node:net";
import { after, before, test } from "node:test";

import { Anneal, until } from "../lib/anneal";
import { resident } from "../lib/processes";

let anneal: Anneal;
before(async () => {
  anneal = await Anneal.start();
});
after(() => anneal.remove());

interface Raw {
  status: number;
  head: string;
  body: string;
}

/** Sends bytes and reads until the peer closes, or until one whole reply is there. */
function raw(text: string | Buffer, wait: "reply" | "close" = "reply"): Promise<Raw> {
  return new Promise((done, fail) => {
    let got = "";
    const socket = connect(anneal.port, "127.0.0.1", () => socket.write(text));
    const timer = setTimeout(() => (socket.destroy(), fail(new Error(`no ${wait}; so far: ${got.slice(0, 200)}`))), 30_000);
    const end = () => {
      clearTimeout(timer);
      socket.destroy();
      const cut = got.indexOf("\r\n\r\n");
      done({ status: Number(/^HTTP\/1\.[01] (\d+)/.exec(got)?.[1] ?? 0), head: got.slice(0, cut), body: got.slice(cut + 4) });
    };
    socket.on("data", (d: Buffer) => {
      got += d.toString("latin1");
      const cut = got.indexOf("\r\n\r\n"), length = /content-length: (\d+)/i.exec(got)?.[1];
      if (wait === "reply" && cut > 0 && length && got.length >= cut + 4 + Number(length)) end();
    });
    socket.on("error", () => undefined); // a reset after the reply is fine
    socket.on("close", end);
  });
}

function assertProblem(body: any, status: number, what: string): void {
  assert.equal(body.status, status, `${what}: ${JSON.stringify(body)}`);
  for (const key of ["title", "code", "detail"])
    assert.ok(typeof body[key] === "string" && body[key].length > 1, `${what}: no ${key} in ${JSON.stringify(body)}`);
}
const auth = () => ({ authorization: `Bearer ${anneal.token}` });
async function problem(what: string, status: number, method: string, path: string, init: RequestInit = {}): Promise<any> {
  const reply = await fetch(anneal.url + path, { method, ...init, headers: { ...auth(), ...(init.headers as any) } });
  assert.equal(reply.status, status, `${what}: ${reply.status} ${await reply.clone().text()}`);
  assert.equal(reply.headers.get("content-type"), "application/problem+json", what);
  const body = await reply.json();
  assertProblem(body, status, what);
  return body;
}
const json = (body: string, type = "application/json"): RequestInit => ({ body, headers: { "content-type": type } });

test("every kind of failure is a problem document with a stable code", async () => {
  assert.equal((await problem("unknown path", 404, "GET", "/nothing/here")).code, "not_found");
  assert.equal((await problem("unknown job", 404, "GET", "/training/jobs/nope")).code, "not_found");
  assert.equal((await problem("unknown dataset", 404, "GET", "/datasets/nope")).code, "not_found");
  assert.equal((await problem("no such parameter", 400, "GET", "/datasets?colour=red")).code, "invalid_request");
  assert.match((await problem("no such parameter", 400, "GET", "/datasets?colour=red")).detail, /colour/);
  assert.equal((await problem("wrong type", 415, "POST", "/training/jobs", json("{\"dataset\":\"x\"}", "text/plain"))).code, "unsupported_media");
  assert.equal((await problem("limit out of range", 400, "GET", "/training/jobs?limit=100000")).errors[0].field, "limit");
  assert.equal((await problem("limit not a number", 400, "GET", "/training/jobs?limit=ten")).errors[0].field, "limit");
  await problem("a foreign cursor", 400, "GET", "/training/jobs?cursor=%00%FF%FE");
  await problem("a forged cursor", 400, "GET", "/datasets?cursor=eyJub3QiOiJvdXJzIn0");
  assert.equal((await problem("too large a JSON", 413, "POST", "/training/jobs", json(`{"dataset":"${"x".repeat(5 << 20)}"}`))).code, "too_large");
});

test("JSON that attacks is refused with a reason", async () => {
  const refuse = async (what: string, body: string | Buffer, says: RegExp) => {
    const reply = await fetch(`${anneal.url}/training/jobs`, { method: "POST", body: new Blob([new Uint8Array(Buffer.from(body))]),
      headers: { ...auth(), "content-type": "application/json" } });
    assert.equal(reply.status, 400, what);
    const doc = (await reply.json()) as any;
    assertProblem(doc, 400, what);
    assert.match(doc.detail, says, what);
  };
  await refuse("100 levels of lists", "[".repeat(100) + "]".repeat(100), /deep|level|nest/i);
  await refuse("100 levels of objects", "{\"a\":".repeat(100) + "1" + "}".repeat(100), /deep|level|nest/i);
  await refuse("100 levels inside a free field", `{"dataset":"x","config":${"[".repeat(100) + "]".repeat(100)}}`, /deep|level|nest/i);
  await refuse("a million brackets", "[".repeat(1_000_000), /deep|level|nest/i);
  await refuse("cut off", "{\"dataset\": \"x\"", /./);
  await refuse("two documents", "{} {}", /./);
  await refuse("a list", "[1,2]", /object/i);
  await refuse("bad UTF-8", Buffer.from([0x7b, 0x22, 0xff, 0xfe, 0x22, 0x3a, 0x31, 0x7d]), /./);
  await refuse("the same name twice", "{\"dataset\":\"a\",\"dataset\":\"b\"}", /dataset/);
  await refuse("an unknown name", "{\"dataset\":\"a\",\"priorty\":1}", /priorty.*priority|priority/s);
  await refuse("a number as text", "{\"dataset\":\"a\",\"priority\":\"high\"}", /priority/);
  await refuse("a number beyond", "{\"dataset\":\"a\",\"priority\":1e400}", /./);
  await refuse("NaN", "{\"dataset\":\"a\",\"priority\":NaN}", /./);
});

test("a wrong method is 405 and tells the allowed ones", async () => {
  for (const [path, allowed] of [["/training/jobs", ["GET", "POST", "HEAD"]], ["/health", ["GET", "HEAD"]],
    ["/datasets/upload", ["POST"]]] as const) {
    const reply = await fetch(anneal.url + path, { method: "PATCH", headers: auth() });
    if (path === "/datasets/upload" && reply.status !== 405) continue; // also /datasets/{id}
    assert.equal(reply.status, 405, path);
    const allow = reply.headers.get("allow")?.split(/, */) ?? [];
    for (const method of allowed) assert.ok(allow.includes(method), `${path}: Allow is ${allow}`);
    assertProblem(await reply.json(), 405, path);
  }
  const odd = await raw("BREW /health HTTP/1.1\r\nHost: x\r\n\r\n");
  assert.ok([405, 501].includes(odd.status), `BREW: ${odd.status}`);
});

test("HEAD answers as GET does, without a body", async () => {
  for (const path of ["/health", "/openapi.json", "/"]) {
    const get = await fetch(anneal.url + path), head = await fetch(anneal.url + path, { method: "HEAD" });
    assert.equal(head.status, get.status, path);
    assert.equal(head.headers.get("content-type"), get.headers.get("content-type"));
    assert.equal((await head.text()).length, 0);
  }
  const reply = await raw("HEAD /nothing HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", "close");
  assert.equal(reply.status, 404);
  assert.equal(reply.body, "");
});

test("headers without end are refused before they fill memory", async () => {
  const before = resident(anneal.pid);
  const many = await raw(`GET /health HTTP/1.1\r\nHost: x\r\n${Array.from({ length: 40_000 }, (_, i) => `X-${i}: ${i}\r\n`).join("")}`, "close");
  assert.equal(many.status, 431, many.head);
  const long = await raw(`GET /health HTTP/1.1\r\nHost: x\r\nX-Long: ${"a".repeat(1 << 20)}`, "close");
  assert.equal(long.status, 431, long.head);
  const folded = await raw(`GET /health HTTP/1.1\r\nHost: x\r\nX-Long: a\r\n${" b\r\n".repeat(200_000)}`, "close");
  assert.ok([400, 431].includes(folded.status), folded.head);
  assert.ok(resident(anneal.pid) - before < 16e6, "serve keeps what it refused");
});

test("an oversize target is 414, a bad one 400", async () => {
  const long = await raw(`GET /${"a".repeat(60_000)} HTTP/1.1\r\nHost: x\r\n\r\n`, "close");
  assert.ok([414, 431].includes(long.status), `long target: ${long.status}`);
  const query = await raw(`GET /health?${"a=b&".repeat(20_000)} HTTP/1.1\r\nHost: x\r\n\r\n`, "close");
  assert.ok([414, 431].includes(query.status), `long query: ${query.status}`);
  for (const target of ["/%", "/%zz", "/%00", "/..%2f..%2fetc/passwd", "/assets/../../etc/passwd", "/assets/%2e%2e/%2e%2e/etc/passwd", "//health", "health"]) {
    const reply = await raw(`GET ${target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`, "close");
    assert.ok(reply.status >= 400 && reply.status < 500, `${target}: ${reply.status} ${reply.body.slice(0, 100)}`);
    assert.ok(!reply.body.includes("root:"), target);
  }
});

test("garbage, smuggling and pipelines do not confuse the server", async () => {
  const bad: [string, string][] = [
    ["garbage", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 hello\r\n\r\n"],
    ["no version", "GET /health\r\n\r\n"],
    ["a space in a header's name", "GET /health HTTP/1.1\r\nHost : x\r\n\r\n"],
    ["two lengths", "POST /auth/login HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}x"],
    ["length and chunks", "POST /auth/login HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /health HTTP/1.1\r\n\r\n"],
    ["a negative length", "POST /auth/login HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n"],
    ["a length that overflows", "POST /auth/login HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999\r\n\r\n"],
    ["a chunk that is none", "POST /auth/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n"],
    ["no host", "GET /health HTTP/1.1\r\n\r\n"],
  ];
  for (const [what, bytes] of bad) {
    const reply = await raw(bytes, "close");
    assert.ok(reply.status === 0 || (reply.status >= 400 && reply.status <= 505), `${what}: ${reply.status}`);
    assert.ok(!/HTTP\/1\.1 2/.test(reply.body), `${what}: a second request was answered: ${reply.body}`);
  }
  const two = "GET /version HTTP/1.1\r\nHost: x\r\n\r\n", last = "GET /nothing HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
  const piped = await raw(two + two + last, "close");
  const all = `${piped.head}\r\n\r\n${piped.body}`;
  assert.deepEqual([...all.matchAll(/HTTP\/1\.1 (\d+)/g)].map((m) => m[1]), ["200", "200", "404"]);
  const junk = await raw(two + "JUNK\r\n\r\n", "close");
  assert.equal(junk.status, 200);
  assert.ok(!/HTTP\/1\.1 2/.test(junk.body.slice(1)), junk.body);
});

test("an unread body does not become the next request", async () => {
  const body = "GET /version HTTP/1.1\r\nHost: x\r\n\r\n";
  const reply = await raw(`POST /nothing HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: ${body.length}\r\n\r\n${body}`, "close");
  assert.equal(reply.status, 404);
  assert.ok(!reply.body.includes("HTTP/1.1 200"));
});

test("200 idle connections do not keep others out", async () => {
  const sockets = await Promise.all(Array.from({ length: 200 }, () => new Promise<ReturnType<typeof connect>>((done, fail) => {
    const s = connect(anneal.port, "127.0.0.1", () => (s.write("GET /health HTTP/1.1\r\nHo"), done(s)));
    s.on("error", fail);
  })));
  const reply = await fetch(`${anneal.url}/health`);
  assert.equal(reply.status, 200);
  for (const s of sockets) s.destroy();
});

test("the page and the API carry the headers that keep browsers safe", async () => {
  const page = await fetch(`${anneal.url}/`);
  assert.equal(page.status, 200);
  assert.equal(page.headers.get("x-frame-options"), "DENY");
  assert.match(page.headers.get("content-security-policy") ?? "", /default-src|script-src/);
  assert.equal(page.headers.get("x-content-type-options"), "nosniff");
  const api = await fetch(`${anneal.url}/version`);
  assert.equal(api.headers.get("x-content-type-options"), "nosniff");
  assert.equal(api.headers.get("access-control-allow-origin"), null);
});

test("guessing passwords is slowed down", async () => {
  const guess = () => fetch(`${anneal.url}/auth/login`, { method: "POST", headers: { "content-type": "application/json" },
    body: JSON.stringify({ email: "admin@localhost", password: "wrong password" }) });
  const seen: number[] = [];
  await until("log-ins are refused for a while", async () => {
    seen.push((await guess()).status);
    return seen.at(-1) === 429 || (seen.length > 30 && (() => { throw new Error(`${seen}`); })());
  });
  assert.ok(seen.slice(0, -1).every((s) => s === 401), `${seen}`);
});

test("after all that serve is well", async () => {
  const health = await anneal.get("/health");
  assert.equal(health.parts.database.status, "up");
  assert.ok(resident(anneal.pid) < 64e6);
  assert.ok(!/assert|sanitizer|SIG[A-Z]+/i.test(anneal.output), anneal.output);
});
