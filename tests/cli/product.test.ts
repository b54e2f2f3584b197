// The main job from the command line against a real server: import, train, follow, predict, and what happens
// when connections break, the server dies, or somebody presses Ctrl-C.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect, createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, before, test } from "node:test";

import { Anneal, binary, run, until } from "../lib/anneal";
import { noise, patterns, png, tar } from "../lib/pictures";

const dir = mkdtempSync(join(tmpdir(), "anneal-cli-"));
let anneal: Anneal;
let job = "";

before(async () => {
  anneal = await Anneal.start();
  writeFileSync(join(dir, "patterns.tar"), patterns(40, 20));
});
after(async () => {
  await anneal.remove();
  rmSync(dir, { recursive: true, force: true });
});

const env = (url = anneal.url) => ({ ...process.env, ANNEAL_URL: url, ANNEAL_DATA: anneal.dir, ANNEAL_TOKEN: "" });

function put(path: string, data: Buffer | string): void {
  mkdirSync(dirname(join(dir, path)), { recursive: true });
  writeFileSync(join(dir, path), data);
}

/** A TCP proxy to the server that cuts connections that have sent so many bytes, `times` of them. */
async function cutting(times: number, bytes: number): Promise<{ url: string; server: Server; cuts: () => number }> {
  let cuts = 0;
  const server = createServer((from) => {
    const to = connect(anneal.port, "127.0.0.1");
    let sent = 0;
    from.on("data", (d: Buffer) => {
      sent += d.length;
      if (cuts < times && sent > bytes) {
        cuts++;
        from.destroy();
        to.destroy();
      }
    });
    from.pipe(to);
    to.pipe(from);
    for (const s of [from, to]) s.on("error", () => (from.destroy(), to.destroy()));
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", () => done()));
  const address = server.address();
  assert.ok(address && typeof address === "object");
  return { url: `http://127.0.0.1:${address.port}`, server, cuts: () => cuts };
}

test("an archive imports; --json ends with dataset, version, images, faults", async () => {
  const got = await anneal.cli("dataset", "import", join(dir, "patterns.tar"), "--name", "patterns", "--json");
  assert.equal(got.code, 0, got.stderr);
  assert.equal(got.json.dataset, "patterns");
  assert.match(got.json.version, /^[0-9a-f]{64}$/);
  assert.equal(got.json.images, 180);
  assert.equal(got.json.faults, 0);
  assert.equal(got.json.train, 120);
  assert.equal(got.json.val, 60);
});

test("a folder is packed on the way; equal content is the same version; faults are told by file and line", async () => {
  const long = `${"a-very-long-folder-name-".repeat(6)}/${"deep/".repeat(5)}`;
  for (let i = 0; i < 30; i++)
    for (const kind of ["red", "blue"])
      put(`folder/${i < 20 ? "train" : "val"}/${kind}/${i === 7 ? long : ""}${i}.png`,
        png(12, 12, (x, y) => [0, 1, 2].map((c) => 60 * noise(i, x, y, c) + (kind === "red" ? (c ? 0 : 150) : c === 2 ? 150 : 0))));
  put("folder/train/red/broken.png", Buffer.from("\x89PNG\r\n\x1a\nnot really", "latin1"));
  put("folder/.hidden/x.png", "hidden");
  const got = await anneal.cli("dataset", "import", join(dir, "folder"), "--name", "folder", "--json");
  assert.equal(got.code, 0, got.stderr);
  assert.equal(got.json.images, 60);
  assert.equal(got.json.fault_counts.corrupt_image, 1);
  const again = await anneal.cli("dataset", "import", `${join(dir, "folder")}/`, "--name", "twin", "--json");
  assert.equal(again.json.version, got.json.version);
  const faults = await anneal.cli("dataset", "faults", "folder");
  assert.match(faults.stdout, /broken\.png: corrupt_image: /);
  assert.match((await anneal.cli("dataset", "list")).stdout, /folder +classification +60/);
  assert.equal((await anneal.cli("dataset", "show", "folder", "--json")).json.newest.train, 40);
});

test("a split by shares, then another one of the same pictures", async () => {
  const got = await anneal.cli("dataset", "import", join(dir, "patterns.tar"), "--name", "split", "--split",
    "0.5,0.3,0.2", "--seed", "3", "--json");
  assert.deepEqual([got.json.train, got.json.val, got.json.test], [90, 54, 36], got.stderr);
  const other = await anneal.cli("dataset", "split", "split", "--split", "0.8/0.2", "--json");
  assert.deepEqual([other.json.number, other.json.train, other.json.val], [2, 144, 36], other.stderr);
  const diff = await anneal.cli("dataset", "diff", "split", "--from", "1", "--json");
  assert.ok(diff.json.moved.count >= 54 && diff.json.added.count === 0, diff.stderr);
  assert.equal((await anneal.cli("dataset", "delete", "split")).code, 2);
  assert.equal((await anneal.cli("dataset", "delete", "split", "--yes")).code, 0);
  assert.equal((await anneal.cli("dataset", "show", "split")).code, 1);
});

test("an upload in parts goes on after its connection broke, from an archive and from a folder", async () => {
  const filler = Buffer.alloc(80 << 20, 7);
  put("big/filler.bin", filler);
  for (let i = 0; i < 12; i++)
    for (const kind of ["a", "b"])
      put(`big/${i < 8 ? "train" : "val"}/${kind}/${i}.png`, png(16, 16, (x, y) => [0, 1, 2].map((c) => 255 * noise(i, x, y, c, kind === "a" ? 1 : 2))));
  put("big.tar", tar([{ name: "filler.bin", data: filler }, ...[0, 1, 2, 3].map((i) => ({
    name: `${i < 2 ? "a" : "b"}/${i}.png`, data: png(8, 8, (x, y) => [x * 30, y * 30, i * 60]),
  }))]));
  for (const [path, images] of [["big", 24], ["big.tar", 4]] as const) {
    const proxy = await cutting(2, 30 << 20);
    const got = await run(["dataset", "import", join(dir, path), "--name", path, "--json"], env(proxy.url));
    proxy.server.close();
    assert.equal(got.code, 0, got.stderr);
    assert.equal(got.json.images, images);
    assert.equal(proxy.cuts(), 2);
    assert.match(got.stderr, /again in 1 s/);
  }
});

test("train --wait follows to the end and tells the score", async () => {
  const got = await anneal.cli("train", "--dataset", "patterns", "--model", "tiny", "--epochs", "3", "--batch-size",
    "16", "--seed", "11", "--threads", "1", "--learning-rate=0.02", "--wait", "--json");
  assert.equal(got.code, 0, got.stderr);
  job = got.json.job;
  assert.equal(got.json.status, "completed");
  assert.equal(got.json.epochs, 3);
  assert.ok(got.json.best.epoch >= 1 && got.json.best.metric === "accuracy" && got.json.best.value > 0.3);
  assert.match(got.json.weights_sha256, /^[0-9a-f]{64}$/);
  assert.deepEqual([got.json.config.batch_size, got.json.config.learning_rate, got.json.config.seed], [16, 0.02, 11]);
  for (const epoch of [1, 2, 3]) assert.match(got.stderr, new RegExp(`epoch ${epoch}/3 .*val loss`));
  const shown = await anneal.cli("jobs", "show", job, "--json");
  assert.deepEqual([shown.json.job, shown.json.weights_sha256], [job, got.json.weights_sha256]);
  assert.equal((await anneal.cli("jobs", "show", "last", "--json")).json.job, job);
});

test("jobs: list, metrics, checkpoints, logs", async () => {
  assert.match((await anneal.cli("jobs", "list", "--status", "completed")).stdout, new RegExp(`${job} +completed +3/3`));
  const metrics = await anneal.cli("jobs", "metrics", job, "--json");
  assert.equal(metrics.json.metrics["val/accuracy"].length, 3);
  assert.match((await anneal.cli("jobs", "checkpoints", job)).stdout, /best|last/);
  assert.equal((await anneal.cli("jobs", "logs", job)).code, 0);
  assert.equal((await anneal.cli("jobs", "logs", job, "--follow")).code, 0);
  assert.equal((await anneal.cli("jobs", "show", "nonsense", "--json")).json.error.code, "not_found");
});

test("predict answers for many pictures, and a broken one stands beside them with exit 1", async () => {
  put("try/one.png", png(24, 24, () => [200, 40, 40]));
  put("try/deep/two.png", png(24, 24, (x) => (x % 6 < 3 ? [200, 200, 200] : [20, 20, 20])));
  const fine = await anneal.cli("predict", "--job", job, "--top", "2", join(dir, "try"), "--json");
  assert.equal(fine.code, 0, fine.stderr);
  assert.equal(fine.json.results.length, 2);
  for (const r of fine.json.results) {
    assert.equal(r.predictions.length, 2);
    assert.ok(["disc", "square", "stripes"].includes(r.predictions[0].class));
    assert.ok(r.predictions[0].confidence >= r.predictions[1].confidence);
  }
  put("try/bad.png", "no picture");
  const mixed = await anneal.cli("predict", "--job", job, join(dir, "try/one.png"), join(dir, "try/bad.png"),
    join(dir, "absent.png"), join(dir, "try/deep/two.png"), "--json");
  assert.equal(mixed.code, 1);
  assert.deepEqual(mixed.json.results.map((r: any) => Boolean(r.error)), [false, true, true, false]);
  assert.deepEqual(mixed.json.results[0].predictions[0], (await anneal.cli("predict", "--job", job,
    join(dir, "try/one.png"), "--json")).json.results[0].predictions[0]);
});

test("test scores another split; restart keeps the old job; a job that is cancelled is exit 1", async () => {
  const scored = await anneal.cli("test", "--job", job, "--split", "val", "--wait", "--json");
  assert.equal(scored.code, 0, scored.stderr);
  assert.deepEqual([scored.json.kind, scored.json.status], ["test", "completed"]);
  const pending = await anneal.cli("train", "--dataset", "patterns", "--model", "tiny", "--no-start", "--json");
  assert.equal(pending.json.status, "pending", pending.stderr);
  assert.equal((await anneal.cli("jobs", "cancel", pending.json.job)).code, 0);
  const waited = await anneal.cli("jobs", "wait", pending.json.job, "--json");
  assert.equal(waited.code, 1);
  assert.equal(waited.json.status, "cancelled");
  const again = await anneal.cli("jobs", "restart", job, "--wait", "--json");
  assert.equal(again.code, 0, again.stderr);
  assert.notEqual(again.json.job, job);
  assert.equal(again.json.weights_sha256, (await anneal.cli("jobs", "show", job, "--json")).json.weights_sha256);
});

test("settings are refused by name before anything runs", async () => {
  const wrong = await anneal.cli("train", "--dataset", "patterns", "--model", "tiny", "--epochs", "2", "--warmup-epochs", "5");
  assert.equal(wrong.code, 1);
  assert.match(wrong.stderr, /warmup_epochs/);
  const none = await anneal.cli("train", "--dataset", "absent", "--model", "tiny");
  assert.equal(none.code, 1);
  assert.match(none.stderr, /absent/);
  const model = await anneal.cli("train", "--dataset", "patterns", "--model", "tinny", "--json");
  assert.equal(model.code, 1);
  assert.match(model.json.error.text, /no model 'tinny', did you mean 'tiny'/);
});

test("Ctrl-C while waiting leaves the job running and says how to follow and cancel it", async () => {
  const child = spawn(binary, ["train", "--dataset", "patterns", "--model", "tiny", "--epochs", "400", "--wait"],
    { env: env(), stdio: ["ignore", "pipe", "pipe"] });
  let out = "";
  child.stdout.on("data", (d: Buffer) => (out += d.toString()));
  child.stderr.on("data", (d: Buffer) => (out += d.toString()));
  const end = new Promise<number | null>((done) => child.on("exit", (code) => done(code)));
  await until("it trains", async () => out.includes("started: "));
  child.kill("SIGINT");
  assert.equal(await end, 130);
  const id = /job ([0-9a-z]{26})/.exec(out)?.[1] ?? "";
  assert.ok(out.includes(`anneal jobs wait ${id}`) && out.includes(`anneal jobs cancel ${id}`), out);
  assert.equal((await anneal.get(`/training/jobs/${id}`)).status, "running");
  assert.equal((await anneal.cli("jobs", "cancel", id)).code, 0);
});

test("train --wait survives a kill -9 of the server and misses no epoch", async () => {
  const child = spawn(binary, ["train", "--dataset", "patterns", "--model", "tiny", "--epochs", "8", "--wait", "--json"],
    { env: env(), stdio: ["ignore", "pipe", "pipe"] });
  let err = "", out = "";
  child.stdout.on("data", (d: Buffer) => (out += d.toString()));
  child.stderr.on("data", (d: Buffer) => (err += d.toString()));
  const end = new Promise<number | null>((done) => child.on("exit", (code) => done(code)));
  await until("its first epoch", async () => err.includes("epoch 1/8"));
  await anneal.down("SIGKILL");
  await anneal.up();
  assert.equal(await end, 0, err);
  const told = [...err.matchAll(/^epoch (\d)\/8 /gm)].map((m) => Number(m[1]));
  const again = told.lastIndexOf(1) > 0 ? told.slice(told.lastIndexOf(1)) : told; // a new attempt may begin at 1
  assert.deepEqual([...new Set(told)], [1, 2, 3, 4, 5, 6, 7, 8], err);
  assert.ok(again.every((epoch, i) => i === 0 || epoch > (again[i - 1] ?? 0)), err);
  assert.equal(JSON.parse(out.trim().split("\n").at(-1) ?? "").status, "completed");
});

test("people and tokens", async () => {
  const added = await anneal.cli("user", "add", "ann@example.org", "--role", "viewer", "--json");
  assert.match(added.json.link, /#login=lnk_/);
  assert.equal((await anneal.cli("user", "role", "ann@example.org", "engineer", "--json")).json.role, "engineer");
  assert.equal((await anneal.cli("user", "deactivate", "ann@example.org", "--json")).json.active, false);
  assert.match((await anneal.cli("user", "list")).stdout, /ann@example\.org/);
  const token = await anneal.cli("token", "new", "ci", "--scopes", "jobs:read", "--days", "1", "--json");
  assert.match(token.json.token, /^key_/);
  const limited = { ...env(), ANNEAL_TOKEN: token.json.token };
  assert.equal((await run(["jobs", "list"], limited)).code, 0);
  assert.equal((await run(["dataset", "list"], limited)).code, 1);
  assert.equal((await anneal.cli("token", "revoke", token.json.id)).code, 0);
  const gone = await run(["jobs", "list"], limited);
  assert.equal(gone.code, 1);
  assert.match(gone.stderr, /--token/);
});

test("models lists what can be trained; doctor finds the server well", async () => {
  assert.match((await anneal.cli("models")).stdout, /tiny +classification/);
  const doctor = await anneal.cli("doctor", "--json");
  assert.equal(doctor.code, 0, doctor.stdout);
});
