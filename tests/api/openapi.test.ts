// The API's description: whole, consistent with itself, and with every route that the product promises.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { Anneal } from "../lib/anneal";

let anneal: Anneal;
let doc: any;
before(async () => {
  anneal = await Anneal.start();
  doc = await (await fetch(`${anneal.url}/openapi.json`)).json();
});
after(() => anneal.remove());

const operations = () => Object.entries(doc.paths as Record<string, Record<string, any>>)
  .flatMap(([path, item]) => Object.entries(item).map(([method, o]) => ({ path, method, o })));

test("every promised route is there", () => {
  const promised = ["post /auth/register", "post /auth/login", "post /auth/refresh", "post /auth/logout", "get /auth/me",
    "post /auth/tokens", "get /users", "post /users", "get /projects", "post /projects", "post /projects/{id}/members",
    "post /datasets/upload", "post /datasets/uploads", "put /datasets/uploads/{id}/parts/{n}", "post /datasets/uploads/{id}/complete",
    "get /datasets", "get /datasets/{id}", "delete /datasets/{id}", "get /datasets/{id}/versions/{v}", "get /datasets/{id}/versions/{v}/faults",
    "get /datasets/{id}/versions/{v}/images", "post /datasets/{id}/versions/{v}/split", "get /datasets/{id}/blobs/{sha256}",
    "post /training/jobs", "get /training/jobs", "get /training/jobs/{id}", "delete /training/jobs/{id}", "post /training/jobs/{id}/start",
    "post /training/jobs/{id}/callback", "get /training/jobs/{id}/metrics", "get /training/jobs/{id}/logs", "get /training/jobs/{id}/checkpoints",
    "post /training/jobs/{id}/restart", "post /training/jobs/{id}/resume", "post /training/jobs/{id}/predict", "post /training/jobs/{id}/test",
    "get /training/jobs/{id}/events", "get /ws/training/{id}", "get /models", "get /models/list", "get /openapi.json", "get /docs",
    "get /health", "get /metrics", "get /version"];
  const there = operations().map(({ path, method }) => `${method} ${path}`);
  assert.deepEqual(promised.filter((p) => !there.includes(p)), []);
});

test("each operation has a unique id, a summary, its parameters and its access", () => {
  const ids = operations().map(({ o }) => o.operationId);
  assert.equal(new Set(ids).size, ids.length, "operationIds are not unique");
  for (const { path, method, o } of operations()) {
    const at = `${method} ${path}`;
    assert.ok(o.operationId && /^[A-Za-z]\w*$/.test(o.operationId), `${at}: ${o.operationId}`);
    assert.ok(o.summary?.length > 3 && o.tags?.length === 1 && o["x-access"], at);
    assert.ok(Object.keys(o.responses).length > 0, at);
    const inPath = [...path.matchAll(/\{([^}]+)\}/g)].map((m) => m[1]).sort();
    const described = (o.parameters ?? []).filter((p: any) => p.in === "path").map((p: any) => p.name).sort();
    assert.deepEqual(described, inPath, at);
  }
});

test("every reference leads somewhere", () => {
  const walk = (node: any): void => {
    if (node && typeof node === "object") {
      if (typeof node.$ref === "string") {
        let at = doc;
        for (const part of node.$ref.replace(/^#\//, "").split("/")) at = at?.[part];
        assert.ok(at, node.$ref);
      }
      Object.values(node).forEach(walk);
    }
  };
  walk(doc);
  assert.match(doc.openapi, /^3\.1/);
});

test("a page for people lists it", async () => {
  const reply = await fetch(`${anneal.url}/docs`);
  assert.match(reply.headers.get("content-type") ?? "", /text\/html/);
  const text = await reply.text();
  for (const { path } of operations().slice(0, 20)) assert.ok(text.includes(path.replaceAll("{", "{")), path);
});
