// Processes of a serve, from /proc: who is there, with which arguments, holding how much.
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";

/** Direct children of a process. */
export function children(parent: number): number[] {
  return readdirSync("/proc").filter((n) => /^\d+$/.test(n)).map(Number).filter((pid) => {
    try {
      const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
      return Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]) === parent;
    } catch {
      return false;
    }
  });
}

/** All that descend from a process. */
export function descendants(parent: number): number[] {
  return children(parent).flatMap((pid) => [pid, ...descendants(pid)]);
}

export function command(pid: number): string[] {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "latin1").split("\0").filter((a) => a);
  } catch {
    return [];
  }
}

/** True while the process runs: neither gone nor a zombie. */
export function alive(pid: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
    return stat.slice(stat.lastIndexOf(")") + 2)[0] !== "Z";
  } catch {
    return false;
  }
}

/** kill -9; false if the process had gone by itself. */
export function end(pid: number): boolean {
  try {
    return process.kill(pid, "SIGKILL");
  } catch {
    return false;
  }
}

/** The descendants of `parent` that run as `anneal ROLE`. */
export const ofRole = (parent: number, role: string) => descendants(parent).filter((pid) => command(pid)[1] === role);

export function resident(pid: number, field: "VmRSS" | "VmHWM" = "VmRSS"): number {
  return Number(new RegExp(`${field}:\\s+(\\d+) kB`).exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) * 1024;
}

/** Files below a folder with their sizes. */
export function files(dir: string): { path: string; bytes: number }[] {
  return readdirSync(dir, { withFileTypes: true }).flatMap((entry) => {
    const path = join(dir, entry.name);
    try {
      return entry.isDirectory() ? files(path) : [{ path, bytes: statSync(path).size }];
    } catch {
      return []; // it has just been removed
    }
  });
}
