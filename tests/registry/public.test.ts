// Visitors' links and exports: what a link opens, what it never does, how it ends; files for other programs, made
// once and verified; the command line of the registry.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";

import { Anneal } from "../lib/anneal";
import { form, plain } from "../lib/archives";
import { create, ended, upload } from "../lib/jobs";
import { patterns } from "../lib/pictures";
import { person } from "../lib/people";
import { objects } from "../lib/store";

let anneal: Anneal, job: any, dir: string;
const picture = plain(1, 24);
const M = "/registry/models/patterns";
const sha256 = (data: Buffer) => createHash("sha256").update(data).digest("hex");

async function visitor(path: string, token: string, init: RequestInit = {}): Promise<Response> {
  return fetch(anneal.url + path, { ...init, headers: { ...init.headers, authorization: `Bearer ${token}` } });
}
const body = (n = 1) => {
  const f = form(Array.from({ length: n }, (_, i) => ({ name: "image", file: `${i}.png`, data: picture })));
  return { method: "POST", headers: { "content-type": f.type }, body: new Blob([new Uint8Array(f.body)]) };
};
async function link(more: object): Promise<{ token: string; id: string }> {
  const reply = await anneal.api("POST", `${M}/links`, more), made = (await reply.json()) as any;
  assert.equal(reply.status, 201, JSON.stringify(made));
  assert.match(made.url, new RegExp(`^${anneal.url}/try#try_[\\w-]{43}$`));
  return { token: made.url.split("#")[1], id: made.id };
}

before(async () => {
  anneal = await Anneal.start();
  dir = mkdtempSync(join(tmpdir(), "anneal-public-"));
  await upload(anneal, "patterns", patterns(24, 6));
  job = await ended(anneal, await create(anneal, "patterns", { model: "tiny", epochs: 2, batch_size: 8, threads: 1, learning_rate: 0.02, checkpoint_every: 1 }));
  assert.equal(job.status, "completed", JSON.stringify(job.error));
});
after(async () => {
  rmSync(dir, { recursive: true, force: true });
  await anneal.remove();
});

test("the whole way on the command line: register, evaluate, approve, publish, predict, download, roll back", { timeout: 180_000 }, async () => {
  const cli = async (...args: string[]) => {
    const said = await anneal.cli("models", ...args, "--json");
    assert.equal(said.code, 0, `${args.join(" ")}: ${said.stdout}${said.stderr}`);
    return said.json;
  };
  assert.equal((await cli("register", "patterns", "--job", "last", "--checkpoint", "1", "--notes", "one")).name, "patterns");
  assert.equal((await cli("register", "patterns", "--job", job.job, "--checkpoint", "2")).version, 2);
  const early = await anneal.cli("models", "approve", "patterns");
  assert.equal(early.code, 1);
  assert.match(early.stderr, /evaluate it first/);
  for (const version of ["1", "2"]) {
    assert.equal((await cli("evaluate", "patterns", "--version", version, "--split", "val", "--wait")).status, "completed");
    assert.equal((await cli("approve", "patterns", "--version", version)).state, "approved");
    assert.equal((await cli("publish", "patterns", "--version", version)).state, "live");
  }
  assert.deepEqual((await cli("list")).models[0].aliases.map((a: any) => [a.alias, a.version]), [["production", 2]]);
  assert.match((await anneal.cli("models", "show", "patterns")).stdout, /2 +live +production +val\/accuracy/);
  assert.match((await anneal.cli("models")).stdout, /tiny +classification/, "without a verb: what can be trained");
  const file = join(dir, "one.png");
  (await import("node:fs")).writeFileSync(file, picture);
  assert.equal((await anneal.cli("predict", "--model", "patterns", file, "--json")).json.version, 2);
  assert.equal((await anneal.cli("predict", "--model", "patterns@1", file, "--json")).json.version, 1);
  assert.equal((await anneal.cli("predict", "--model", "patterns@nowhere", file)).code, 1);
  assert.equal((await anneal.cli("predict", "--model", "patterns", "--job", "last", file)).code, 2);
  assert.equal((await cli("rollback", "patterns", "--note", "worse")).version, 1);
  const out = join(dir, "w.safetensors"), v = await cli("download", "patterns", "--out", out);
  assert.equal(sha256(readFileSync(out)), v.weights_sha256);
});

