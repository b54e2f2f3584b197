// What needs no server: help, completion, the man page, exit codes, samples, the settings' flags.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";

import { binary, run } from "../lib/anneal";

const dir = mkdtempSync(join(tmpdir(), "anneal-cli-"));
after(() => rmSync(dir, { recursive: true, force: true }));
const nowhere = { ...process.env, ANNEAL_URL: "http://127.0.0.1:9", ANNEAL_TOKEN: "key_x", ANNEAL_DATA: dir };

/** The commands as `anneal help` lists them, and the verbs of each as its own help does. */
async function commands(): Promise<string[]> {
  const help = await run(["help"]);
  assert.equal(help.code, 0);
  return [...help.stdout.matchAll(/^  ([a-z]+) +\S/gm)].map((m) => m[1] ?? "");
}

async function verbs(command: string): Promise<string[]> {
  const help = await run([command, "--help"]);
  assert.equal(help.code, 0, command);
  return [...help.stdout.matchAll(/^  ([a-z]+) [^\n]*  \S/gm)].map((m) => m[1] ?? "")
    .filter((v) => v !== "anneal" && help.stdout.includes(`${command} VERB --help`));
}

test("every command and every verb has help with an example of itself", async () => {
  const names = await commands();
  for (const needed of ["serve", "dataset", "train", "test", "predict", "jobs", "models", "sample", "config", "user",
    "token", "doctor", "version"])
    assert.ok(names.includes(needed), needed);
  for (const name of names.filter((n) => n !== "worker" && n !== "ingest")) {
    const help = (await run([name, "--help"])).stdout;
    assert.match(help, new RegExp(`anneal ${name}\\b[^\\n]*\\n[^]*\\n  [^\\n]*anneal ${name}\\b`), name);
    for (const verb of await verbs(name)) {
      const one = (await run([name, verb, "--help"])).stdout;
      assert.match(one, new RegExp(`Examples\\n  anneal ${name} ${verb}\\b`), `${name} ${verb}`);
      assert.ok(one.includes("--json"), `${name} ${verb} --json`);
    }
  }
});

test("debug plan tells nodes, kernels and memory, and refuses what there is not", async () => {
  const plan = await run(["debug", "plan", "resnet18", "--size", "32", "--batch", "8", "--train"]);
  assert.equal(plan.code, 0, plan.stderr);
  for (const word of ["layer4.1.conv2.weight", "winograd", "activations and gradients"])
    assert.ok(plan.stdout.includes(word), word);
  const info = JSON.parse((await run(["debug", "plan", "resnet18", "--json"])).stdout) as
    { image_size: number; params: number; bytes: number; train: boolean };
  assert.equal(info.image_size, 224);
  assert.ok(info.bytes > 4 * info.params && !info.train);
  assert.match((await run(["debug", "plan", "resnet19"])).stderr, /there is no model 'resnet19'/);
  assert.match((await run(["debug", "plan", "resnet18", "--size", "4"])).stderr, /image_size is 4/);
});

