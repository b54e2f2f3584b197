// Accounts, sessions and tokens: what logs in, what ends it, what a stolen piece is worth.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { Anneal, cookiesOf } from "../lib/anneal";
import { person } from "../lib/people";

let anneal: Anneal;
before(async () => {
  anneal = await Anneal.start(["--registration"]);
});
after(() => anneal.remove());

const json = { "content-type": "application/json" };
async function send(method: string, path: string, body?: unknown, token?: string, headers: Record<string, string> = {}):
Promise<{ status: number; body: any; headers: Headers }> {
  const reply = await fetch(anneal.url + path, { method, headers: { ...(body === undefined ? {} : json),
    ...(token ? { authorization: `Bearer ${token}` } : {}), ...headers }, ...(body === undefined ? {} : { body: JSON.stringify(body) }) });
  const text = await reply.text();
  return { status: reply.status, body: text ? JSON.parse(text) : undefined, headers: reply.headers };
}
let people = 0;
async function registered(): Promise<{ email: string; password: string }> {
  const who = { email: `Someone.${++people}@Example.org`, password: `a long password ${people}` };
  const reply = await send("POST", "/auth/register", who);
  assert.equal(reply.status, 201, JSON.stringify(reply.body));
  assert.equal(reply.body.role, "viewer");
  assert.ok(!JSON.stringify(reply.body).includes("password"));
  return who;
}
const login = (who: { email: string; password: string }) => send("POST", "/auth/login", who);

test("registering and logging in: e-mail in any case, one account for each, weak passwords refused", async () => {
  const who = await registered();
  assert.equal((await send("POST", "/auth/register", { ...who, email: who.email.toUpperCase() })).status, 409);
  const reply = await login({ ...who, email: who.email.toLowerCase() });
  assert.equal(reply.status, 200, JSON.stringify(reply.body));
  assert.equal(reply.headers.get("cache-control"), "no-store");
  const me = await send("GET", "/auth/me", undefined, reply.body.access_token);
  assert.equal(me.body.email.toLowerCase(), who.email.toLowerCase());
  for (const body of [{ email: "x@example.org", password: "short" }, { email: "no mail", password: "long enough, surely" },
    { email: "y@example.org", password: "x".repeat(257) }, { email: "z@example.org" }, { email: "w@example.org", password: "long enough, surely", role: "admin" }])
    assert.equal((await send("POST", "/auth/register", body)).status, 400, JSON.stringify(body).slice(0, 80));
});

test("a wrong password and an unknown account cannot be told apart", async () => {
  const who = await registered();
  const wrong = await login({ ...who, password: "not the password" }), unknown = await login({ email: "nobody@example.org", password: "not the password" });
  assert.deepEqual([wrong.status, unknown.status], [401, 401]);
  assert.equal(wrong.body.detail, unknown.body.detail);
});

test("a refresh token works once; its second use ends the session for both who hold it", async () => {
  const who = await registered();
  const first = (await login(who)).body;
  const second = await send("POST", "/auth/refresh", { refresh_token: first.refresh_token });
  assert.equal(second.status, 200);
  assert.notEqual(second.body.refresh_token, first.refresh_token);
  assert.equal((await send("GET", "/auth/me", undefined, second.body.access_token)).status, 200);
  assert.equal((await send("POST", "/auth/refresh", { refresh_token: first.refresh_token })).status, 401);
  assert.equal((await send("GET", "/auth/me", undefined, second.body.access_token)).status, 401);
  assert.equal((await send("POST", "/auth/refresh", { refresh_token: second.body.refresh_token })).status, 401);
  for (const token of ["", "ref_", first.access_token, "ref_" + "A".repeat(43)])
    assert.equal((await send("POST", "/auth/refresh", { refresh_token: token })).status, 401, token.slice(0, 8));
  assert.equal((await send("GET", "/auth/me", undefined, first.refresh_token)).status, 401, "a refresh token is no access token");
});

test("another site's page can neither log in, nor refresh, nor log out with a browser's cookies", async () => {
  const who = await registered();
  const session = await login(who);
  const cookies = cookiesOf(session).map((c) => c.split(";")[0]).join("; ");
  for (const header of [{ origin: "http://evil.example" }, { "sec-fetch-site": "cross-site" }, { origin: "null" }] as Record<string, string>[]) {
    assert.equal((await send("POST", "/auth/login", who, undefined, header)).status, 403, JSON.stringify(header));
    assert.equal((await send("POST", "/auth/refresh", undefined, undefined, { ...header, cookie: cookies })).status, 403);
    assert.equal((await send("POST", "/auth/logout", undefined, undefined, { ...header, cookie: cookies })).status, 403);
  }
  assert.equal((await send("GET", "/auth/me", undefined, undefined, { cookie: cookies })).status, 200);
  const own = { cookie: cookies, origin: anneal.url, "sec-fetch-site": "same-origin" };
  assert.equal((await send("POST", "/auth/refresh", undefined, undefined, own)).status, 200);
});

