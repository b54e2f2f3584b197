// boto3, unchanged: the program beside this file, run by Python.
import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, test } from "node:test";

import { root } from "../../lib/anneal";
import { BIG_BYTES, Store, TREE_OF_SLOW } from "../lib";

const skip = (await import("node:child_process")).spawnSync("/usr/bin/python3", ["-c", "import boto3"]).status === 0 ? false : "boto3 is not installed (tools/setup --with store)";
let store: Store;
before(async () => {
  store = await Store.start();
});
after(() => store.remove());

for (const part of ["tree", "large", "objects", "paging", "multipart", "conditions", "presigned", "versions", "settings"])
  test(`boto3: ${part}`, { skip }, async () => {
    const said = await store.run("/usr/bin/python3", [join(root, "tests/store/clients/boto3_client.py"), part],
      { ENDPOINT: store.url, FILES: String(TREE_OF_SLOW), BIG_BYTES: String(BIG_BYTES) });
    assert.match(said.out, /^ok$/m);
  });
