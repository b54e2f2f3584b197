// How serve begins and ends: one instance for a data directory, clear words when a part is missing, no secret
// where others can read it, no process left behind, and a health that tells the truth.
import assert from "node:assert/strict";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { after, before, test } from "node:test";

import { Anneal, freePort, run, until } from "../lib/anneal";
import { create, ended, upload } from "../lib/jobs";
import { patterns } from "../lib/pictures";
import { alive, command, descendants, end, ofRole } from "../lib/processes";
import { storeKeys } from "../lib/store";

let anneal: Anneal;
before(async () => {
  anneal = await Anneal.start(["--log-level", "debug"]);
  assert.equal((await upload(anneal, "patterns", patterns(8, 2))).state, "done");
});
after(() => anneal.remove());

const small = { model: "tiny", epochs: 2, batch_size: 8, threads: 1 };
const trainerStatus = async () => (await anneal.get("/health")).parts.trainers.anneal.status;

test("a second serve on the same data directory names the holder", async () => {
  const second = await run(["serve", "--data", anneal.dir, "--listen", `127.0.0.1:${await freePort()}`,
    "--store-listen", `127.0.0.1:${await freePort()}`]);
  assert.notEqual(second.code, 0);
  assert.ok(second.stderr.includes(String(anneal.pid)), second.stderr);
  assert.ok(second.stderr.includes(anneal.dir), second.stderr);
  assert.equal((await fetch(`${anneal.url}/health`)).status, 200);
});

test("a port that is taken, a setting that is none, a store that is dead: each says which", async () => {
  const dir = join(anneal.dir, "other");
  const dead = `http://127.0.0.1:${await freePort()}`;
  const serve = (flags: string[], env: Record<string, string> = {}) => run(["serve", "--data", dir,
    "--listen", `127.0.0.1:${0}`, "--store-listen", "127.0.0.1:0", ...flags], { ...process.env, ...env });
  const taken = await serve(["--listen", `127.0.0.1:${anneal.port}`]);
  assert.ok(taken.code !== 0 && taken.stderr.includes(String(anneal.port)), taken.stderr);
  const store = await serve(["--store-listen", `127.0.0.1:${anneal.storePort}`]);
  assert.ok(store.code !== 0 && store.stderr.includes(String(anneal.storePort)), store.stderr);
  const unknown = await serve(["--lisen", "x"]);
  assert.ok(unknown.code !== 0 && /lisen/.test(unknown.stderr) && /listen/.test(unknown.stderr), unknown.stderr);
  const range = await serve(["--workers", "100000"]);
  assert.ok(range.code !== 0 && /workers/.test(range.stderr) && /256/.test(range.stderr), range.stderr);
  const keyless = await serve([], { S3_ENDPOINT: dead, AWS_ACCESS_KEY_ID: "", AWS_SECRET_ACCESS_KEY: "" });
  assert.ok(keyless.code !== 0 && /AWS_ACCESS_KEY_ID/.test(keyless.stderr), keyless.stderr);
  const gone = await serve([], { S3_ENDPOINT: dead, AWS_ACCESS_KEY_ID: "a", AWS_SECRET_ACCESS_KEY: "top-secret-key" });
  assert.ok(gone.code !== 0 && gone.stderr.includes(dead.slice(7)), gone.stderr);
  assert.ok(!gone.stderr.includes("top-secret-key") && !gone.stdout.includes("top-secret-key"));
});

test("secrets lie in files of the owner alone", () => {
  for (const name of ["admin.token", "store.keys", "anneal.db", "serve.lock"])
    assert.equal(statSync(join(anneal.dir, name)).mode & 0o077, 0, name);
  assert.equal(statSync(anneal.dir).mode & 0o077, 0, "the data directory");
});

test("no secret stands in arguments, in the log or in the database in clear", { timeout: 120_000 }, async () => {
  const secrets = new Set([anneal.token, ...storeKeys(anneal)]);
  const args = new Set<string>();
  const link = anneal.link;
  const job = await create(anneal, "patterns", { ...small, epochs: 200 });
  const importing = upload(anneal, "more", patterns(60, 10));
  const roles = new Set<string>();
  await until("a process of every role was seen", async () => {
    for (const pid of [anneal.pid, ...descendants(anneal.pid)]) {
      args.add(command(pid).join(" "));
      roles.add(command(pid)[1] ?? "");
    }
    return ["serve", "trainer", "worker", "ingest"].every((role) => roles.has(role));
  });
  await importing;
  await until("a checkpoint has been sent", async () =>
    (await anneal.get(`/training/jobs/${job}/checkpoints`)).checkpoints.length > 0);
  await anneal.api("DELETE", `/training/jobs/${job}`);
  const output = anneal.output.replaceAll(link, ""); // the link is meant to be read, once
  for (const secret of secrets) {
    assert.ok(secret.length > 10);
    for (const line of args) assert.ok(!line.includes(secret), `in arguments: ${line.split(" ")[1]}`);
    assert.ok(!output.includes(secret), "in the output");
  }
  for (const line of [...args, output])
    assert.doesNotMatch(line, /\b(job|ses|key|ref|lnk|ans)_[A-Za-z0-9_-]{20,}|X-Amz-Signature=[0-9a-f]{8}/);
  const db = readFileSync(join(anneal.dir, "anneal.db"), "latin1") + readFileSync(join(anneal.dir, "anneal.db-wal"), "latin1");
  for (const secret of secrets) assert.ok(!db.includes(secret), "in the database");
  assert.doesNotMatch(db, /\b(job|ses|key|ref|lnk)_[A-Za-z0-9_-]{43}/);
});