test("an export is made once, verified, whole, and the same whoever asks; C compiles and comes with its header", { timeout: 180_000 }, async () => {
  for (const [path, file] of [[`/training/jobs/${job.job}/export`, "tiny"], [`${M}/versions/1/export`, "patterns"]] as const)
    for (const format of ["onnx", "c", "safetensors"]) {
      const reply = await anneal.api("POST", path, { format, ...(path.startsWith("/training") && { checkpoint: "1" }) }), made = (await reply.json()) as any;
      assert.equal(reply.status, 200, JSON.stringify(made));
      assert.equal(made.file, `${file}.${format}`);
      assert.ok(made.max_difference <= made.allowed_difference && made.pictures === 8 && !made.pictures_generated, JSON.stringify(made));
      const got = await anneal.api("GET", made.url), data = Buffer.from(await got.arrayBuffer());
      assert.equal(sha256(data), made.sha256);
      assert.match(got.headers.get("content-disposition") ?? "", new RegExp(`"${file}\\.${format}"`));
      const again = (await (await anneal.api("POST", path, { format, ...(path.startsWith("/training") && { checkpoint: "1" }) })).json()) as any;
      assert.deepEqual([made.cached, again.cached, again.sha256], [false, true, made.sha256]);
      if (format !== "c") assert.equal(made.header_url, null);
      else assert.match(await (await anneal.api("GET", made.header_url)).text(), new RegExp(`${file}_run`));
    }
  assert.deepEqual(existsSync(join(anneal.dir, "exports")) ? readdirSync(join(anneal.dir, "exports")) : [], [], "no scratch is left");
  const out = join(dir, "p.c");
  assert.equal((await anneal.cli("models", "download", "patterns", "--version", "1", "--format", "c", "--out", out)).code, 0);
  execFileSync("cc", ["-c", "-std=c99", "-o", join(dir, "p.o"), out]);
});

test("what was not exported is not there, and what cannot be exported says why", async () => {
  assert.equal((await anneal.api("GET", `${M}/versions/2/export?format=onnx`)).status, 404);
  assert.equal((await anneal.api("GET", `${M}/versions/1/export?format=onnx&part=header`)).status, 404);
  assert.equal((await anneal.api("POST", `${M}/versions/1/export`, { format: "tensorrt" })).status, 400);
  assert.equal((await anneal.api("POST", `/training/jobs/${job.job}/export`, { checkpoint: "77" })).status, 404);
  const many = await Promise.all([1, 2, 3, 4].map(() => anneal.api("POST", `${M}/versions/2/export`, { format: "onnx", pixels: true })));
  assert.ok(many.every((r) => r.status === 200 || r.status === 503) && many.some((r) => r.status === 200), many.map((r) => r.status).join(" "));
  const weights = Buffer.from(await (await anneal.api("GET", `/training/jobs/${job.job}/weights?checkpoint=1`)).arrayBuffer());
  assert.equal(sha256(weights), (await anneal.get(`${M}/versions/1`)).weights_sha256);
});

