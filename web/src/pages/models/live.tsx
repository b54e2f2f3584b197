// What is live, how programs ask for it, and the roll back; what was live when, and who did what.
import { useState } from "react";

import { api } from "../../api";
import { useTexts } from "../../i18n";
import { Copy } from "../../parts/copy";
import { Button, Card, Confirm, Empty, Show } from "../../parts/ui";
import { useMay } from "../../session";
import { RollBack } from "./actions";
import { modelPath, type Publication, type RegistryEvent, type RegistryModel, useChange, useHistory } from "./queries";

function LiveRow({ model, live }: { model: RegistryModel; live: Publication }) {
  const { t, ago } = useTexts();
  const may = useMay("engineer");
  const [asking, setAsking] = useState<"back" | "off">();
  const { alias } = live, version = String(live.version);
  const off = useChange(() => api.delete(`${modelPath(model.id)}/aliases/${encodeURIComponent(alias)}`), () => setAsking(undefined));
  const path = `${window.location.origin}/models/${encodeURIComponent(model.name)}/aliases/${encodeURIComponent(alias)}/predict`;
  return (
    <li className="space-y-3 py-4 first:pt-0 last:pb-0">
      <div className="flex flex-wrap items-center gap-x-4 gap-y-2">
        <div className="min-w-0 flex-1 basis-56">
          <p className="font-semibold">{alias} <span className="text-success">{t("registry.versionN", { version })}</span></p>
          <p className="text-sm text-muted">{t("registry.since", { time: ago(live.at), name: live.by_name })}</p>
        </div>
        {may && live.back > 0 && <Button onClick={() => setAsking("back")}>{t("registry.rollback", { version: String(live.back) })}</Button>}
        {may && <Button look="quiet" aria-label={`${t("registry.unpublish")}: ${alias}`} onClick={() => setAsking("off")}>{t("registry.unpublish")}</Button>}
      </div>
      <details className="text-sm">
        <summary className="cursor-pointer text-muted">{t("registry.call")}</summary>
        <div className="mt-2"><Copy text={`curl -H "Authorization: Bearer $ANNEAL_TOKEN" -F image=@picture.jpg ${path}`} /></div>
      </details>
      {asking === "back" && <RollBack model={model} live={live} onClose={() => setAsking(undefined)} />}
      {asking === "off" && (
        <Confirm title={t("registry.unpublishTitle", { alias })} text={t("registry.unpublishText", { alias, version })} action={t("registry.unpublish")}
          busy={off.isPending} error={off.error} onConfirm={() => off.mutate(undefined)} onClose={() => setAsking(undefined)} />
      )}
    </li>
  );
}

function Event({ event: e }: { event: RegistryEvent }) {
  const { t, of, time } = useTexts();
  const text = of("event", e.kind).replace(/\{(\w+)\}/g, (_, key: string) =>
    key === "name" ? e.by_name || t("registry.server") : key === "alias" ? (e.alias ?? "") : key === "version" ? String(e.version) : "");
  return (
    <li className="relative space-y-0.5 border-l-2 border-border pb-4 pl-4 last:pb-0">
      <span className="absolute -left-[5px] top-1.5 h-2 w-2 rounded-full bg-muted" aria-hidden="true" />
      <p className="text-sm">{text}</p>
      {e.note && e.kind !== "link_revoked" && <p className="whitespace-pre-line break-words text-sm text-muted">{e.kind === "evaluating" ? of("split", e.note) : e.note}</p>}
      <p className="text-xs text-muted"><time dateTime={e.at}>{time(e.at)}</time></p>
    </li>
  );
}

function Timeline({ was }: { was: Publication[] }) {
  const { t, time } = useTexts();
  return (
    <ol className="divide-y divide-border text-sm">
      {was.map((p, i) => (
        <li key={i} className="flex flex-wrap items-baseline gap-x-4 gap-y-0.5 py-2">
          <span className={`min-w-0 flex-1 basis-48 ${p.ended_at ? "" : "font-semibold"}`}>
            {t("registry.timelineRow", { alias: p.alias, version: String(p.version) })}
            {p.rollback && <span className="ml-2 text-xs font-normal text-muted">{t("registry.byRollback")}</span>}
          </span>
          <span className="text-xs text-muted">{t("registry.fromTo", { from: time(p.at), to: p.ended_at ? time(p.ended_at) : t("registry.now") })}</span>
        </li>
      ))}
    </ol>
  );
}

export function LiveAndHistory({ model }: { model: RegistryModel }) {
  const { t } = useTexts();
  const history = useHistory(model.id);
  return (
    <Show of={history}>
      {({ events, publications }) => {
        const live = publications.filter((p) => !p.ended_at).sort((a, b) => a.alias.localeCompare(b.alias));
        return (
          <>
            <Card title={t("registry.live")}>
              {live.length ? <ul className="divide-y divide-border">{live.map((p) => <LiveRow key={p.alias} model={model} live={p} />)}</ul>
                : <Empty title={t("registry.liveNone")} />}
            </Card>
            <div className="order-last grid gap-5 lg:grid-cols-2">
              <Card title={t("registry.history")}><ol>{events.map((e) => <Event key={e.id} event={e} />)}</ol></Card>
              {publications.length > 0 && <Card title={t("registry.timeline")} className="self-start"><Timeline was={publications} /></Card>}
            </div>
          </>
        );
      }}
    </Show>
  );
}
