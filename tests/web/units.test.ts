// Parts of the web app that need no browser: its texts and the tar that it wraps around dropped files.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";

import { textsOf } from "../../web/src/i18n";
import { messages } from "../../web/src/messages";
import { tar } from "../../web/src/parts/tar";
import { root } from "../lib/anneal";

const names = (text: string) => [...new Set([...text.matchAll(/\{(\w+)/g)].map((m) => m[1]))].sort();

test("every text has the same parameters in English and in Korean, and none is empty", () => {
  for (const [key, [english, korean]] of Object.entries(messages)) {
    assert.ok(english.trim() && korean.trim(), key);
    assert.deepEqual(names(korean), names(english), key);
  }
});

test("a word goes with its number", () => {
  const { t } = textsOf("en");
  assert.equal(t("pictures", { n: 1 }), "1 picture");
  assert.equal(t("pictures", { n: 0 }), "0 pictures");
  assert.equal(t("pictures", { n: 6000 }), "6,000 pictures");
  assert.equal(textsOf("ko").t("pictures", { n: 6000 }), "이미지 6,000장");
});

test("a value that the catalogue does not know is shown as it is", () => {
  assert.equal(textsOf("ko").of("status", "completed"), "완료");
  assert.equal(textsOf("ko").of("status", "paused"), "paused");
});

test("sizes, shares and durations are rounded at their edges", () => {
  const { bytes, percent, duration } = textsOf("en");
  assert.deepEqual([0, 1023, 1024, 10 * 1024, 1536 * 1024].map(bytes), ["0 B", "1,023 B", "1.0 KiB", "10 KiB", "1.5 MiB"]);
  assert.equal(percent(0.385), "38.5\u00a0%");
  assert.deepEqual([-5, 59_499, 60_000, 3_600_000].map(duration), ["0:00", "0:59", "1:00", "1:00:00"]);
});

/** WCAG 2.1, relative luminance and contrast ratio. */
function contrast(a: number[], b: number[]): number {
  const light = (rgb: number[]) => {
    const [r = 0, g = 0, blue = 0] = rgb.map((v) => (v / 255 <= 0.04045 ? v / 255 / 12.92 : ((v / 255 + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * blue;
  };
  const [x, y] = [light(a), light(b)];
  return (Math.max(x, y) + 0.05) / (Math.min(x, y) + 0.05);
}

test("text can be read on every ground, light and dark (WCAG AA: 4.5 to 1)", () => {
  const css = readFileSync(join(root, "web/src/tokens.css"), "utf8");
  const block = (selector: string) =>
    Object.fromEntries([...(css.split(`${selector} {`)[1]?.split("}")[0] ?? "").matchAll(/--([\w-]+): (\d+) (\d+) (\d+);/g)].map((m) => [m[1], m.slice(2).map(Number)]));
  const light = block(":root"), dark = { ...light, ...block(':root[data-theme="dark"]') };
  for (const theme of [light, dark]) {
    const pairs = ["foreground", "muted", "primary", "success", "warning", "info", "destructive"].flatMap((ink) =>
      ["background", "surface"].map((ground) => [ink, ground]));
    for (const [ink = "", ground = ""] of [...pairs, ["foreground", "raised"], ["muted", "raised"], ["primary-foreground", "primary"]])
      assert.ok(contrast(theme[ink] ?? [], theme[ground] ?? []) >= 4.5, `${ink} on ${ground}: ${contrast(theme[ink] ?? [], theme[ground] ?? [])}`);
  }
});

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
    for (const [path, size] of files) assert.deepEqual(readFileSync(join(dir, path)), content(size), path);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
});
