// The choice of where a model runs, with the reason where there is no choice; and the runner that comes of it.
import { useEffect, useMemo, useState } from "react";

import { TabModel, whyNotHere, type WhyNot } from "../../engine/tab";
import { useTexts } from "../../i18n";
import { ErrorNote, Loading } from "../../parts/ui";
import type { Task } from "../../types";
import { inTab, onServer, type Runner } from "./runner";

export type Where = "server" | "tab";
export interface Source {
  task: Task;
  /** The predict route; undefined: pictures may not be sent. */
  predict?: string;
  weights: string;
  bytes: number;
  atOnce?: number;
}
export type Send = (path: string, init?: RequestInit) => Promise<Response>;

type Tab = { state: "none" | "loading" } | { state: "ready"; runner: Runner } | { state: "failed"; error: unknown };

export interface Place { runner?: Runner; where: Where; loading: boolean; error?: unknown; whyNot: WhyNot | undefined }

/** The runner of a source, there. */
export function usePlace(source: Source, want: Where, send: Send): Place {
  const whyNot = whyNotHere(source.bytes);
  const where: Where = want === "tab" && !whyNot ? "tab" : "server";
  const [tab, setTab] = useState<Tab>({ state: "none" });
  useEffect(() => {
    if (where !== "tab") return;
    let over = false, made: Runner | undefined;
    setTab({ state: "loading" });
    const load = async () => {
      const weights = await (await send(source.weights)).arrayBuffer();
      if (over) return;
      const { model } = await TabModel.load(weights);
      made = inTab(model);
      if (over) made.close?.();
      else setTab({ state: "ready", runner: made });
    };
    load().catch((error: unknown) => !over && setTab({ state: "failed", error }));
    return () => {
      over = true;
      made?.close?.();
      setTab({ state: "none" });
    };
  }, [where, source.weights, send]);
  const { task, predict, atOnce } = source;
  const server = useMemo(() => (predict ? onServer(predict, task, send, atOnce) : undefined), [predict, task, send, atOnce]);
  const runner = where === "server" ? server : tab.state === "ready" ? tab.runner : undefined;
  return { where, whyNot, loading: where === "tab" && (tab.state === "loading" || tab.state === "none"),
    ...(runner && { runner }), ...(where === "tab" && tab.state === "failed" && { error: tab.error }) };
}

export function WhereBar({ place, source, onChange }: { place: Place; source: Source; onChange: (to: Where) => void }) {
  const { t, bytes } = useTexts();
  const all: [Where, string][] = [["server", t("bench.server")], ["tab", t("bench.tab")]];
  return (
    <div className="space-y-2">
      <fieldset className="flex flex-wrap items-center gap-x-5 gap-y-1 text-sm">
        <legend className="sr-only">{t("bench.where")}</legend>
        {all.map(([where, text]) => (
          <label key={where} className="flex min-h-10 items-center gap-2">
            <input type="radio" name="where" value={where} checked={place.where === where} className="accent-primary"
              disabled={where === "tab" ? Boolean(place.whyNot) : !source.predict} onChange={() => onChange(where)} />
            {text}
          </label>
        ))}
      </fieldset>
      <p className="text-sm text-muted">
        {t(place.where === "tab" ? "bench.saysTab" : "bench.saysServer")} {place.whyNot && t(place.whyNot)}
      </p>
      {place.loading && (
        <div className="space-y-2 text-sm text-muted"><p>{t("bench.loading", { size: bytes(source.bytes) })}</p><Loading lines={1} /></div>
      )}
      {place.error ? <ErrorNote error={place.error} /> : null}
    </div>
  );
}
