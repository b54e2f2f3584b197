// The shell: logs in by the link's fragment, then shows who is logged in.
import { useQuery } from "@tanstack/react-query";
import { useEffect, useState } from "react";

import { api, type Account } from "./api";

/** The secret of a login link stands in the fragment, which never reaches a server or a log. */
function takeLink(): string | undefined {
  const match = /^#login=(.+)$/.exec(window.location.hash);
  if (match) window.history.replaceState(null, "", window.location.pathname);
  return match?.[1];
}
const link = takeLink();

export function App() {
  const [ready, setReady] = useState(!link);
  const [problem, setProblem] = useState("");
  useEffect(() => {
    if (!link) return;
    api.post("/auth/link", { token: link }).then(
      () => setReady(true),
      (e: Error) => {
        setProblem(e.message);
        setReady(true);
      },
    );
  }, []);
  const me = useQuery({ queryKey: ["me"], queryFn: () => api.get<Account>("/auth/me"), enabled: ready });
  return (
    <main className="mx-auto max-w-5xl p-6">
      <h1 className="text-2xl font-semibold">Anneal</h1>
      {problem && <p role="alert" className="text-destructive">{problem}</p>}
      {me.data && <p className="text-muted">Logged in as {me.data.name}</p>}
    </main>
  );
}