test("train has every setting of the server's table as a flag", async () => {
  const table = readFileSync("src/spec/train.c", "utf8");
  const help = (await run(["train", "--help"])).stdout;
  const fields = [...table.matchAll(/F_[A-Z]+\(\s*S,\s*([a-z0-9_]+)/g)].map((m) => m[1] ?? "");
  assert.ok(fields.length > 25);
  for (const field of fields) assert.ok(help.includes(`--${field.replaceAll("_", "-")}`), field);
});

test("completion is valid bash and completes commands, verbs, flags and choices", () => {
  const script = execFileSync(binary, ["completion", "bash"], { encoding: "utf8" });
  const complete = (...words: string[]) =>
    execFileSync("bash", ["-c", `${script}\nCOMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _anneal; echo "\${COMPREPLY[*]}"`,
      "bash", "anneal", ...words], { encoding: "utf8" }).trim().split(/\s+/);
  assert.ok(complete("").includes("dataset"));
  assert.deepEqual(complete("trai").sort(), ["train", "trainer"]);
  assert.deepEqual(complete("dataset", "im"), ["import"]);
  assert.deepEqual(complete("dataset", "import", "--sp"), ["--split"]);
  assert.deepEqual(complete("train", "--label"), ["--label-smoothing"]);
  assert.deepEqual(complete("train", "--optimizer", "").sort(), ["adamw", "sgd"]);
  assert.deepEqual(complete("serve", "--store-l"), ["--store-listen"]);
});

test("the man page names every verb and setting", async () => {
  const man = (await run(["man"])).stdout.replaceAll("\\-", "-");
  for (const name of await commands()) {
    assert.ok(man.includes(`.SS "anneal ${name}`), name);
    for (const verb of await verbs(name)) assert.ok(man.includes(`.SS "anneal ${name} ${verb}`), `${name} ${verb}`);
  }
  assert.ok(man.includes("--store-listen") && man.includes("ANNEAL_TOKEN"));
});

test("a wrong command line is 2 and names what is near", async () => {
  for (const [args, says] of [
    [["dataste"], /did you mean `anneal dataset`/], [["jobs"], /needs to know what to do/],
    [["jobs", "lsit"], /did you mean `list`/], [["train", "--datset", "x"], /did you mean '--dataset'/],
    [["train", "--dataset", "x", "--epochs", "many"], /--epochs/], [["dataset", "import", "x.zip"], /--name NAME is needed/],
    [["dataset", "import", "--name", "x"], /PATH is missing/], [["predict", "--job"], /needs a value/],
    [["version", "now"], /one word too many/],
  ] as [string[], RegExp][]) {
    const got = await run(args, nowhere);
    assert.equal(got.code, 2, args.join(" "));
    assert.match(got.stderr, says, args.join(" "));
  }
});

test("no server is 3 and says how to start one; with --json the last line is an object", async () => {
  const got = await run(["jobs", "list", "--json"], nowhere);
  assert.equal(got.code, 3);
  assert.match(got.stderr, /is `anneal serve` running\? Start it with `make run`/);
  assert.equal(got.json.error.code, "unavailable");
});

test("no token is an error that says where one is looked for", async () => {
  const got = await run(["jobs", "list"], { ...nowhere, ANNEAL_TOKEN: "" });
  assert.equal(got.code, 1);
  assert.ok(got.stderr.includes(`${dir}/admin.token does not exist`), got.stderr);
});

test("doctor ends well on a machine that builds this, and with 1 when the settings are wrong", async () => {
  const fine = await run(["doctor", "--json", "--data", join(dir, "none")],
    { ...nowhere, ANNEAL_LISTEN: "127.0.0.1:0", ANNEAL_STORE_LISTEN: "127.0.0.1:0" });
  assert.equal(fine.code, 0, fine.stdout);
  assert.equal(fine.json.ok, true);
  const names = fine.json.findings.map((f: any) => f.name);
  for (const name of ["cores", "memory", "disk", "instructions", "oneDNN", "fonts", "data", "server", "port"])
    assert.ok(names.includes(name), name);
  for (const f of fine.json.findings) assert.ok(f.state === "ok" || f.remedy, f.name);
  const bad = await run(["doctor", "--json"], { ...nowhere, ANNEAL_LISTEN: "nonsense" });
  assert.equal(bad.code, 1);
  assert.equal(bad.json.ok, false);
});

test("samples: a folder, an archive, the same bytes again, and no overwriting", async () => {
  const make = (name: string, ...flags: string[]) =>
    run(["sample", "glyphs", join(dir, name), "--count", "72", "--json", ...flags]);
  const folder = await make("letters");
  assert.equal(folder.code, 0, folder.stderr);
  assert.equal(folder.json.images, 72);
  assert.equal(readdirSync(join(dir, "letters/train")).length, 36);
  const [a, b, c] = [await make("a", "--zip"), await make("b.zip"), await make("c.zip", "--seed", "2")];
  assert.deepEqual([a?.json.path, b?.json.path], [join(dir, "a.zip"), join(dir, "b.zip")]);
  assert.ok(readFileSync(join(dir, "a.zip")).equals(readFileSync(join(dir, "b.zip"))));
  assert.ok(!readFileSync(join(dir, "a.zip")).equals(readFileSync(join(dir, "c.zip"))));
  assert.equal(c.code, 0);
  const again = await make("letters");
  assert.equal(again.code, 1);
  assert.match(again.stderr, /is not empty/);
  writeFileSync(join(dir, "mine.zip"), "mine");
  assert.equal((await make("mine.zip")).code, 1);
  assert.equal(readFileSync(join(dir, "mine.zip"), "utf8"), "mine");
});

test("settings are read in both forms and any order", async () => {
  const got = await run(["config", "--log-level=debug", "--json", "--data", dir], { ...process.env, ANNEAL_DATA: "" });
  assert.equal(got.json.log_level.value, "debug");
  assert.equal(got.json.log_level.source, "flag");
  assert.equal(got.json.data.value, dir);
  const wrong = await run(["config", "--log-levle", "debug"]);
  assert.notEqual(wrong.code, 0);
  assert.match(wrong.stderr, /did you mean '--log-level'/);
});
