// Identities of a store from the command line, while it runs and while it does not; rights through a real
// client; secrets in no log, no file and no process list.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";

import { binary } from "../lib/anneal";
import { lacks, type Output, Store } from "./lib";

const skip = lacks("s3cmd") ?? false;
let store: Store;
const secrets: string[] = [];

async function user(...args: string[]): Promise<Output & { json: any }> {
  const said = await store.run(binary, ["store", "user", ...args, "--data", store.data, "--json"], {}, -1);
  const json = JSON.parse(said.out.trim().split("\n").at(-1) || "{}");
  if (json.secret_key) secrets.push(json.secret_key);
  return { ...said, json };
}

/** Runs s3cmd as an identity; what it says on failure. */
async function as(keys: any, ...args: string[]): Promise<string> {
  const host = `127.0.0.1:${store.port}`;
  const said = await store.run("s3cmd", ["--host", host, "--host-bucket", host, "--no-ssl", "--no-progress", ...args],
    { AWS_ACCESS_KEY_ID: keys.access_key, AWS_SECRET_ACCESS_KEY: keys.secret_key }, -1);
  return said.code === 0 ? `ok ${said.out}` : said.err;
}

before(async () => {
  store = await Store.start();
});
after(() => store.remove());

test("an identity made while the store runs is let in at once, into its own buckets alone", { skip }, async () => {
  const root = { access_key: store.access, secret_key: store.secret };
  const alice = (await user("add", "alice")).json;
  assert.match(await as(root, "mb", "s3://roots"), /^ok/);
  assert.match(await as(alice, "ls", "s3://roots"), /AccessDenied/);
  assert.match(await as(alice, "mb", "s3://alices"), /^ok/);
  assert.match(await as(alice, "put", "/etc/hostname", "s3://alices/k"), /^ok/);
  assert.match(await as(alice, "ls"), /^ok .*s3:\/\/alices\n$/);
  assert.equal((await user("grant", "alice", "roots", "list,read")).code, 0);
  assert.match(await as(alice, "ls", "s3://roots"), /^ok/);
  assert.match(await as(alice, "put", "/etc/hostname", "s3://roots/k"), /AccessDenied/);
  assert.equal((await user("grant", "alice", "roots", "none")).code, 0);
  assert.match(await as(alice, "ls", "s3://roots"), /AccessDenied/);
});

test("keys are rotated, disabled and removed, and it holds at the next request", { skip }, async () => {
  const first = (await user("add", "bob", "bob-*=all")).json;
  assert.match(await as(first, "mb", "s3://bob-1"), /^ok/);
  const second = (await user("rotate", "bob", "--grace", "1h")).json;
  assert.match(await as(first, "ls", "s3://bob-1"), /^ok/);
  assert.match(await as(second, "ls", "s3://bob-1"), /^ok/);
  const third = (await user("rotate", "bob", "--grace", "0s")).json;
  assert.match(await as(second, "ls", "s3://bob-1"), /InvalidAccessKeyId/);
  assert.match(await as(third, "ls", "s3://bob-1"), /^ok/);
  await user("disable", "bob");
  assert.match(await as(third, "ls", "s3://bob-1"), /InvalidAccessKeyId/);
  await user("enable", "bob");
  assert.match(await as(third, "ls", "s3://bob-1"), /^ok/);
  await user("remove", "bob");
  assert.match(await as(third, "ls", "s3://bob-1"), /InvalidAccessKeyId/);
});

test("identities are made while no store runs, and a store starts with them alone", { skip }, async () => {
  await store.down();
  const carol = (await user("add", "carol")).json;
  const made = (await user("list")).json.users;
  assert.deepEqual(made.map((u: any) => u.name), ["alice", "carol"]);
  assert.ok(!JSON.stringify(made).includes(carol.secret_key));
  await store.up();
  assert.match(await as(carol, "mb", "s3://carols"), /^ok/);
});

test("a wrong command line is 2, a failure is 1, and both say what is wrong", { skip }, async () => {
  assert.equal((await user("add")).code, 2);
  assert.equal((await user("add", "x", "photos")).code, 2);
  assert.equal((await user("grant", "alice", "photos", "fly")).code, 2);
  const taken = await user("add", "alice");
  assert.deepEqual([taken.code, taken.json.error.code], [1, "conflict"]);
  const absent = await user("rotate", "nobody");
  assert.deepEqual([absent.code, absent.json.error.code], [1, "not_found"]);
  assert.equal((await user("add", "root")).code, 1);
});

test("no secret stands in the log, in the store's folder, or in a process list", { skip }, () => {
  const all = [...secrets, store.secret];
  assert.ok(secrets.length >= 5);
  const folder = join(store.data, "store");
  const texts = [store.log, execFileSync("ps", ["axww", "-o", "args"]).toString()];
  for (const name of readdirSync(folder, { recursive: true }) as string[])
    if (statSync(join(folder, name)).isFile()) texts.push(readFileSync(join(folder, name)).toString("latin1"));
  for (const secret of all) for (const text of texts) assert.ok(!text.includes(secret));
  assert.equal(statSync(join(store.data, "store.master")).mode & 0o777, 0o600);
});
