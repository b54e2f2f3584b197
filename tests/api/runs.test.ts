// Many runs side by side: rows of values behind a list of columns.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { Anneal } from "../lib/anneal";
import { patterns } from "../lib/pictures";
import { create, upload } from "../lib/jobs";

let anneal: Anneal;
before(async () => {
  anneal = await Anneal.start();
  await upload(anneal, "pets", patterns(12, 4));
});
after(() => anneal.remove());

test("settings and metrics that were asked for stand behind the columns", async () => {
  const slow = await create(anneal, "pets", { model: "tiny", epochs: 3, learning_rate: 0.01 }, { start: false });
  const fast = await create(anneal, "pets", { model: "tiny", epochs: 7, learning_rate: 0.5 }, { start: false });
  const reply = await anneal.get("/training/runs?settings=learning_rate,epochs,no_such_setting&metrics=val/loss");
  const at = (name: string) => reply.columns.indexOf(name);
  const settings = reply.columns.length;
  assert.deepEqual(reply.rows.map((row: any) => row[at("job")]), [fast, slow]);
  assert.deepEqual(reply.rows.map((row: any) => row.slice(settings)), [[0.5, 7, null, null], [0.01, 3, null, null]]);
  assert.equal(reply.rows[0][at("dataset")], "pets");
  assert.ok(Math.abs(reply.rows[0][at("created_at")] - Date.now()) < 600_000);
  assert.equal(reply.more, false);
  const one = await anneal.get("/training/runs?limit=1");
  assert.deepEqual([one.rows.length, one.more], [1, true]);
});

test("what cannot be asked is refused by name", async () => {
  for (const [query, field] of [["limit=0", "limit"], ["limit=99999999", "limit"], ["sort=x", "query"]] as const) {
    const reply = await anneal.api("GET", `/training/runs?${query}`);
    assert.equal(reply.status, 400);
    assert.equal(((await reply.json()) as any).errors[0].field, field);
  }
});
