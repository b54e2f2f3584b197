import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";

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
  const css = readFileSync(join(__dirname, "tokens.css"), "utf8");
  const block = (selector: string) =>
    Object.fromEntries([...(css.split(`${selector} {`)[1]?.split("}")[0] ?? "").matchAll(/--([\w-]+): (\d+) (\d+) (\d+);/g)].map((m) => [m[1], m.slice(2).map(Number)]));
  const light = block(":root"), dark = { ...light, ...block(':root[data-theme="dark"]') };
  for (const theme of [light, dark]) {
    const pairs = ["foreground", "muted", "primary", "success", "warning", "info", "destructive"].flatMap((ink) =>
      ["background", "surface"].map((ground) => [ink, ground]));
    for (const [ink = "", ground = ""] of [...pairs, ["foreground", "raised"], ["muted", "raised"], ["primary-foreground", "primary"]])
      expect(contrast(theme[ink] ?? [], theme[ground] ?? []), `${ink} on ${ground}`).toBeGreaterThanOrEqual(4.5);
  }
});
