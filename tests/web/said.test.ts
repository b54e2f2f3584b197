// What the server says in its own words has a form in every language of the app: the catalogue's rows (messages/server.ts)
// against a running server and against its sources.  A network, a setting, a preset, a code or a sentence that is new
// in the server and has no row, or whose text has changed, fails here.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";

import { messages } from "../../web/src/messages";
import { Anneal, root, until } from "../lib/anneal";

const rows = messages as Record<string, readonly [string, string]>;
const source = (path: string) => readFileSync(join(root, "src", path), "utf8").replace(/\/\*.*?\*\//gs, "");
/** A C expression's string literals, joined as the compiler does. */
const literal = (text: string) => [...text.matchAll(/"((?:[^"\\]|\\.)*)"/g)].map((m) => m[1]).join("");
/** Conversions and parameters alike are blanks. */
const blanks = (text: string) => text.replace(/%%/g, "%").replace(/%[-+0 #.*\d]*(?:ll|z|l)?[a-zA-Z]/g, "{}").replace(/\{\w+\}/g, "{}");

let anneal: Anneal;
before(async () => {
  anneal = await Anneal.start();
  await until("the trainer has said what it offers", async () => (await anneal.get("/models/list")).models.length > 0);
});
after(() => anneal?.remove());

/** What is missing of these, or reads otherwise: [key, the server's text]. */
function amiss(all: [string, string][]): string[] {
  assert.ok(all.length, "the server offers something");
  return all.flatMap(([key, text]) => (!rows[key] ? [`${key} is missing: "${text}"`] : rows[key][0] !== text ? [`${key} is "${rows[key][0]}", but the server says "${text}"`] : []));
}
/** Rows of a group that nothing of the server's answers to. */
const idle = (group: string, names: string[]) => Object.keys(rows).filter((key) => key.startsWith(`${group}.`) && !names.includes(key.slice(group.length + 1)));

describe("what the server says", () => {
  test("every network has its name and its description", async () => {
    const { models } = await anneal.get("/models/list");
    const own = models.filter((one: any) => one.framework === "anneal");
    assert.deepEqual(amiss(own.flatMap((one: any) => [[`network.${one.name}`, one.title], [`networkHelp.${one.name}`, one.description]])), []);
    assert.deepEqual(idle("network", own.map((one: any) => one.name)), []);
  });

  test("every setting of a training has its label, its help and its group", async () => {
    const { models } = await anneal.get("/models/list");
    const fields = models.flatMap((one: any) => one.config_schema) as { name: string; description: string; group: string }[];
    assert.deepEqual(amiss(fields.map((one) => [`fieldHelp.${one.name}`, one.description])), []);
    assert.deepEqual([...new Set(fields.filter((one) => one.name !== "model" && !rows[`field.${one.name}`]).map((one) => one.name))], []);
    assert.deepEqual([...new Set(fields.filter((one) => !rows[`group.${one.group}`]).map((one) => one.group))], []);
  });

  test("every preset has its name and its help", async () => {
    const { presets } = await anneal.get("/training/presets");
    for (const one of presets) assert.ok(rows[`preset.${one.name}`] && rows[`presetHelp.${one.name}`], one.name);
  });

  test("every setting of the program has its help, its group and its source", async () => {
    const { settings } = await anneal.get("/settings");
    assert.deepEqual(amiss(settings.flatMap((one: any) => [[`settingHelp.${one.name}`, one.help], [`settingGroup.${one.group}`, one.group],
      [`settingSource.${one.source}`, one.source]])), []);
    assert.deepEqual(idle("settingHelp", settings.map((one: any) => one.name)), []);
  });

  test("every code of a refusal, a fault, a warning and an attempt has its words", () => {
    const table = [...source("base/err.h").matchAll(/X\(\w+, \d+, "(\w+)",\s*"([^"]+)"\)/g)].map((m): [string, string] => [`problem.${m[1]}`, m[2] ?? ""]);
    assert.ok(table.length > 20);
    assert.deepEqual(amiss(table), []);
    const codes = (file: string, find: RegExp) => [...source(file).matchAll(find)].map((m) => m[1] ?? "");
    for (const [group, all] of [["faultCode", codes("flow/dataset/fault.h", /X\(\w+, "(\w+)", \w+\)/g)], ["warn", codes("api/jobs_warn.c", /say\(n, "\w+", "(\w+)"/g)],
      ["attempt", codes("flow/job/job_sql.c", /(?<=attempt_status_names\[\] = \{[^}]*)"(\w+)"/g)]] as const) {
      assert.ok(all.length > 5, group);
      assert.deepEqual(all.filter((one) => !rows[`${group}.${one}`]), [], group);
    }
  });

  test("every sentence on how a job stands has a pattern, and every pattern a sentence", () => {
    const files = ["flow/job/job_wish.c", "flow/job/scheduler.c", "flow/worker/train.c", "flow/worker/test.c", "flow/worker/worker.c", "flow/worker/finetune.c"];
    const says = Object.entries(rows).filter(([key]) => key.startsWith("says.")).map(([, row]) => blanks(row[0]));
    const all = files.map((file) => source(file));
    const written = new Set(all.flatMap((text) => text.match(/"(?:[^"\\]|\\.)*"(?:\s*"(?:[^"\\]|\\.)*")*/g) ?? []).map((one) => blanks(literal(one))));
    assert.deepEqual(says.filter((one) => !written.has(one)), [], "nothing in the server says this any more");
    // what is given to a report or to a job as its message or its reason
    const told = all.flatMap((text) => [...text.matchAll(/(?:\btext|\.text|\.message)\s*=\s*((?:"(?:[^"\\]|\\.)*"|[^;"])*);/gs), ...text.matchAll(/waits\(s, d, ("(?:[^"\\]|\\.)*")/g)]
      .flatMap((m) => m[1]?.match(/"(?:[^"\\]|\\.)*"(?:\s*"(?:[^"\\]|\\.)*")*/g) ?? []).map((one) => blanks(literal(one))));
    const sentences = [...new Set(told.filter((one) => /^[a-z{].* .*[a-z]/.test(one) && !/^[,{}; ]|^(is missing|has another shape)/.test(one.replace(/^\{\} with/, "with"))))];
    assert.ok(sentences.length > 7, sentences.join("\n"));
    assert.deepEqual(sentences.filter((one) => !says.includes(one)), []);
  });
});
