// Helpers of the component tests: a page among its providers, and a server that answers from a table.
//
//   const server = serve({ "GET /datasets": { datasets: [], next: null }, "POST /datasets": (call) => ({ id: "x" }) });
//   await show(<Page />);
//   await screen.findByText("No datasets yet.");
//   expect(server.calls).toContainEqual({ method: "POST", path: "/datasets", query: "", body: { name: "x" } });
import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { act, render, type RenderResult } from "@testing-library/react";
import type { ReactNode } from "react";
import { vi } from "vitest";

import { type Language, LanguageProvider } from "./i18n";
import { TooltipProvider } from "./parts/menu";
import { SessionGate } from "./session";
import type { Account } from "./types";

export interface Call { method: string; path: string; query: string; body: unknown }
/** A problem document of that status (RFC 9457) instead of a reply. */
export class Refusal {
  constructor(readonly status: number, readonly detail: string, readonly code = "invalid", readonly field?: string) {}
}
type Answer = unknown | ((call: Call) => unknown);

export const account = {
  id: "u1", email: "ada@example.org", name: "Ada", role: "admin", active: true, created_at: "2026-01-01T00:00:00Z", last_login_at: null,
} as unknown as Account;

/** "GET /datasets/:id" and its answer; the first row that fits is taken, GET /auth/me is there already. */
export function serve(rows: Record<string, Answer>): { calls: Call[] } {
  const calls: Call[] = [];
  const all = Object.entries({ ...rows, ...("GET /auth/me" in rows ? {} : { "GET /auth/me": account }) }).map(([key, answer]) => {
    const [method = "", path = ""] = key.split(" ");
    return { method, path: new RegExp(`^${path.replace(/:\w+/g, "[^/]+")}$`), answer };
  });
  vi.stubGlobal("fetch", async (input: string | URL | Request, init: RequestInit = {}) => {
    const url = new URL(String(input instanceof Request ? input.url : input), window.location.href);
    const method = init.method ?? "GET";
    const text = typeof init.body === "string" ? init.body : undefined;
    const call = { method, path: url.pathname, query: url.search.slice(1), body: text ? (JSON.parse(text) as unknown) : undefined };
    calls.push(call);
    const row = all.find((one) => one.method === method && one.path.test(url.pathname));
    if (!row) throw new TypeError(`the test's server has no ${method} ${url.pathname}`);
    const said: unknown = typeof row.answer === "function" ? await (row.answer as (call: Call) => unknown)(call) : row.answer;
    if (said instanceof Response) return said;
    if (said instanceof Refusal) {
      const problem = { code: said.code, detail: said.detail, ...(said.field && { errors: [{ field: said.field }] }) };
      return new Response(JSON.stringify(problem), { status: said.status });
    }
    return said === undefined ? new Response(null, { status: 204 }) : new Response(JSON.stringify(said), { status: 200 });
  });
  return { calls };
}

interface Options { path?: string; language?: Language; session?: boolean }

/** Shows a component where the app would: logged in (unless `session` is false), at that address, in that language. */
export async function show(what: ReactNode, { path = "/app", language = "en", session = true }: Options = {}): Promise<RenderResult> {
  localStorage.setItem("anneal-language", language);
  window.history.replaceState(null, "", path);
  const client = new QueryClient({ defaultOptions: { queries: { retry: false }, mutations: { retry: false } } });
  const tree = (
    <QueryClientProvider client={client}>
      <LanguageProvider>
        <TooltipProvider>{session ? <SessionGate>{what}</SessionGate> : what}</TooltipProvider>
      </LanguageProvider>
    </QueryClientProvider>
  );
  let shown: RenderResult | undefined;
  await act(async () => {
    shown = render(tree);
    await Promise.resolve();
  });
  if (!shown) throw new Error("nothing was rendered");
  return shown;
}
