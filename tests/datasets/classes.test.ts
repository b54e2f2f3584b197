// Classes of a version renamed, merged and removed: another version, the first one as it was.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { Anneal, until } from "../lib/anneal";
import { blocks } from "../lib/blocks";
import { upload } from "../lib/jobs";
import { patterns } from "../lib/pictures";

let anneal: Anneal;
before(async () => (anneal = await Anneal.start()));
after(() => anneal.remove());

const ask = async (method: string, path: string, status: number, body?: unknown): Promise<any> => {
  const reply = await anneal.api(method, path, body);
  const text = await reply.text();
  assert.equal(reply.status, status, `${method} ${path}: ${text}`);
  return text ? JSON.parse(text) : undefined;
};
async function change(dataset: string, version: number, to: string[]): Promise<any> {
  const { import: id } = await ask("POST", `/datasets/${dataset}/versions/${version}/classes`, 202, { to, message: to.join() });
  const end = await until("the import has ended", async () => {
    const state = await anneal.get(`/datasets/imports/${id}`);
    return (state.state === "done" || state.state === "failed") && state;
  });
  assert.equal(end.state, "done", end.error);
  return anneal.get(`/datasets/${dataset}/versions/latest`);
}
const rows = async (dataset: string, version: number) => (await anneal.get(`/datasets/${dataset}/versions/${version}/images?limit=500`)).images;

test("classes of pictures: the splits stay, a removed class leaves its pictures without a label", async () => {
  await upload(anneal, "patterns", patterns(10, 4));
  const first = await anneal.get("/datasets/patterns/versions/1"), before = await rows("patterns", 1);
  const n = first.classes.length, at = "/datasets/patterns/versions/1/classes";
  assert.ok(n >= 3, first.classes);
  const merged = first.classes.map((name: string, i: number) => (i === 0 ? "" : i < 3 ? "both" : name));
  const cost = await ask("POST", `${at}/check`, 200, { to: merged });
  const gone = before.filter((one: any) => one.label_id === 0).length;
  assert.deepEqual([cost.labels, cost.pictures, cost.emptied], [gone, gone, gone]);
  assert.deepEqual(cost.classes, ["both", ...first.classes.slice(3)]);
  for (const to of [first.classes, merged.slice(1), first.classes.map(() => "x\ny")]) await ask("POST", at, 400, { to });
  await ask("POST", "/datasets/patterns/draft", 201, {});
  assert.match((await ask("POST", at, 409, { to: merged })).detail, /commit or discard/);
  await ask("DELETE", "/datasets/patterns/draft", 204);

  const second = await change("patterns", 1, merged);
  assert.deepEqual([second.number, second.kind, second.message, second.classes], [2, "classes", merged.join(), cost.classes]);
  const now = new Map((await rows("patterns", 2)).map((one: any) => [one.name, one]));
  for (const old of before) {
    const one: any = now.get(old.name);
    assert.deepEqual([one.label, one.split, one.sha256],
      [merged[old.label_id] || null, old.label_id === 0 ? "none" : old.split, old.sha256], old.name);
  }
  assert.deepEqual(await anneal.get("/datasets/patterns/versions/1"), first);
  assert.deepEqual((await change("patterns", 2, ["one", ...cost.classes.slice(1)])).classes[0], "one");
});

test("classes of outlines: objects go or are called otherwise, pictures stay in their splits", async () => {
  await upload(anneal, "blocks", blocks(8, 4));
  const second = await change("blocks", 1, ["", "high"]);
  assert.deepEqual([second.classes, second.train, second.val, second.images], [["high"], 8, 4, 12]);
  const before = await rows("blocks", 1), now = await rows("blocks", 2);
  for (const [i, one] of now.entries()) {
    const high = before[i].shapes.polygons.filter((p: number[]) => p[0] === 1);
    assert.deepEqual(one.shapes.polygons ?? [], high.map(([, ...xy]: number[]) => [0, ...xy]), one.name);
  }
  assert.ok(now.some((one: any) => !one.shapes.polygons) && now.some((one: any) => one.shapes.polygons));
});
