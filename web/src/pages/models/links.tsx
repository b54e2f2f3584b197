// Links for visitors, and what the project asks of an approval.
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";

import { api } from "../../api";
import { whyNotHere } from "../../engine/tab";
import { useTexts } from "../../i18n";
import { Copy } from "../../parts/copy";
import { Badge, Button, Card, Confirm, Dialog, ErrorNote, Field, Input, Show } from "../../parts/ui";
import { useMay } from "../../session";
import { modelPath, type RegistryModel, useApprover, useChange, useLinks, type Version, type VisitorLink } from "./queries";

function Make({ model, versions, onClose }: { model: RegistryModel; versions: Version[]; onClose: () => void }) {
  const { t } = useTexts();
  const [alias, setAlias] = useState(model.aliases[0]?.alias ?? "");
  const version = versions.find((v) => v.version === model.aliases.find((a) => a.alias === alias)?.version);
  const large = version !== undefined && whyNotHere(version.weights_bytes) === "tab.large";
  const [title, setTitle] = useState(model.name);
  const [days, setDays] = useState(30);
  const [server, setServer] = useState(large);
  const make = useChange(() => api.post<{ url: string }>(`${modelPath(model.id)}/links`, { alias, title, days, server }));
  if (make.data)
    return (
      <div className="space-y-4 text-sm">
        <p>{t("links.once")}</p>
        <Copy text={make.data.url} />
        <div className="flex justify-end"><Button onClick={onClose}>{t("close")}</Button></div>
      </div>
    );
  return (
    <form className="space-y-4 text-sm" onSubmit={(e: FormEvent) => {
      e.preventDefault();
      make.mutate(undefined);
    }}>
      <p className="text-muted">{t("links.text")}</p>
      <Field label={t("registry.alias")}>
        <select className="field" value={alias} onChange={(e) => setAlias(e.target.value)}>
          {model.aliases.map((a) => <option key={a.alias} value={a.alias}>{t("bench.live", { alias: a.alias, version: String(a.version) })}</option>)}
        </select>
      </Field>
      <Field label={t("links.name")}><Input required maxLength={200} value={title} onChange={(e) => setTitle(e.target.value)} /></Field>
      <Field label={t("links.days")}><Input type="number" required min={1} max={366} value={days} onChange={(e) => setDays(Number(e.target.value))} /></Field>
      <div>
        <label className="flex min-h-10 items-center gap-2">
          <input type="checkbox" checked={server} className="accent-primary" onChange={(e) => setServer(e.target.checked)} />{t("links.server")}
        </label>
        <p className="text-xs text-muted">{large ? t("links.tooLarge") : t("links.serverHelp")}</p>
      </div>
      {make.isError && <ErrorNote error={make.error} />}
      <div className="flex justify-end gap-2">
        <Button onClick={onClose}>{t("back")}</Button>
        <Button type="submit" look="primary" busy={make.isPending}>{t("links.new")}</Button>
      </div>
    </form>
  );
}

function Row({ model, link }: { model: RegistryModel; link: VisitorLink }) {
  const { t, time } = useTexts();
  const may = useApprover(model);
  const [asking, setAsking] = useState(false);
  const revoke = useChange(() => api.delete(`${modelPath(model.id)}/links/${link.id}`), () => setAsking(false));
  const ended = new Date(link.expires_at) <= new Date();
  return (
    <li className="flex flex-wrap items-center gap-x-4 gap-y-1 py-3 first:pt-0 last:pb-0">
      <div className="min-w-0 flex-1 basis-56">
        <p className="break-words text-sm font-medium">{link.title}</p>
        <p className="text-xs text-muted">
          {link.alias} · {t(link.server ? "bench.server" : "bench.tab")} · {t("links.visits", { n: link.visits })} · {link.created_by_name}
        </p>
      </div>
      {link.revoked_at ? <Badge>{t("links.revoked")}</Badge> : ended ? <Badge>{t("links.ended")}</Badge> : (
        <>
          <span className="text-xs text-muted">{t("links.ends", { time: time(link.expires_at) })}</span>
          {may && <Button look="quiet" aria-label={`${t("links.revoke")}: ${link.title}`} onClick={() => setAsking(true)}>{t("links.revoke")}</Button>}
        </>
      )}
      {asking && (
        <Confirm title={t("links.revokeTitle", { title: link.title })} text={t("links.revokeText")} action={t("links.revoke")} busy={revoke.isPending}
          error={revoke.error} onConfirm={() => revoke.mutate(undefined)} onClose={() => setAsking(false)} />
      )}
    </li>
  );
}

export function Links({ model, versions }: { model: RegistryModel; versions: Version[] }) {
  const { t } = useTexts();
  const may = useApprover(model);
  const links = useLinks(model.id);
  const [making, setMaking] = useState(false);
  return (
    <Card title={t("links.title")} aside={may && model.aliases.length > 0 && <Button onClick={() => setMaking(true)}>{t("links.new")}</Button>}>
      <Show of={links}>
        {(all) => all.length ? <ul className="divide-y divide-border">{all.map((l) => <Row key={l.id} model={model} link={l} />)}</ul>
          : <p className="text-sm text-muted">{t("links.none")} {t("links.text")}</p>}
      </Show>
      {making && <Dialog title={t("links.new")} onClose={() => setMaking(false)}><Make model={model} versions={versions} onClose={() => setMaking(false)} /></Dialog>}
    </Card>
  );
}

/** Whether somebody else has to approve: of the model's whole project. */
export function Policy({ model }: { model: RegistryModel }) {
  const { t } = useTexts();
  const client = useQueryClient();
  const path = `/projects/${model.project_id ?? "default"}/registry`;
  const key = ["policy", path];
  const policy = useQuery({ queryKey: key, queryFn: () => api.get<{ approve_by_other: boolean }>(path) });
  const set = useChange((approve_by_other: boolean) => api.put<{ approve_by_other: boolean }>(path, { approve_by_other }),
    (now) => client.setQueryData(key, now));
  const may = useMay("manager");
  return (
    <Card title={t("policy.title")}>
      <Show of={policy} lines={1}>
        {(now) => (
          <label className="flex min-h-10 items-center gap-2 text-sm">
            <input type="checkbox" checked={now.approve_by_other} disabled={!may || set.isPending} className="accent-primary" onChange={(e) => set.mutate(e.target.checked)} />
            {t("policy.other")}
          </label>
        )}
      </Show>
      {set.isError && <div className="mt-3"><ErrorNote error={set.error} /></div>}
    </Card>
  );
}
