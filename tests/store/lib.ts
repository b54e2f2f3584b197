// What the tests with real clients share: a store alone on a free port, a clean environment for the
// client, trees and large files made from a seed, and their hashes.
import assert from "node:assert/strict";
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { createCipheriv, createHash } from "node:crypto";
import { closeSync, existsSync, mkdirSync, mkdtempSync, openSync, readdirSync, readFileSync, rmSync, writeFileSync, writeSync } from "node:fs";
import { createReadStream } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { binary, freePort, until } from "../lib/anneal";

/** The slow form: trees of 10,000 files and a file of 5 GB for every client. */
export const slow = process.env["CHECK_ALL"] === "1";
export const TREE = 10_000;
/** For clients that take some 20 ms a file. */
export const TREE_OF_SLOW = slow ? TREE : 1_000;
export const BIG_BYTES = slow ? 5_000_000_000 : 300_000_000;

export interface Output {
  code: number;
  out: string;
  err: string;
}

export class Store {
  readonly dir = mkdtempSync(join(process.env["STORE_TESTS_DIR"] ?? tmpdir(), "anneal-store-"));
  readonly access = "AKIATESTSOFTHESTORE0";
  readonly secret = "a/secret+of=the.tests-0123456789";
  port = 0;
  log = "";
  private child: ChildProcess | undefined;

  static async start(): Promise<Store> {
    const store = new Store();
    store.port = await freePort();
    await store.up();
    return store;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  get data(): string {
    return join(this.dir, "data");
  }

  /** Nothing of the tester's own settings for S3 reaches a client. */
  env(more: Record<string, string> = {}): Record<string, string> {
    const env: Record<string, string> = {};
    for (const [name, value] of Object.entries(process.env))
      if (value !== undefined && !/^(AWS_|S3_|RCLONE_|RESTIC_|ANNEAL_|https?_proxy$|no_proxy$)/i.test(name)) env[name] = value;
    return { ...env, HOME: this.dir, AWS_ACCESS_KEY_ID: this.access, AWS_SECRET_ACCESS_KEY: this.secret, AWS_DEFAULT_REGION: "us-east-1",
      AWS_EC2_METADATA_DISABLED: "true", ...more };
  }

  /** Serves another folder. */
  async serve(data: string): Promise<void> {
    this.port = await freePort();
    await this.up(data);
  }

  async up(data = this.data): Promise<void> {
    const child = spawn(binary, ["store", "--data", data, "--listen", `127.0.0.1:${this.port}`], { stdio: ["ignore", "pipe", "pipe"], env: this.env() });
    this.child = child;
    let ended = false;
    child.on("exit", () => (ended = true));
    child.stdout?.on("data", (d: Buffer) => (this.log += d.toString()));
    child.stderr?.on("data", (d: Buffer) => (this.log += d.toString()));
    await until("the store answers", async () => {
      if (ended) throw new Error(`the store ended:\n${this.log}`);
      try {
        return (await fetch(`${this.url}/_health`)).ok;
      } catch {
        return false;
      }
    });
  }

  async down(signal: NodeJS.Signals = "SIGTERM"): Promise<void> {
    const child = this.child;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const end = new Promise((done) => child.on("exit", done));
    child.kill(signal);
    await end;
  }

  async remove(): Promise<void> {
    await this.down();
    rmSync(this.dir, { recursive: true, force: true });
  }

  /** Runs a program; fails with all that it said unless it ends with 0 (or `code` says -1: any). */
  async run(program: string, args: string[], more: Record<string, string> = {}, code = 0): Promise<Output> {
    const result = await execute(program, args, this.env(more), this.dir);
    if (code >= 0)
      assert.equal(result.code, code, `${program} ${args.join(" ")}\n${result.out}\n${result.err}\n${this.log.slice(-2000)}`);
    return result;
  }
}

/** A client that never ends is killed after 20 minutes. */
export function execute(program: string, args: string[], env: Record<string, string>, cwd: string): Promise<Output> {
  return new Promise((done, fail) => {
    const child = spawn(program, args, { env, cwd, stdio: ["ignore", "pipe", "pipe"], timeout: 1_200_000 });
    let out = "", err = "";
    child.stdout.on("data", (d: Buffer) => (out += d.toString()));
    child.stderr.on("data", (d: Buffer) => (err += d.toString()));
    child.on("error", fail);
    child.on("close", (code) => done({ code: code ?? 255, out, err }));
  });
}

/** Why a program cannot be tested here; undefined: it can. */
export function lacks(program: string): string | undefined {
  return spawnSync("sh", ["-c", `command -v ${program}`]).status === 0 ? undefined : `${program} is not installed (tools/setup --with store)`;
}

/** Bytes that depend on the seed alone. */
export class Bytes {
  private readonly stream;
  constructor(seed: number) {
    const key = createHash("sha256").update(String(seed)).digest();
    this.stream = createCipheriv("aes-128-ctr", key.subarray(0, 16), key.subarray(16));
  }
  take(n: number): Buffer {
    return this.stream.update(Buffer.alloc(n));
  }
}

const ODD = ["plain", "with blank", "한글", "plus+and&more", "per%20cent", "a=b;c,d", "(round) [square]", "tilde~dot.", "quote'", "ünïcödé"];

/** `count` files of 0 to 4 KB, a hundred to a folder, with names that clients get wrong. */
export function makeTree(dir: string, count: number, seed = 1): void {
  const bytes = new Bytes(seed);
  for (let i = 0; i < count; i++) {
    const folder = join(dir, `${ODD[Math.floor(i / 100) % ODD.length]} ${Math.floor(i / 100)}`);
    if (i % 100 === 0) mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, `${ODD[i % ODD.length]} ${i}.bin`), bytes.take(1 + (i * 37) % 4096));
  }
}

/** path -> SHA-256 of every file below. */
export function treeHashes(dir: string, below = "", into = new Map<string, string>()): Map<string, string> {
  for (const entry of readdirSync(join(dir, below), { withFileTypes: true })) {
    const path = join(below, entry.name);
    if (entry.isDirectory()) treeHashes(dir, path, into);
    else into.set(path, createHash("sha256").update(readFileSync(join(dir, path))).digest("hex"));
  }
  return into;
}

export function sameTrees(a: string, b: string, count: number): void {
  const left = treeHashes(a), right = treeHashes(b);
  assert.equal(left.size, count);
  assert.equal(right.size, count);
  for (const [path, hash] of left) assert.equal(right.get(path), hash, path);
}

/** A file that is made as it is written; gives its SHA-256. */
export function makeBig(path: string, bytes: number, seed = 2): string {
  const stream = new Bytes(seed), hash = createHash("sha256"), fd = openSync(path, "w");
  for (let left = bytes; left > 0; ) {
    const piece = stream.take(Math.min(left, 8 << 20));
    hash.update(piece);
    writeSync(fd, piece);
    left -= piece.length;
  }
  closeSync(fd);
  return hash.digest("hex");
}

export async function fileHash(path: string): Promise<string> {
  const hash = createHash("sha256");
  assert.ok(existsSync(path), path);
  for await (const piece of createReadStream(path, { highWaterMark: 1 << 20 })) hash.update(piece as Buffer);
  return hash.digest("hex");
}
