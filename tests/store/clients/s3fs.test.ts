// s3fs, unchanged: a bucket mounted as a folder.
import assert from "node:assert/strict";
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { accessSync, appendFileSync, constants, cpSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";

import { until } from "../../lib/anneal";
import { BIG_BYTES, fileHash, lacks, makeBig, makeTree, sameTrees, slow, Store } from "../lib";

function whyNot(): string | false {
  const missing = lacks("s3fs") ?? lacks("fusermount");
  if (missing) return missing;
  try {
    accessSync("/dev/fuse", constants.R_OK | constants.W_OK);
  } catch {
    return "/dev/fuse is not there, or not ours to use: nothing can be mounted here";
  }
  return false;
}
const skip = whyNot();
const FILES = slow ? 10_000 : 300; /* s3fs takes several requests for each file */
const LARGE = slow ? BIG_BYTES : 64_000_000;

let store: Store, mounted: ChildProcess | undefined, where: string;

async function mount(): Promise<void> {
  const child = spawn("s3fs", ["mounted", where, "-f", "-o", `passwd_file=${join(store.dir, "key")}`, "-o", `url=${store.url}`, "-o", "use_path_request_style",
    "-o", "endpoint=us-east-1"], { env: store.env(), stdio: ["ignore", "pipe", "pipe"] });
  let said = "", ended = false;
  child.stderr.on("data", (d: Buffer) => (said += d.toString()));
  child.stdout.on("data", (d: Buffer) => (said += d.toString()));
  child.on("exit", () => (ended = true));
  mounted = child;
  await until("the mount stands", async () => {
    if (ended) throw new Error(`s3fs ended:\n${said}`);
    return readFileSync("/proc/mounts", "utf8").includes(` ${where} `);
  });
}

async function unmount(): Promise<void> {
  const child = mounted;
  if (!child) return;
  const end = new Promise((done) => child.on("exit", done));
  execFileSync("fusermount", ["-u", where]);
  await end;
  mounted = undefined;
}

before(async () => {
  store = await Store.start();
  if (skip) return;
  where = join(store.dir, "mount");
  mkdirSync(where);
  writeFileSync(join(store.dir, "key"), `${store.access}:${store.secret}`, { mode: 0o600 });
  await store.run("s3cmd", ["--access_key", store.access, "--secret_key", store.secret, "--host", `127.0.0.1:${store.port}`, "--host-bucket", `127.0.0.1:${store.port}`,
    "--no-ssl", "mb", "s3://mounted"]);
  await mount();
});
after(async () => {
  await unmount();
  await store.remove();
});

test("s3fs: a tree copied into the mount is identical after a remount", { skip }, async () => {
  makeTree(join(store.dir, "tree"), FILES);
  cpSync(join(store.dir, "tree"), join(where, "tree"), { recursive: true });
  await unmount();
  await mount();
  sameTrees(join(store.dir, "tree"), join(where, "tree"), FILES);
});

test("s3fs: files are changed, appended to, renamed and removed through the mount", { skip }, () => {
  writeFileSync(join(where, "note"), "one\n");
  appendFileSync(join(where, "note"), "two\n");
  renameSync(join(where, "note"), join(where, "kept"));
  assert.equal(readFileSync(join(where, "kept"), "utf8"), "one\ntwo\n");
  assert.throws(() => statSync(join(where, "note")));
  rmSync(join(where, "kept"));
  assert.deepEqual(readdirSync(where), ["tree"]);
});

test("s3fs: a large file goes in, is renamed, and comes back identical", { skip }, async () => {
  const hash = makeBig(join(where, "big"), LARGE);
  renameSync(join(where, "big"), join(where, "bigger"));
  await unmount();
  await mount();
  assert.equal(await fileHash(join(where, "bigger")), hash);
});
