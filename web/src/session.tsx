// Who is logged in: by the printed link, by e-mail and password, or again over the page when the session has
// ended.  The secret of a link stands in the fragment, which reaches no server and no log, and leaves the
// address bar at once.
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { createContext, type ReactNode, useContext, useEffect, useMemo, useRef, useState } from "react";

import { api, onExpired, Problem } from "./api";
import { useTexts } from "./i18n";
import { LoginForm, LoginPage } from "./pages/login/page";
import { Mark } from "./parts/brand";
import { Dialog, ErrorNote } from "./parts/ui";
import type { Account } from "./types";

function takeLink(): string | undefined {
  const found = /^#login=(.+)$/.exec(window.location.hash);
  if (found) window.history.replaceState(null, "", window.location.pathname + window.location.search);
  return found?.[1];
}
const link = takeLink();

interface Session { me: Account; logout(): Promise<void> }
const Context = createContext<Session | undefined>(undefined);

export function useSession(): Session {
  const session = useContext(Context);
  if (!session) throw new Error("useSession outside of a session");
  return session;
}

const order = ["none", "viewer", "engineer", "manager", "admin"] as const;
export type Role = Exclude<(typeof order)[number], "none">;
export const atLeast = (have: string, want: Role) => (order as readonly string[]).indexOf(have) >= order.indexOf(want);
export function useMay(role: Role): boolean {
  return atLeast(useSession().me.role, role);
}

let linkUsed: Promise<unknown> | undefined; // once, also under StrictMode

export function SessionGate({ children }: { children: ReactNode }) {
  const { t } = useTexts();
  const client = useQueryClient();
  const [linkState, setLinkState] = useState<"wait" | "done" | Error>(link ? "wait" : "done");
  const [asking, setAsking] = useState(false);
  const answered = useRef<() => void>();
  const expired = useRef<Promise<void>>();

  useEffect(() => {
    if (!link) return;
    linkUsed ??= api.post("/auth/link", { token: link });
    linkUsed.then(() => setLinkState("done"), (e: Error) => setLinkState(e));
  }, []);
  const me = useQuery({
    queryKey: ["me"], queryFn: () => api.get<Account>("/auth/me"), enabled: linkState !== "wait", retry: false,
    staleTime: Infinity,
  });
  const known = me.data !== undefined;
  useEffect(() => {
    if (!known) return;
    onExpired(() => (expired.current ??= new Promise<void>((done) => {
      answered.current = () => {
        expired.current = undefined;
        setAsking(false);
        done();
      };
      setAsking(true);
    })));
    return () => onExpired(undefined);
  }, [known]);

  const session = useMemo(() => me.data && {
    me: me.data,
    logout: async () => {
      onExpired(undefined);
      await api.post("/auth/logout").catch(() => undefined); // already ended is as good
      client.clear();
      window.location.assign("/");
    },
  }, [me.data, client]);

  if (linkState === "wait" || (me.isPending && me.fetchStatus !== "idle"))
    return <main className="boot"><Mark size={40} /><span role="status" className="sr-only">{t("loading")}</span></main>;
  if (!session) {
    const other = me.error && !(me.error instanceof Problem && me.error.status === 401) ? me.error : undefined;
    return (
      <LoginPage problem={linkState instanceof Error ? linkState : other} onDone={() => void me.refetch()} />
    );
  }
  return (
    <Context.Provider value={session}>
      {linkState instanceof Error && <div className="p-4"><ErrorNote error={linkState} /></div>}
      {children}
      {asking && (
        <Dialog title={t("login.again")}>
          <p className="mb-4 text-sm text-muted">{t("login.againText")}</p>
          <LoginForm email={session.me.email} onDone={() => answered.current?.()} />
        </Dialog>
      )}
    </Context.Provider>
  );
}