test("a link opens what its alias names, without an account, and no more than that", async () => {
  const { token } = await link({ title: "Which?" });
  const seen = (await (await visitor("/public/model", token)).json()) as any;
  assert.deepEqual([seen.title, seen.model, seen.task, seen.version, seen.server], ["Which?", "patterns", "classification", 1, false]);
  assert.equal(sha256(Buffer.from(await (await visitor("/public/model/weights", token)).arrayBuffer())), seen.weights_sha256);
  assert.equal((await visitor("/public/model/predict", token, body())).status, 403, "the publisher did not allow the server");
  for (const path of ["/registry/models", M, `${M}/versions/1/weights`, "/auth/me", "/datasets", "/training/jobs"])
    assert.equal((await visitor(path, token)).status, 401, path);
  await anneal.api("PUT", `${M}/aliases/production`, { version: 2 });
  assert.equal(((await (await visitor("/public/model", token)).json()) as any).version, 2, "the alias moved, and the link with it");
  const page = await fetch(`${anneal.url}/try`);
  assert.equal(page.status, 200);
  assert.match(page.headers.get("content-security-policy") ?? "", /connect-src 'self'/);
  assert.equal(page.headers.get("set-cookie"), null);
});

test("where the publisher allows it the server answers, for a few pictures at a time", async () => {
  const { token } = await link({ server: true });
  const reply = await visitor("/public/model/predict?top_k=1", token, body(2)), said = (await reply.json()) as any;
  assert.equal(reply.status, 200, JSON.stringify(said));
  assert.equal(said.results.length, 2);
  assert.equal((await visitor("/public/model/predict", token, body(9))).status, 413);
});

test("a link ends when it is revoked, when nothing is live, and is limited in its rate; a guess opens nothing", async () => {
  const { token, id } = await link({});
  const last = token.at(-1) === "A" ? "B" : "A";
  assert.equal((await visitor("/public/model", token.slice(0, -1) + last)).status, 401);
  assert.equal((await fetch(`${anneal.url}/public/model`)).status, 401);
  assert.equal((await visitor("/public/model", anneal.token)).status, 401, "an account's token is no link");
  await anneal.api("DELETE", `${M}/aliases/production`);
  assert.equal((await visitor("/public/model", token)).status, 410);
  await anneal.api("PUT", `${M}/aliases/production`, { version: 1 });
  const statuses: number[] = [];
  for (let i = 0; i < 40; i++) statuses.push((await visitor("/public/model", token)).status);
  assert.equal(statuses[0], 200);
  assert.equal(statuses.at(-1), 429);
  const other = await link({});
  assert.equal((await visitor("/public/model", other.token)).status, 200, "another link has its own measure");
  assert.equal((await anneal.api("DELETE", `${M}/links/${id}`)).status, 204);
  assert.equal((await visitor("/public/model/weights", token)).status, 410);
  assert.equal((await anneal.api("DELETE", `${M}/links/${id}`)).status, 404);
  const guesses: number[] = [];
  for (let i = 0; i < 30; i++) guesses.push((await visitor("/public/model", `try_${"x".repeat(43)}`)).status);
  assert.equal(guesses.at(-1), 429, "guesses are limited by address");
});

test("links are made by managers, listed without their token, and kept as a hash alone", async () => {
  const { token, id } = await link({ title: "mine" });
  const engineer = await person(anneal, "engineer", "eve");
  assert.equal((await engineer.call("POST", `${M}/links`, {})).status, 403);
  assert.equal((await engineer.call("DELETE", `${M}/links/${id}`)).status, 403);
  assert.equal((await anneal.api("POST", `${M}/links`, { alias: "nowhere" })).status, 404);
  assert.equal((await anneal.api("POST", `${M}/links`, { days: 1000 })).status, 400);
  const text = JSON.stringify(await anneal.get(`${M}/links`)) + JSON.stringify(await anneal.get(`${M}/history`));
  assert.ok(!text.includes(token.slice(4)) && text.includes("mine"));
  for (const file of readdirSync(anneal.dir).filter((f) => f.startsWith("anneal.db")))
    assert.ok(!readFileSync(join(anneal.dir, file)).includes(token.slice(4)), file);
  assert.ok(!anneal.output.includes(token.slice(4)), "nor in the log");
  assert.ok((await objects(anneal)).some((key) => key.startsWith("models/")));
});
