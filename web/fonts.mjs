// Cuts the Korean font into pieces that a browser fetches by the characters it shows (unicode-range): what the
// first pages say, what the rest of the catalogue says, then the whole font in order.  Written to build/fonts, made
// anew when the catalogue or the font changes.  A piece is a modified version of SUIT under the SIL Open Font License,
// which keeps the name SUIT for the whole: the pieces carry another one, and both fonts' licences go into the app.
import { createHash } from "node:crypto";
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

import subset from "subset-font";

const web = dirname(fileURLToPath(import.meta.url));
const out = join(web, "../build/fonts");
const source = join(web, "node_modules/@sun-typeface/suit/fonts/variable/woff2/SUIT-Variable.woff2");
const fontverter = createRequire(createRequire(import.meta.url).resolve("subset-font"))("fontverter");
const FIRST = ["words", "shell", "home", "upload", "parts"]; // areas of the catalogue that the first page needs
const NAME = "ANKR"; // as long as the reserved name, so that the name table keeps its layout
const PIECE = 160; // characters a piece of the rest
const VERSION = 1; // of what this script makes

/** The characters from Hangul Jamo upwards that a text of the catalogue has. */
const korean = (text) => new Set([...text].filter((c) => c.codePointAt(0) >= 0x1100));
const areas = readdirSync(join(web, "src/messages")).filter((f) => f.endsWith(".ts") && !f.includes(".test."));
const read = (f) => readFileSync(join(web, "src/messages", f), "utf8");
const bytes = readFileSync(source);
const hash = createHash("sha256").update(bytes).update(String(VERSION));
for (const f of areas) hash.update([...korean(read(f))].sort().join("")).update("\n");
const id = hash.digest("hex");
if (existsSync(join(out, "made-of")) && readFileSync(join(out, "made-of"), "utf8") === id) process.exit(0);

/** Every code point of a font's cmap (format 4 and 12). */
function coverage(font) {
  const tables = new Map(Array.from({ length: font.readUInt16BE(4) }, (_, i) => [font.toString("latin1", 12 + 16 * i, 16 + 16 * i), font.readUInt32BE(20 + 16 * i)]));
  const cmap = tables.get("cmap");
  const points = new Set();
  for (let i = 0; i < font.readUInt16BE(cmap + 2); i++) {
    const at = cmap + font.readUInt32BE(cmap + 8 + 8 * i), format = font.readUInt16BE(at);
    if (format === 12)
      for (let g = 0; g < font.readUInt32BE(at + 12); g++)
        for (let c = font.readUInt32BE(at + 16 + 12 * g); c <= font.readUInt32BE(at + 20 + 12 * g); c++) points.add(c);
    else if (format === 4) {
      const n = font.readUInt16BE(at + 6) / 2;
      for (let s = 0; s < n; s++)
        for (let c = font.readUInt16BE(at + 16 + 2 * n + 2 * s); c <= font.readUInt16BE(at + 14 + 2 * s) && c !== 0xffff; c++) points.add(c);
    }
  }
  return [...points];
}

/** Gives the font another name wherever it is presented as its own (family, full name, instances; not the notices). */
function rename(font) {
  const count = font.readUInt16BE(4);
  for (let i = 0; i < count; i++) {
    const row = 12 + 16 * i;
    if (font.toString("latin1", row, row + 4) !== "name") continue;
    const at = font.readUInt32BE(row + 8), strings = at + font.readUInt16BE(at + 4);
    for (let r = 0; r < font.readUInt16BE(at + 2); r++) {
      const record = at + 6 + 12 * r, name = font.readUInt16BE(record + 6);
      if (![1, 3, 4, 6, 16, 21, 25].includes(name) && name < 256) continue;
      const from = strings + font.readUInt16BE(record + 10), part = font.subarray(from, from + font.readUInt16BE(record + 8));
      for (const encode of [(s) => Buffer.from(s, "latin1"), (s) => Buffer.from(s, "utf16le").swap16()])
        for (let k = part.indexOf(encode("SUIT")); k >= 0; k = part.indexOf(encode("SUIT"))) encode(NAME).copy(part, k);
    }
  }
  return font;
}

function ranges(points) {
  const sorted = [...points].sort((a, b) => a - b), rows = [];
  for (const c of sorted) {
    const last = rows.at(-1);
    if (last && last[1] === c - 1) last[1] = c;
    else rows.push([c, c]);
  }
  const hex = (c) => c.toString(16).toUpperCase();
  return rows.map(([a, b]) => (a === b ? `U+${hex(a)}` : `U+${hex(a)}-${hex(b)}`)).join(",");
}

const whole = await fontverter.convert(bytes, "truetype");
const have = coverage(whole).filter((c) => c >= 0x1100).sort((a, b) => a - b);
const known = new Set(have);
const points = (chars) => [...chars].map((c) => c.codePointAt(0)).filter((c) => known.has(c));
const first = new Set(points(korean(FIRST.map((f) => read(`${f}.ts`)).join(""))));
const others = points(korean(areas.map(read).join(""))).filter((c) => !first.has(c));
const done = new Set([...first, ...others]);
const rest = have.filter((c) => !done.has(c));
const pieces = [["first", [...first]], ["catalogue", others]];
for (let i = 0; i < rest.length; i += PIECE) pieces.push([`rest-${i / PIECE}`, rest.slice(i, i + PIECE)]);

rmSync(out, { recursive: true, force: true });
mkdirSync(out, { recursive: true });
const css = [];
for (const [name, list] of pieces) {
  if (!list.length) continue;
  const cut = await subset(whole, String.fromCodePoint(...list), { targetFormat: "truetype", variationAxes: { wght: { min: 400, max: 700 } } });
  writeFileSync(join(out, `hangul-${name}.woff2`), await fontverter.convert(rename(Buffer.from(cut)), "woff2"));
  css.push(`@font-face{font-family:"Anneal Hangul";font-weight:400 700;font-display:swap;` +
    `src:url("./hangul-${name}.woff2") format("woff2");unicode-range:${ranges(list)}}`);
}
writeFileSync(join(out, "hangul.css"), css.join("\n") + "\n");
copyFileSync(join(web, "node_modules/@sun-typeface/suit/LICENSE"), join(out, "SUIT-OFL.txt"));
copyFileSync(join(web, "node_modules/@fontsource-variable/inter/LICENSE"), join(out, "Inter-OFL.txt"));
writeFileSync(join(out, "made-of"), id);
