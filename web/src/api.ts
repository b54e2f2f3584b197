// Calls of the API: JSON in and out, problem documents as errors.  An expired session is refreshed once by its
// cookie; failing that, the call waits until the person has logged in again (session.tsx), so no page is lost.
import { lost, reached } from "./connection";

/** RFC 9457 */
export class Problem extends Error {
  constructor(readonly status: number, readonly code: string, detail: string, readonly field?: string) {
    super(detail);
  }
}

export function problemOf(status: number, text: string, statusText: string): Problem {
  let doc: { code?: string; detail?: string; errors?: { field?: string }[] } = {};
  try {
    doc = JSON.parse(text);
  } catch {
    // not ours: a proxy's page
  }
  return new Problem(status, doc.code ?? "", doc.detail ?? (statusText || `HTTP ${status}`), doc.errors?.[0]?.field);
}

/** A problem that is found on this side; its text stands among the messages. */
export const unreachable = "unreachable";

async function ask(path: string, init: RequestInit): Promise<Response> {
  try {
    const reply = await fetch(path, init);
    reached();
    return reply;
  } catch (e) {
    if (e instanceof DOMException && e.name === "AbortError") throw e;
    lost();
    throw new Problem(0, unreachable, "");
  }
}

// ---- sessions

let refreshing: Promise<boolean> | undefined;
let login: (() => Promise<void>) | undefined;

/** What shows the login form over the page and ends when somebody has logged in; undefined: nobody was. */
export function onExpired(show: (() => Promise<void>) | undefined) {
  login = show;
}

const opening = ["/auth/login", "/auth/link", "/auth/refresh", "/auth/logout"];

const LOCK = "anneal-refresh";
const LOCK_MS = 5_000; // what a tab that was closed meanwhile costs the others

/** One tab at a time: a refresh token that is sent twice ends the session, and all tabs share one. */
async function alone<T>(act: () => Promise<T>): Promise<T> {
  if (navigator.locks) return navigator.locks.request(LOCK, act);
  const held = () => Date.now() - Number(localStorage.getItem(LOCK) ?? 0) < LOCK_MS; // plain http in a LAN has no locks
  while (held()) await new Promise((done) => setTimeout(done, 50 + 100 * Math.random()));
  localStorage.setItem(LOCK, String(Date.now()));
  try {
    return await act();
  } finally {
    localStorage.removeItem(LOCK);
  }
}

async function refreshNow(): Promise<boolean> {
  if ((await ask("/auth/me", {})).ok) return true; // another tab has
  const init = { method: "POST", body: "{}", headers: { "content-type": "application/json" } };
  return (await ask("/auth/refresh", init)).ok;
}

async function refresh(): Promise<boolean> {
  refreshing ??= alone(refreshNow).finally(() => (refreshing = undefined));
  return refreshing;
}

async function send(path: string, init: RequestInit = {}): Promise<Response> {
  let reply = await ask(path, init);
  if (reply.status === 401 && !opening.includes(path)) {
    if (await refresh()) reply = await ask(path, init);
    while (reply.status === 401 && login) {
      await login();
      reply = await ask(path, init);
    }
  }
  if (!reply.ok) throw problemOf(reply.status, await reply.text(), reply.statusText);
  return reply;
}

async function json<T>(path: string, method: string, body?: unknown, signal?: AbortSignal): Promise<T> {
  const init: RequestInit = { method };
  if (signal) init.signal = signal;
  if (body !== undefined) {
    init.body = JSON.stringify(body);
    init.headers = { "content-type": "application/json" };
  }
  const reply = await send(path, init);
  return reply.status === 204 ? (undefined as T) : ((await reply.json()) as T);
}

// ---- uploads

export interface Sending<T> {
  done: Promise<T>;
  abort(): void;
}

/** Sends a large body with progress of 0 to 1. */
function upload<T>(path: string, body: Blob, type: string, progress: (part: number) => void, method: "POST" | "PUT" = "POST"): Sending<T> {
  const call = new XMLHttpRequest();
  let given_up = false;
  const done = send("/auth/me").then(() => new Promise<T>((resolve, reject) => {
    if (given_up) return reject(new DOMException("", "AbortError"));
    call.open(method, path);
    call.setRequestHeader("content-type", type);
    call.upload.onprogress = (e) => progress(e.total ? e.loaded / e.total : 0);
    call.onerror = () => reject(new Problem(0, unreachable, ""));
    call.onabort = () => reject(new DOMException("", "AbortError"));
    call.onload = () =>
      call.status < 300 ? resolve(JSON.parse(call.responseText) as T)
        : reject(problemOf(call.status, call.responseText, call.statusText));
    call.send(body);
  }));
  return { done, abort: () => {
    given_up = true;
    call.abort();
  } };
}

/** "/datasets" and {q: "a", limit: 5} make "/datasets?q=a&limit=5"; what is empty is left out. */
export function withQuery(path: string, query: object): string {
  const out = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) if (value !== undefined && value !== "") out.set(name, String(value));
  const text = out.toString();
  return text ? `${path}?${text}` : path;
}

export const api = {
  get: <T>(path: string, signal?: AbortSignal) => json<T>(path, "GET", undefined, signal),
  post: <T>(path: string, body?: unknown) => json<T>(path, "POST", body ?? {}),
  put: <T>(path: string, body: unknown) => json<T>(path, "PUT", body),
  patch: <T>(path: string, body: unknown) => json<T>(path, "PATCH", body),
  delete: <T>(path: string) => json<T>(path, "DELETE"),
  send,
  upload,
};
