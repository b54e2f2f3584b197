// Every route states who may call it; this walks all of them.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { Anneal, cookiesOf } from "../lib/anneal";

interface Operation {
  method: string;
  path: string;
  access: string;
  scope: string | undefined;
}

let anneal: Anneal;
let operations: Operation[];

before(async () => {
  anneal = await Anneal.start();
  const doc = (await (await fetch(`${anneal.url}/openapi.json`)).json()) as any;
  operations = Object.entries(doc.paths).flatMap(([path, item]) =>
    Object.entries(item as Record<string, any>).map(([method, operation]) => ({
      method: method.toUpperCase(),
      path: path.replace(/\{[^}]*\}/g, "nothing"),
      access: operation["x-access"] as string,
      scope: operation["x-scope"] as string | undefined,
    })));
});
after(() => anneal.remove());

const call = (operation: Operation, headers: Record<string, string>) =>
  fetch(anneal.url + operation.path, { method: operation.method, headers, redirect: "manual" });

async function tokenOf(role: string, scopes = "*"): Promise<string> {
  const email = `${role}-${scopes.replace(/\W/g, "")}-${Math.random()}@example.org`;
  const user = (await (await anneal.api("POST", "/users", { email, role })).json()) as any;
  const link = (await (await anneal.api("POST", `/users/${user.id}/login-link`)).json()) as any;
  const token = link.link.split("#login=")[1];
  const login = await fetch(`${anneal.url}/auth/link`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ token }),
  });
  const session = (await login.json()) as any;
  if (scopes === "*") return session.access_token;
  const made = await fetch(`${anneal.url}/auth/tokens`, {
    method: "POST",
    headers: { "content-type": "application/json", authorization: `Bearer ${session.access_token}` },
    body: JSON.stringify({ name: "narrow", scopes }),
  });
  return ((await made.json()) as any).token;
}

test("without a credential only public routes answer", async () => {
  assert.ok(operations.length > 20, `only ${operations.length} routes are described`);
  for (const operation of operations) {
    if (operation.access === "public" || operation.access === "loopback or viewer") continue;
    const reply = await call(operation, {});
    assert.equal(reply.status, 401, `${operation.method} ${operation.path}`);
    assert.equal(reply.headers.get("content-type"), "application/problem+json");
  }
});

test("a wrong token is refused everywhere", async () => {
  for (const operation of operations) {
    if (operation.access === "public" || operation.access === "loopback or viewer") continue;
    for (const token of ["ses_wrong", "key_wrong", "job_wrong", ""]) {
      const reply = await call(operation, { authorization: `Bearer ${token}` });
      assert.equal(reply.status, 401, `${operation.method} ${operation.path} with '${token}'`);
    }
  }
});

test("a viewer is kept from what engineers, managers and administrators do", async () => {
  const authorization = `Bearer ${await tokenOf("viewer")}`;
  for (const operation of operations) {
    if (!["engineer", "manager", "admin", "job token"].includes(operation.access)) continue;
    const reply = await call(operation, { authorization });
    assert.equal(reply.status, 403, `${operation.method} ${operation.path}`);
  }
});

test("an API token needs the scope of the route", async () => {
  const authorization = `Bearer ${await tokenOf("manager", "models:read")}`;
  for (const operation of operations) {
    if (operation.access === "public" || operation.access === "loopback or viewer") continue;
    if (operation.scope === "models:read") continue;
    const reply = await call(operation, { authorization });
    assert.equal(reply.status, 403, `${operation.method} ${operation.path}`);
  }
});

test("a manager cannot make or change managers and administrators", async () => {
  const authorization = `Bearer ${await tokenOf("manager")}`;
  const headers = { authorization, "content-type": "application/json" };
  const make = (role: string) =>
    fetch(`${anneal.url}/users`, {
      method: "POST", headers, body: JSON.stringify({ email: `new-${role}@example.org`, role }) });
  assert.equal((await make("engineer")).status, 201);
  assert.equal((await make("manager")).status, 403);
  assert.equal((await make("admin")).status, 403);
  const me = await anneal.get("/auth/me");
  const demote = await fetch(`${anneal.url}/users/${me.id}`, {
    method: "PATCH", headers, body: JSON.stringify({ role: "viewer" }) });
  assert.equal(demote.status, 403);
});

test("registration is off unless it is switched on", async () => {
  const body = { email: "new@example.org", password: "long enough" };
  const headers = { "content-type": "application/json" };
  const off = await fetch(`${anneal.url}/auth/register`, { method: "POST", headers, body: JSON.stringify(body) });
  assert.equal(off.status, 403);
});

test("the printed link logs in once, by a cookie that scripts cannot read", async () => {
  const login = () =>
    fetch(`${anneal.url}/auth/link`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ token: anneal.link }),
    });
  const first = await login();
  assert.equal(first.status, 200);
  const cookie = cookiesOf(first).find((c) => c.startsWith("anneal_session="));
  assert.match(cookie ?? "", /HttpOnly/);
  assert.match(cookie ?? "", /SameSite=Strict/);
  const pair = (cookie ?? "").split(";")[0] ?? "";
  const me = await fetch(`${anneal.url}/auth/me`, { headers: { cookie: pair } });
  assert.equal(((await me.json()) as any).role, "admin");
  const foreign = await fetch(`${anneal.url}/auth/logout`, {
    method: "POST", headers: { cookie: pair, origin: "http://evil.example" } });
  assert.equal(foreign.status, 403);
  assert.equal((await login()).status, 401);
});
