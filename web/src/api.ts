// Calls of the API: JSON in and out, problem documents as errors, an expired session refreshed once.

export interface Account {
  id: string;
  email: string;
  name: string;
  role: "viewer" | "engineer" | "manager" | "admin";
}

/** RFC 9457 */
export class Problem extends Error {
  constructor(readonly status: number, readonly code: string, detail: string, readonly field?: string) {
    super(detail);
  }
}

async function fail(reply: Response): Promise<never> {
  const doc = await reply.json().catch(() => ({}));
  throw new Problem(reply.status, doc.code ?? "", doc.detail ?? reply.statusText, doc.errors?.[0]?.field);
}

let refreshing: Promise<Response> | undefined;

async function send(path: string, init: RequestInit): Promise<Response> {
  let reply = await fetch(path, init);
  if (reply.status === 401 && !path.startsWith("/auth/")) {
    refreshing ??= fetch("/auth/refresh", { method: "POST" }).finally(() => (refreshing = undefined));
    if ((await refreshing).ok) reply = await fetch(path, init);
  }
  return reply.ok ? reply : fail(reply);
}

async function json<T>(path: string, method: string, body?: unknown): Promise<T> {
  const init: RequestInit = { method };
  if (body !== undefined) {
    init.body = JSON.stringify(body);
    init.headers = { "content-type": "application/json" };
  }
  const reply = await send(path, init);
  return reply.status === 204 ? (undefined as T) : ((await reply.json()) as T);
}

export const api = {
  get: <T>(path: string) => json<T>(path, "GET"),
  post: <T>(path: string, body?: unknown) => json<T>(path, "POST", body ?? {}),
  patch: <T>(path: string, body: unknown) => json<T>(path, "PATCH", body),
  delete: <T>(path: string) => json<T>(path, "DELETE"),
  send,
};
