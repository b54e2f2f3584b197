// Figures of speed and what is aimed at, in build/web-vitals.json and in the output.  How long something takes depends on
// what else the machine does, so the default run measures and tells; only with CHECK_ALL=1, on a machine that does
// nothing else, is a figure held against its aim.
import assert from "node:assert/strict";
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { root, until } from "./anneal";

export const held = process.env["CHECK_ALL"] === "1";
const file = join(root, "build/web-vitals.json"), lock = `${file}.lock`;

export const median = (all: number[]) => [...all].sort((a, b) => a - b)[all.length >> 1] ?? Number.NaN;

export interface Figure {
  name: string;
  unit: "ms" | "frames/s";
  /** One of each round; what counts is their median. */
  rounds: number[];
  /** At most, or for frames at least. */
  aim: number;
  /** Read beside it: the main thread's own time, where other processes do not count. */
  own?: number;
}

const round = (n: number) => Math.round(n * 10) / 10;

/** Tells the figures, adds them to the file, and with CHECK_ALL=1 fails where the median misses its aim. */
export async function tell(figures: Figure[]): Promise<void> {
  const said = figures.map((one) => {
    const middle = median(one.rounds), met = one.unit === "ms" ? middle <= one.aim : middle >= one.aim;
    assert.ok(one.rounds.length && one.rounds.every((n) => Number.isFinite(n) && n >= 0), `${one.name}: ${one.rounds.join(" ")}`);
    console.log(`# ${one.name}: ${round(middle)} ${one.unit} (median of ${one.rounds.length}; aim ${one.unit === "ms" ? "<=" : ">="} ${one.aim}${one.own === undefined ? "" : `; the main thread's own ${round(one.own)} ms`})`);
    return { ...one, median: round(middle), best: round(one.unit === "ms" ? Math.min(...one.rounds) : Math.max(...one.rounds)), rounds: one.rounds.map(round), met,
      ...(one.own !== undefined && { own: round(one.own) }) };
  });
  mkdirSync(join(root, "build"), { recursive: true });
  const hold = await until("the figures' file is free", async () => {
    try {
      return openSync(lock, "wx");
    } catch {
      return undefined;
    }
  });
  try {
    const before = existsSync(file) ? (JSON.parse(readFileSync(file, "utf8")) as { name: string }[]) : [];
    const after = [...before.filter((one) => !said.some((other) => other.name === one.name)), ...said];
    writeFileSync(`${file}.new`, `${JSON.stringify(after, null, 2)}\n`);
    renameSync(`${file}.new`, file);
  } finally {
    closeSync(hold);
    rmSync(lock);
  }
  if (!held) return;
  const missed = said.filter((one) => !one.met).map((one) => `${one.name}: ${one.median} ${one.unit}, aim ${one.aim}`);
  assert.deepEqual(missed, []);
}
