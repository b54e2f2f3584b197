// Accounts for the tests: each with a session of its own.
import type { Anneal } from "./anneal";

export interface Person {
  id: string;
  token: string;
  call: (method: string, path: string, body?: unknown) => Promise<{ status: number; body: any }>;
}

/** Makes an account of that role and logs it in by a one-time link. */
export async function person(anneal: Anneal, role: string, name: string): Promise<Person> {
  const user = (await (await anneal.api("POST", "/users", { email: `${name}@example.org`, role })).json()) as any;
  const link = (await (await anneal.api("POST", `/users/${user.id}/login-link`)).json()) as any;
  const login = await fetch(`${anneal.url}/auth/link`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ token: link.link.split("#login=")[1] }),
  });
  const token = ((await login.json()) as any).access_token as string;
  if (!token) throw new Error(`no session for ${name}: ${login.status}`);
  const call = async (method: string, path: string, body?: unknown) => {
    const reply = await anneal.api(method, path, body, { authorization: `Bearer ${token}` });
    const text = await reply.text();
    return { status: reply.status, body: text ? JSON.parse(text) : undefined };
  };
  return { id: user.id, token, call };
}
