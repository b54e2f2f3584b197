// The types that the web app is checked against are those of the server's tables.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { promisify } from "node:util";

import { Anneal, root } from "../lib/anneal";

let anneal: Anneal;
before(async () => {
  anneal = await Anneal.start();
});
after(() => anneal.remove());

test("web/src/gen/api.ts is what tools/gen-api-types makes of the running server", async () => {
  const tool = join(root, "tools/gen-api-types");
  await assert.doesNotReject(promisify(execFile)(tool, ["--check", "--url", anneal.url]));
});

test("replies without a table in the server have the members that web/src/types.ts promises", async () => {
  const models = await anneal.get("/models/list");
  const [model] = models.models;
  for (const name of ["framework", "name", "title", "task", "parameters", "description", "image_size", "config_schema"])
    assert.ok(name in model, `a model has no '${name}'`);
  const known = new Set(["bool", "int", "float", "str", "select", "json", "multiselect", "time"]);
  for (const field of model.config_schema) {
    assert.ok(known.has(field.type), `the form cannot show the type '${field.type}' of '${field.name}'`);
    for (const name of ["name", "default", "group", "advanced", "required", "description"]) assert.ok(name in field, `${field.name}: no '${name}'`);
  }
  assert.deepEqual(Object.keys(models.trainers[0]).sort(), ["error", "framework", "state"]);
  for (const [path, list] of [["/datasets", "datasets"], ["/training/jobs", "jobs"]] as const) {
    const page = await anneal.get(path);
    assert.ok(Array.isArray(page[list]), path);
    assert.equal(page.next, null, path);
  }
});
