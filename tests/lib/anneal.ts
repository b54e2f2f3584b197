// Starts real `anneal serve` processes for the tests: free ports, an empty data directory, and an end
// that leaves no process behind.
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

export const root = resolve(process.cwd());
export const binary = process.env["ANNEAL_BINARY"] ?? join(root, "build/anneal");

export interface Result {
  code: number;
  stdout: string;
  stderr: string;
  /** The last line of standard output as JSON. */
  json: any;
}

export async function freePort(): Promise<number> {
  return new Promise((done, fail) => {
    const server = createServer();
    server.on("error", fail);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => (address && typeof address === "object" ? done(address.port) : fail(new Error("no port"))));
    });
  });
}

/** Waits for a condition, asked every 20 ms; fails with its name after the deadline. */
export async function until<T>(what: string, ask: () => Promise<T | undefined | null | false>, ms = 60_000): Promise<T> {
  const end = Date.now() + ms;
  for (;;) {
    const value = await ask();
    if (value !== undefined && value !== null && value !== false) return value;
    if (Date.now() > end) throw new Error(`after ${ms} ms still not: ${what}`);
    await new Promise((r) => setTimeout(r, 20));
  }
}

export class Anneal {
  readonly dir: string;
  readonly port: number;
  readonly storePort: number;
  output = "";
  private process: ChildProcess | undefined;
  private readonly flags: string[];
  private readonly env: Record<string, string>;

  private constructor(dir: string, port: number, storePort: number, flags: string[], env: Record<string, string>) {
    this.dir = dir;
    this.port = port;
    this.storePort = storePort;
    this.flags = flags;
    this.env = env;
  }

  static async start(flags: string[] = [], env: Record<string, string> = {}): Promise<Anneal> {
    const dir = mkdtempSync(join(tmpdir(), "anneal-test-"));
    const one = new Anneal(dir, await freePort(), await freePort(), flags, env);
    await one.up();
    return one;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  get pid(): number {
    if (!this.process?.pid) throw new Error("serve is not running");
    return this.process.pid;
  }

  get token(): string {
    return readFileSync(join(this.dir, "admin.token"), "utf8").trim();
  }

  /** The one-time secret of the link that the last start printed. */
  get link(): string {
    const all = [...this.output.matchAll(/#login=(\S+)/g)];
    const last = all.at(-1)?.[1];
    if (!last) throw new Error(`no link in the output:\n${this.output}`);
    return last;
  }

  async up(): Promise<void> {
    const args = ["serve", "--data", this.dir, "--listen", `127.0.0.1:${this.port}`,
      "--store-listen", `127.0.0.1:${this.storePort}`, ...this.flags];
    const env = { ...process.env, ...this.env };
    const child = spawn(binary, args, { stdio: ["ignore", "pipe", "pipe"], env });
    this.process = child;
    let ended: string | undefined;
    child.stdout?.on("data", (d: Buffer) => (this.output += d.toString()));
    child.stderr?.on("data", (d: Buffer) => (this.output += d.toString()));
    child.on("exit", (code, signal) => (ended = `serve ended (${code ?? signal})`));
    await until("serve answers", async () => {
      if (ended) throw new Error(`${ended}:\n${this.output}`);
      try {
        return (await fetch(`${this.url}/health`)).ok && this.output.includes("#login=");
      } catch {
        return false;
      }
    });
  }

  /** Sends a signal and waits for the end; the exit code, or the signal that ended it. */
  async down(signal: NodeJS.Signals = "SIGTERM"): Promise<number | string> {
    const child = this.process;
    if (!child || child.exitCode !== null || child.signalCode !== null) return child?.exitCode ?? "not running";
    const end = new Promise<number | string>((done) => child.on("exit", (code, sig) => done(code ?? sig ?? "?")));
    child.kill(signal);
    return end;
  }

  async remove(): Promise<void> {
    await this.down();
    rmSync(this.dir, { recursive: true, force: true });
  }

  async api(method: string, path: string, body?: unknown, headers: Record<string, string> = {}): Promise<Response> {
    const auth: Record<string, string> = { authorization: `Bearer ${this.token}` };
    const init: RequestInit = { method, headers: { ...auth, ...headers } };
    if (body !== undefined) {
      init.body = JSON.stringify(body);
      init.headers = { ...auth, "content-type": "application/json", ...headers };
    }
    return fetch(this.url + path, init);
  }

  async get(path: string): Promise<any> {
    const reply = await this.api("GET", path);
    if (!reply.ok) throw new Error(`GET ${path}: ${reply.status} ${await reply.text()}`);
    return reply.json();
  }

  async cli(...args: string[]): Promise<Result> {
    const env = { ...process.env, ANNEAL_URL: this.url, ANNEAL_DATA: this.dir, ANNEAL_TOKEN: "" };
    return run([...args], env);
  }
}

export function run(args: string[], env: NodeJS.ProcessEnv = process.env): Promise<Result> {
  return new Promise((done) => {
    execFile(binary, args, { env, maxBuffer: 64 << 20 }, (error, stdout, stderr) => {
      const code = error ? (typeof error.code === "number" ? error.code : 255) : 0;
      const last = stdout.trim().split("\n").at(-1) ?? "";
      let json: any;
      try {
        json = JSON.parse(last);
      } catch {
        json = undefined;
      }
      done({ code, stdout, stderr, json });
    });
  });
}

/** The cookies that a reply sets, each as "name=value; attributes" (Node 18 has no getSetCookie). */
export function cookiesOf(reply: { headers: Headers }): string[] {
  return (reply.headers.get("set-cookie") ?? "").split(/, (?=[a-z_]+=)/);
}
