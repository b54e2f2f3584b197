// From pictures without labels to a version that can be trained: drafts, commits, splits, differences, and the
// windows that a gallery asks for.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { Anneal, until } from "../lib/anneal";
import { plain } from "../lib/archives";
import { upload } from "../lib/jobs";
import { patterns, tar } from "../lib/pictures";

let anneal: Anneal;
before(async () => (anneal = await Anneal.start()));
after(() => anneal.remove());

const ask = async (method: string, path: string, status: number, body?: unknown): Promise<any> => {
  const reply = await anneal.api(method, path, body);
  const text = await reply.text();
  assert.equal(reply.status, status, `${method} ${path}: ${text}`);
  return text ? JSON.parse(text) : undefined;
};
const ended = (id: string): Promise<any> => until("the import has ended", async () => {
  const state = await anneal.get(`/datasets/imports/${id}`);
  return (state.state === "done" || state.state === "failed") && state;
});

test("pictures without labels become a dataset that is labelled, then trained on", async () => {
  const files = Array.from({ length: 12 }, (_, i) => ({ name: `holiday/${i}.png`, data: plain(i) }));
  const done = await upload(anneal, "raw", tar(files));
  assert.equal(done.state, "done", done.error);
  const version = await anneal.get("/datasets/raw/versions/1");
  assert.equal(version.format, "pictures");
  assert.deepEqual(version.classes, []);
  assert.equal(version.none, 12);
  assert.equal(version.stats.fault_counts.unlabelled, 1);

  const job = { dataset: "raw", config: { model: "resnet18", epochs: 1 } };
  const refused = await ask("POST", "/training/jobs", 400, job);
  assert.match(refused.detail, /no labels yet; label them/);

  await ask("GET", "/datasets/raw/draft", 404);
  const draft = await ask("POST", "/datasets/raw/draft", 201, { task: "classification" });
  assert.equal(draft.revision, 1);
  assert.equal((await ask("POST", "/datasets/raw/draft", 200, {})).id, draft.id);
  await ask("POST", "/datasets/raw/draft/commit", 409, {});
  const named = await ask("PUT", "/datasets/raw/draft", 200, { revision: 1, classes: ["dark", "light"], colours: { light: 4 } });
  assert.deepEqual(named.classes, ["dark", "light"]);
  await ask("PUT", "/datasets/raw/draft", 412, { revision: 1, classes: ["dark", "light", "x"] });
  assert.deepEqual((await anneal.get("/datasets/raw")).colours, { light: 4 });

  for (let i = 0; i < 10; i++) {
    const now = await ask("PUT", `/datasets/raw/draft/images/${i}`, 200, { revision: 0, label: i % 2 });
    assert.equal(now.revision, 1);
    assert.equal(now.label, i % 2 ? "light" : "dark");
    assert.equal(now.base.label_id, -1);
  }
  const stale = await ask("PUT", "/datasets/raw/draft/images/3", 412, { revision: 0, label: 0 });
  assert.match(stale.detail, /somebody else/);
  await ask("PUT", "/datasets/raw/draft/images/3", 400, { revision: 1, label: 2 });
  await ask("PUT", "/datasets/raw/draft/images/12", 404, { revision: 0, label: 0 });
  await ask("PUT", "/datasets/raw/draft/images/10", 200, { revision: 0, label: 0, state: "suggested", scores: [0.7] });
  assert.equal((await ask("DELETE", "/datasets/raw/draft/images/9?revision=1", 200)).state, "base");
  const edits = await anneal.get("/datasets/raw/draft/edits?limit=8");
  assert.equal(edits.edits.length, 8);
  assert.equal((await anneal.get(`/datasets/raw/draft/edits?limit=8&cursor=${edits.next}`)).edits.length, 2);

  const commit = await ask("POST", "/datasets/raw/draft/commit", 202, { message: " first labels ", val: 0.25 });
  assert.equal(commit.kind, "draft");
  const committed = await ended(commit.import);
  assert.equal(committed.state, "done", committed.error);
  await ask("GET", "/datasets/raw/draft", 404);
  const [second] = (await anneal.get("/datasets/raw/versions")).versions;
  assert.equal(second.number, 2);
  assert.equal(second.message, "first labels");
  assert.equal(second.base_version, version.version);
  assert.deepEqual(second.classes, ["dark", "light"]);
  assert.equal(second.none, 3); // neither suggested nor untouched pictures take part
  assert.equal(second.train + second.val, 9);
  assert.ok(second.val >= 2);
  assert.equal((await anneal.get("/datasets/raw/versions/2/anchors?labelled=no")).count, 3);

  const diff = await anneal.get("/datasets/raw/versions/1/diff/2");
  assert.equal(diff.relabelled.count, 9);
  assert.equal(diff.moved.count, 9);
  assert.deepEqual(diff.classes, [{ name: "dark", from: null, to: 5 }, { name: "light", from: null, to: 4 }]);
  const first = await anneal.get("/datasets/raw/versions/1/diff/2/relabelled?limit=5");
  assert.equal(first.pictures.length, 5);
  assert.equal(first.pictures[0].from.label, null);
  assert.ok(["dark", "light"].includes(first.pictures[0].to.label));
  const rest = await anneal.get(`/datasets/raw/versions/1/diff/2/relabelled?limit=5&cursor=${first.next}`);
  assert.equal(rest.pictures.length, 4);
  assert.equal(rest.next, null);
  await ask("GET", "/datasets/raw/versions/1/diff/2/eaten", 404);

  const created = await ask("POST", "/training/jobs", 201, { ...job, start: true });
  assert.ok(created.job);
});

