// What a reader of the sources would have to look for: words outside of the catalogue, colours outside of the tokens.
// @vitest-environment node
import { readdirSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";
import ts from "typescript";
import { expect, test } from "vitest";

const files = (readdirSync(__dirname, { recursive: true }) as string[]).filter((name) => /\.tsx?$/.test(name) && !/\.test\.|^testing|^gen\/|^messages\//.test(name))
  .map((name) => join(__dirname, name));

/** Said by a screen reader or shown: in JSX as text, or in one of these attributes. */
const said = new Set(["alt", "aria-label", "aria-description", "aria-roledescription", "aria-valuetext", "label", "placeholder", "title", "hint"]);
/** Names and signs that are the same in every language. */
const names = /^(Anneal|E-mail|JSON|CSV|ONNX|SHA-256|IoU|mIoU|mAP|F1|[A-Z]|Ctrl|ms|GiB|MiB|KiB|px|s|vs)$/;
const isWord = (text: string) => /\p{L}{2,}/u.test(text.replace(/&\w+;/g, "")) && !text.trim().split(/\s+/).every((one) => names.test(one.replace(/[^\p{L}\d-]/gu, "")) || !/\p{L}{2,}/u.test(one));

function texts(file: string): string[] {
  const source = ts.createSourceFile(file, readFileSync(file, "utf8"), ts.ScriptTarget.Latest, true, file.endsWith("x") ? ts.ScriptKind.TSX : ts.ScriptKind.TS);
  const found: string[] = [];
  const tell = (node: ts.Node, text: string) => {
    if (isWord(text)) found.push(`${relative(__dirname, file)}:${source.getLineAndCharacterOfPosition(node.getStart()).line + 1}: ${text.trim()}`);
  };
  const visit = (node: ts.Node) => {
    if (ts.isJsxText(node)) tell(node, node.text);
    else if (ts.isJsxExpression(node) && node.expression && ts.isStringLiteralLike(node.expression) && !ts.isJsxAttribute(node.parent)) tell(node, node.expression.text);
    else if (ts.isJsxAttribute(node) && node.initializer && ts.isStringLiteral(node.initializer) && said.has(node.name.getText())) tell(node, node.initializer.text);
    ts.forEachChild(node, visit);
  };
  visit(source);
  return found;
}

test("every text is in the catalogue", () => {
  expect(files.length).toBeGreaterThan(40);
  expect(files.flatMap(texts)).toEqual([]);
});

test("every colour is a token", () => {
  const palette = "slate|gray|zinc|neutral|stone|red|orange|amber|yellow|lime|green|emerald|teal|cyan|sky|blue|indigo|violet|purple|fuchsia|pink|rose|black|white";
  const outside = [
    new RegExp(`\\b(?:bg|text|border|fill|stroke|ring|outline|from|to|via|divide|accent|decoration|shadow|caret|placeholder)-(?:${palette})(?:-\\d+)?\\b`),
    /#(?:[0-9a-f]{3}|[0-9a-f]{6}|[0-9a-f]{8})\b(?![\w-])/i, /\b(?:rgba?|hsla?|oklch|hwb)\(\s*\d/,
    new RegExp(`(?:color|fill|stroke|background)\\w*\\s*[=:]\\s*\\{?["'](?:${palette})["']`),
  ];
  const found = files.flatMap((file) => readFileSync(file, "utf8").split("\n").flatMap((line, i) =>
    !line.trim().startsWith("//") && outside.some((one) => one.test(line)) ? [`${relative(__dirname, file)}:${i + 1}: ${line.trim().slice(0, 120)}`] : []));
  expect(found).toEqual([]);
});
