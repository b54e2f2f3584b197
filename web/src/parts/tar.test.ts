// @vitest-environment node
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";

import { tar } from "./tar";

test("the tar of dropped files is one that tar(1) reads: empty files, block edges, names beyond 100 bytes", async () => {
  const dir = mkdtempSync(join(tmpdir(), "anneal-tar-"));
  try {
    const long = `${"folder with spaces/".repeat(6)}${"é".repeat(60)}.png`;
    const files = [["empty.png", 0], ["a/one.png", 1], ["a/block.png", 512], ["b/over.png", 513], [long, 700],
      [`${"x".repeat(96)}.png`, 3], [`${"y".repeat(97)}.png`, 3]] as const;
    const content = (size: number) => Buffer.from(Array.from({ length: size }, (_, i) => i % 251));
    const blob = tar(files.map(([path, size]) => ({ path, file: new Blob([content(size)]) })));
    writeFileSync(join(dir, "all.tar"), Buffer.from(await blob.arrayBuffer()));
    execFileSync("tar", ["-xf", "all.tar"], { cwd: dir, env: { ...process.env, LC_ALL: "C.UTF-8" } });
    for (const [path, size] of files) expect(readFileSync(join(dir, path)).equals(content(size)), path).toBe(true);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
});
