// One more program of ours beside serve: a store or a trainer alone.
import { type ChildProcess, spawn } from "node:child_process";

import { binary, until } from "./anneal";

export class Program {
  output = "";
  private child: ChildProcess | undefined;

  constructor(private readonly args: string[], private readonly env: Record<string, string>, private readonly url: string) {}

  get pid(): number {
    return this.child?.pid ?? 0;
  }

  /** Starts it; returns when it answers HTTP, whatever the answer. */
  async up(): Promise<void> {
    const child = spawn(binary, this.args, { stdio: ["ignore", "pipe", "pipe"], env: { ...process.env, ...this.env } });
    this.child = child;
    let ended = false;
    child.on("exit", () => (ended = true));
    child.stdout?.on("data", (d: Buffer) => (this.output += d.toString()));
    child.stderr?.on("data", (d: Buffer) => (this.output += d.toString()));
    await until(`${this.args[0]} answers`, async () => {
      if (ended) throw new Error(`${this.args[0]} ended:\n${this.output}`);
      try {
        await fetch(this.url);
        return true;
      } catch {
        return false;
      }
    });
  }

  async down(signal: NodeJS.Signals = "SIGTERM"): Promise<number | string> {
    const child = this.child;
    if (!child || child.exitCode !== null || child.signalCode !== null) return "not running";
    const end = new Promise<number | string>((done) => child.on("exit", (code, sig) => done(code ?? sig ?? "?")));
    child.kill(signal);
    return end;
  }
}
