// The AWS SDK for JavaScript (v3) and MinIO's client, unchanged, as npm has them: the programs beside this
// file, run by Node.js with the packages of tests/store.
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";

import { root } from "../../lib/anneal";
import { BIG_BYTES, makeBig, makeTree, Store, TREE } from "../lib";

const skip = existsSync(join(root, "tests/store/node_modules/minio")) ? false : "npm ci in tests/store was not run (make test-store does)";
let store: Store, hash = "";
before(async () => {
  store = await Store.start();
  makeTree(join(store.dir, "tree"), TREE);
  hash = makeBig(join(store.dir, "big"), BIG_BYTES);
});
after(() => store.remove());

const parts: Record<string, string[]> = {
  aws_sdk: ["tree", "large", "objects", "presigned"],
  minio: ["tree", "large", "objects", "presigned"],
};
for (const [client, names] of Object.entries(parts))
  for (const name of names)
    test(`${client}: ${name}`, { skip }, async () => {
      const said = await store.run(process.execPath, [join(root, `tests/store/clients/${client}.mjs`), name],
        { PORT: String(store.port), FILES: String(TREE), BIG_BYTES: String(BIG_BYTES), BIG_SHA256: hash });
      assert.match(said.out, /^ok$/m, said.out + said.err);
    });