test("a trainer never gets the store's keys", () => {
  const [, secret] = storeKeys(anneal);
  for (const role of ["trainer", "worker"])
    for (const pid of ofRole(anneal.pid, role))
      assert.ok(!readFileSync(`/proc/${pid}/environ`, "latin1").includes(secret), `${role}'s environment`);
});

test("health is degraded while the trainer is killed, and up again after", { timeout: 120_000 }, async () => {
  await until("the trainer is up", async () => (await trainerStatus()) === "up");
  await until("it is told that the trainer is down", async () => {
    ofRole(anneal.pid, "trainer").forEach(end);
    const health = await anneal.get("/health");
    assert.equal(health.parts.database.status, "up");
    return health.status === "degraded" && health.parts.trainers.anneal.status === "down" && health.parts.trainers.anneal.error;
  });
  const models = await anneal.get("/models");
  assert.deepEqual(Object.keys(models), ["models", "trainers"]);
  await until("it is up again", async () => (await trainerStatus()) === "up");
  assert.equal((await anneal.get("/health")).status, "up");
  const done = await ended(anneal, await create(anneal, "patterns", small));
  assert.equal(done.status, "completed");
});

test("metrics are in Prometheus' format, each family declared once, and tell what health tells", async () => {
  const text = await (await anneal.api("GET", "/metrics")).text();
  const types = [...text.matchAll(/^# TYPE (\w+) (counter|gauge|histogram)$/gm)].map((m) => m[1]!);
  assert.equal(new Set(types).size, types.length);
  for (const name of ["training_jobs_total", "training_duration_seconds", "active_training_jobs", "http_requests_total",
    "http_request_duration_seconds", "callback_lag_seconds", "dataset_imports_total", "trainer_up"])
    assert.ok(types.includes(name), name);
  for (const line of text.trim().split("\n"))
    assert.match(line, /^(# (HELP|TYPE) .+|[a-z_]+(\{([a-z_]+="[^"]*",?)+\})? -?[\d.e+-]+|[a-z_]+(\{.*\})? (NaN|\+Inf))$/, line);
  assert.match(text, /trainer_up\{framework="anneal"\} 1/);
  assert.match(text, /training_jobs_total\{framework="anneal",status="completed"\} [1-9]/);
  assert.ok(!text.includes(anneal.token));
});

test("SIGTERM answers what is under way, ends with 0 and leaves no process", { timeout: 120_000 }, async () => {
  const job = await create(anneal, "patterns", { ...small, epochs: 300 });
  await until("a worker runs", async () => ofRole(anneal.pid, "worker").length > 0);
  const family = descendants(anneal.pid);
  assert.ok(family.length >= 2);
  // A request whose body is still on its way when the signal comes.
  const answer = new Promise<string>((done, fail) => {
    const body = JSON.stringify({ dataset: "patterns", start: false, config: small, name: "late" });
    let got = "";
    const socket = connect(anneal.port, "127.0.0.1", () => {
      socket.write(`POST /training/jobs HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${anneal.token}\r\n` +
        `Content-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body.slice(0, 10)}`);
      setTimeout(() => (process.kill(anneal.pid, "SIGTERM"), setTimeout(() => socket.write(body.slice(10)), 200)), 200);
    });
    socket.on("data", (d: Buffer) => (got += d.toString()));
    socket.on("error", fail);
    socket.on("close", () => done(got));
  });
  assert.match(await answer, /^HTTP\/1\.1 201/);
  assert.equal(await anneal.down(), 0);
  await until("all its processes are gone", async () => family.every((pid) => !alive(pid)), 10_000);
  await anneal.up();
  const again = await until("the job goes on", async () => {
    const now = await anneal.get(`/training/jobs/${job}`);
    return now.attempt > 1 && now.status === "running" && now;
  });
  assert.equal(again.failures, 0);
  assert.ok((await anneal.get("/training/jobs?q=late")).jobs.length === 1);
  assert.equal((await anneal.api("DELETE", `/training/jobs/${job}`)).status, 202);
});

test("kill -9 of serve leaves no process either", async () => {
  const job = await create(anneal, "patterns", { ...small, epochs: 300 });
  await until("a worker runs", async () => ofRole(anneal.pid, "worker").length > 0);
  const family = descendants(anneal.pid);
  await anneal.down("SIGKILL");
  await until("all its processes are gone", async () => family.every((pid) => !alive(pid)), 10_000);
  await anneal.up();
  await anneal.api("DELETE", `/training/jobs/${job}`);
});

test("the data directory holds nothing named by users", async () => {
  const name = "unmistakable-name";
  await upload(anneal, name, patterns(4, 2));
  await ended(anneal, await create(anneal, name, small, { name }));
  const walk = (dir: string): string[] => readdirSync(dir, { withFileTypes: true })
    .flatMap((e) => [e.name, ...(e.isDirectory() ? walk(join(dir, e.name)) : [])]);
  assert.ok(!walk(anneal.dir).some((entry) => entry.includes(name)));
});