test("boxes are drawn, polygons kept, and a box outside of the picture is refused", async () => {
  const coco = {
    images: [{ id: 1, file_name: "a.png", width: 16, height: 16 }, { id: 2, file_name: "b.png", width: 16, height: 16 }],
    categories: [{ id: 1, name: "leaf" }],
    annotations: [1, 2].map((image_id) => ({ id: image_id, image_id, category_id: 1, bbox: [1, 1, 8, 8],
      segmentation: [[1, 1, 9, 1, 9, 9, 1, 9]] })),
  };
  const done = await upload(anneal, "leaves", tar([{ name: "a.png", data: plain(1) }, { name: "b.png", data: plain(2) },
    { name: "ann.json", data: Buffer.from(JSON.stringify(coco)) }]));
  assert.equal(done.state, "done", done.error);
  await ask("POST", "/datasets/leaves/draft", 201, {});
  const one = await anneal.get("/datasets/leaves/draft/images/0");
  assert.equal(one.shapes.polygons.length, 1);
  await ask("PUT", "/datasets/leaves/draft/images/0", 400, { revision: 0, shapes: { boxes: [[0, 20, 1, 4, 4]] } });
  await ask("PUT", "/datasets/leaves/draft/images/0", 400, { revision: 0, shapes: { boxes: [[1, 2, 1, 4, 4]] } });
  const boxes = [...(one.shapes.boxes ?? []), [0, 10, 10, 30, 3]];
  const now = await ask("PUT", "/datasets/leaves/draft/images/0", 200, { revision: 0, shapes: { ...one.shapes, boxes } });
  assert.deepEqual(now.shapes.boxes.at(-1), [0, 10, 10, 6, 3]); // clipped
  const commit = await ask("POST", "/datasets/leaves/draft/commit", 202, { message: "one more" });
  assert.equal((await ended(commit.import)).state, "done");
  const image = (await anneal.get(`/datasets/leaves/versions/2/images?q=${one.name}`)).images[0];
  assert.deepEqual(image.shapes, now.shapes);
});

test("selected pictures move to another split", async () => {
  assert.equal((await upload(anneal, "moved", patterns(4, 2))).state, "done");
  const names = (await anneal.get("/datasets/moved/versions/1/images?split=train&limit=2")).images.map((i: any) => i.name);
  const split = await ask("POST", "/datasets/moved/versions/1/split", 202, { method: "moves", test_files: names });
  const done = await ended(split.import);
  assert.equal(done.state, "done", done.error);
  const moved = await anneal.get("/datasets/moved/versions/2/images?split=test");
  assert.deepEqual(moved.images.map((i: any) => i.name), names);
  const version = await anneal.get("/datasets/moved/versions/2");
  assert.deepEqual([version.train, version.val, version.test, version.kind], [10, 6, 2, "split"]);
  await ask("POST", "/datasets/moved/versions/1/split", 400, { method: "moves" });
});

test("any window of a filter is two requests away", async () => {
  const all = await anneal.get("/datasets/moved/versions/1/anchors?every=5");
  assert.deepEqual(all, { count: 18, every: 5, anchors: [0, 5, 10, 15] });
  const some = await anneal.get("/datasets/moved/versions/1/anchors?every=4&class=disc");
  assert.equal(some.count, 6);
  const second = await anneal.get(`/datasets/moved/versions/1/images?class=disc&limit=4&from=${some.anchors[1]}`);
  assert.equal(second.images.length, 2);
  assert.equal(second.images[0].index, some.anchors[1]);
  await ask("GET", "/datasets/moved/versions/1/anchors?labelled=perhaps", 400);
});