test("log-out ends this session and no other", async () => {
  const who = await registered();
  const one = (await login(who)).body, two = (await login(who)).body;
  assert.equal((await send("POST", "/auth/logout", undefined, one.access_token)).status, 204);
  assert.equal((await send("GET", "/auth/me", undefined, one.access_token)).status, 401);
  assert.equal((await send("POST", "/auth/refresh", { refresh_token: one.refresh_token })).status, 401);
  assert.equal((await send("GET", "/auth/me", undefined, two.access_token)).status, 200);
});

test("a password is changed by who knows the old one, and no field is silently dropped", async () => {
  const who = await registered();
  const session = (await login(who)).body, token = session.access_token;
  const next = "another long password";
  assert.ok((await send("PATCH", "/auth/me", { new_password: next }, token)).status >= 400, "without the old one");
  assert.ok((await send("PATCH", "/auth/me", { new_password: next, old_password: "wrong, all wrong" }, token)).status >= 400);
  assert.equal((await send("PATCH", "/auth/me", { new_password: next, old_password: who.password }, token)).status, 200);
  assert.equal((await login(who)).status, 401);
  assert.equal((await login({ ...who, password: next })).status, 200);
  for (const body of [{ role: "admin" }, { email: "other@example.org" }, { active: true }])
    assert.equal((await send("PATCH", "/auth/me", body, token)).status, 400, JSON.stringify(body));
});

test("an API token does what its scopes say, is shown once, and is gone when it is revoked", async () => {
  const ann = await person(anneal, "engineer", "ann");
  const made = await ann.call("POST", "/auth/tokens", { name: "ci", scopes: "datasets:read jobs:read" });
  assert.equal(made.status, 201, JSON.stringify(made.body));
  const token = made.body.token as string;
  assert.equal((await send("GET", "/datasets", undefined, token)).status, 200);
  assert.equal((await send("GET", "/training/jobs", undefined, token)).status, 200);
  assert.equal((await send("POST", "/datasets/uploads", { name: "x", size: 1 }, token)).status, 403);
  assert.equal((await send("POST", "/auth/tokens", { name: "more", scopes: "*" }, token)).status, 403, "a token makes no wider one");
  const listed = JSON.stringify((await ann.call("GET", "/auth/tokens")).body);
  assert.ok(listed.includes("ci") && !listed.includes(token));
  assert.equal((await ann.call("POST", "/auth/tokens", { name: "odd", scopes: "datasets:fly" })).status, 400);
  const eve = await person(anneal, "viewer", "eve");
  const wide = await eve.call("POST", "/auth/tokens", { name: "wide", scopes: "*" });
  assert.equal((await send("POST", "/datasets/uploads", { name: "x", size: 1 }, wide.body.token)).status, 403, "never more than the role");
  assert.ok([403, 404].includes((await eve.call("DELETE", `/auth/tokens/${made.body.id}`)).status), "another's token");
  assert.equal((await ann.call("DELETE", `/auth/tokens/${made.body.id}`)).status, 204);
  assert.equal((await send("GET", "/datasets", undefined, token)).status, 401);
});

test("the last administrator cannot be taken away, nor can anyone raise himself", async () => {
  const admin = await anneal.get("/auth/me");
  assert.equal((await anneal.api("PATCH", `/users/${admin.id}`, { role: "viewer" })).status, 409);
  assert.equal((await anneal.api("PATCH", `/users/${admin.id}`, { active: false })).status, 409);
  const max = await person(anneal, "manager", "max");
  for (const role of ["admin", "manager"]) assert.equal((await max.call("PATCH", `/users/${max.id}`, { role })).status, 403, role);
  assert.equal((await max.call("PATCH", `/users/${admin.id}`, { active: false })).status, 403);
  assert.equal((await max.call("POST", `/users/${admin.id}/login-link`)).status, 403, "a link logs in as its owner");
});

test("many log-ins at once neither fail nor fill memory", async () => {
  const who = await registered();
  const replies = await Promise.all(Array.from({ length: 8 }, () => login(who)));
  assert.deepEqual(replies.map((r) => r.status), replies.map(() => 200));
  assert.equal(new Set(replies.map((r) => r.body.access_token)).size, 8);
});
