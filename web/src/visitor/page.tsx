// What a visitor with a link sees: the model that is published behind it, on pictures of their own.  The link's
// token stands in the fragment, so that no server or log on the way sees it, and goes out in a header alone.
import { useCallback, useEffect, useState } from "react";

import { Problem, problemOf } from "../api";
import { whyNotHere } from "../engine/tab";
import { useTexts } from "../i18n";
import { Bench } from "../pages/try/bench";
import { type Send, type Source, usePlace, type Where, WhereBar } from "../pages/try/where";
import { Mark, Preferences } from "../parts/brand";
import { Empty, ErrorNote, Loading } from "../parts/ui";
import type { Task } from "../types";

interface Shown {
  title: string; model: string; description: string; task: Task; version: number; network: string; server: boolean; weights_bytes: number;
}
const AT_ONCE = 4;

function Model({ shown, send }: { shown: Shown; send: Send }) {
  const { t } = useTexts();
  const here = !whyNotHere(shown.weights_bytes);
  const [want, setWant] = useState<Where>(here ? "tab" : "server");
  const [source] = useState<Source>({ task: shown.task, weights: "/public/model/weights", bytes: shown.weights_bytes, atOnce: AT_ONCE,
    ...(shown.server && { predict: "/public/model/predict" }) });
  const place = usePlace(source, want, send);
  return (
    <>
      <h1 className="break-words text-2xl font-semibold tracking-tight">{shown.title}</h1>
      <p className="mb-5 mt-1 text-sm text-muted">{t("visit.by")} · {shown.model} · {t("visit.version", { version: String(shown.version) })}</p>
      {shown.description && <p className="mb-5 max-w-prose whitespace-pre-line break-words text-sm">{shown.description}</p>}
      {!here && !shown.server ? <Empty title={t("visit.noWay")} /> : (
        <div className="space-y-5">
          <WhereBar place={place} source={source} onChange={setWant} />
          {!place.error && <Bench runner={place.runner} where={place.where} task={shown.task} name={shown.model} />}
        </div>
      )}
    </>
  );
}

const titles: Record<number, "visit.gone" | "visit.busy" | "visit.none"> = { 401: "visit.none", 410: "visit.gone", 429: "visit.busy" };

export function Visitor({ token }: { token: string }) {
  const { t } = useTexts();
  const [shown, setShown] = useState<Shown>();
  const [error, setError] = useState<unknown>();
  const send = useCallback<Send>(async (path, init) => {
    const reply = await fetch(path, { ...init, headers: { ...init?.headers, authorization: `Bearer ${token}` }, credentials: "omit" });
    if (!reply.ok) throw problemOf(reply.status, await reply.text(), reply.statusText);
    return reply;
  }, [token]);
  useEffect(() => {
    if (!token) return;
    let over = false;
    send("/public/model").then((reply) => reply.json() as Promise<Shown>).then((it) => {
      if (over) return;
      setShown(it);
      document.title = `${it.title} - Anneal`;
    }).catch((e: unknown) => !over && setError(e));
    return () => {
      over = true;
    };
  }, [token, send]);
  const status = error instanceof Problem ? error.status : 0;
  return (
    <div className="mx-auto max-w-5xl px-4 py-6 sm:px-6">
      <header className="mb-8 flex flex-wrap items-center justify-between gap-4">
        <span className="flex items-center gap-2 font-semibold"><Mark size={24} />Anneal</span>
        <Preferences />
      </header>
      <main>
        {!token ? <h1 className="text-2xl font-semibold">{t("visit.none")}</h1> : error ? (
          <div className="space-y-4">
            <h1 className="text-2xl font-semibold">{t(titles[status] ?? "page.failed")}</h1>
            <ErrorNote error={error} />
          </div>
        ) : shown ? <Model shown={shown} send={send} /> : <Loading lines={4} />}
      </main>
    </div>
  );
}
