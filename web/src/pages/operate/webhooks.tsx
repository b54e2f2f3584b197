// Whom the program tells of jobs: add, try, pause, delete; and what came of it.
import { type FormEvent, useState } from "react";

import { Problem } from "../../api";
import { useTexts } from "../../i18n";
import { Checkbox, Switch } from "../../parts/controls";
import { Copy } from "../../parts/copy";
import { Confirm } from "../../parts/dialog";
import { toast } from "../../parts/toast";
import { Badge, Button, Card, Dialog, Empty, ErrorNote, Field, Input, Show } from "../../parts/ui";
import { useAddWebhook, useChangeWebhook, useDeleteWebhook, useDeliveries, usePing, useWebhooks, type Webhook } from "./queries";

const events = ["job.running", "job.completed", "job.failed", "job.cancelled"] as const;

function Add({ onClose }: { onClose: () => void }) {
  const { t, of } = useTexts();
  const add = useAddWebhook();
  const [url, setUrl] = useState(""), [description, setDescription] = useState("");
  const [chosen, setChosen] = useState<string[]>(["job.completed", "job.failed"]);
  const field = add.error instanceof Problem ? add.error.field : undefined;
  const submit = (e: FormEvent) => {
    e.preventDefault();
    add.mutate({ url, description, events: events.filter((one) => chosen.includes(one)).join(" ") });
  };
  if (add.data)
    return (
      <Dialog title={t("hook.add")} onClose={onClose}>
        <div className="space-y-4">
          <p className="text-sm">{t("hook.once")}</p>
          <Copy text={add.data.secret} />
          <div className="flex justify-end"><Button look="primary" onClick={onClose}>{t("close")}</Button></div>
        </div>
      </Dialog>
    );
  return (
    <Dialog title={t("hook.add")} onClose={onClose}>
      <form onSubmit={submit} className="space-y-4">
        <Field label={t("hook.url")} help={t("hook.urlHelp")} error={field === "url" ? add.error?.message : undefined}>
          <Input type="url" required maxLength={2048} value={url} onChange={(e) => setUrl(e.target.value)} />
        </Field>
        <Field label={t("hook.what")}><Input maxLength={500} value={description} onChange={(e) => setDescription(e.target.value)} /></Field>
        <fieldset>
          <legend className="text-sm font-medium">{t("hook.events")}</legend>
          {events.map((one) => (
            <Checkbox key={one} label={of("event", one)} checked={chosen.includes(one)}
              onChange={(on) => setChosen(on ? [...chosen, one] : chosen.filter((other) => other !== one))} />
          ))}
        </fieldset>
        {add.isError && field !== "url" && <ErrorNote error={add.error} />}
        <div className="flex justify-end gap-2">
          <Button onClick={onClose}>{t("back")}</Button>
          <Button type="submit" look="primary" disabled={!chosen.length} busy={add.isPending}>{t("hook.add")}</Button>
        </div>
      </form>
    </Dialog>
  );
}

function Deliveries({ id }: { id: string }) {
  const { t, of, ago } = useTexts();
  const list = useDeliveries(id);
  return (
    <Show of={list} lines={2}>
      {(all) => all.length ? (
        <ul className="divide-y divide-border text-sm">
          {all.map((one) => (
            <li key={one.id} className="flex flex-wrap items-center gap-x-4 gap-y-1 py-2">
              <span className="min-w-0 flex-1 basis-32 truncate">{of("event", one.event)}</span>
              <span className="text-xs text-muted">{ago(one.created_at)}</span>
              <span className="numbers text-xs text-muted">{t("hook.attempts", { n: one.attempts })}</span>
              {one.done_at ? <Badge tone={one.error ? "destructive" : "success"}>{one.error ? one.status || "–" : t("hook.delivered")}</Badge>
                : <Badge tone="warning">{one.attempts ? t("hook.again", { when: ago(one.next_at) }) : t("hook.waiting", { n: 1 })}</Badge>}
              {one.error && <p className="basis-full break-words text-xs text-destructive">{one.error}</p>}
            </li>
          ))}
        </ul>
      ) : <p className="text-sm text-muted">{t("hook.noDeliveries")}</p>}
    </Show>
  );
}

function One({ hook }: { hook: Webhook }) {
  const { t, of } = useTexts();
  const change = useChangeWebhook(), ping = usePing(), remove = useDeleteWebhook();
  const [asking, setAsking] = useState(false);
  return (
    <Card>
      <div className="flex flex-wrap items-start gap-x-4 gap-y-2">
        <div className="min-w-0 flex-1 basis-60">
          <p className="break-all font-medium">{hook.url}</p>
          {hook.description && <p className="text-sm text-muted">{hook.description}</p>}
          <p className="mt-1 flex flex-wrap gap-1.5">{hook.events.split(" ").map((one) => <Badge key={one}>{of("event", one)}</Badge>)}</p>
        </div>
        {hook.waiting > 0 && <Badge tone="warning">{t("hook.waiting", { n: hook.waiting })}</Badge>}
        {hook.failed > 0 && <Badge tone="destructive">{t("hook.failed", { n: hook.failed })}</Badge>}
        <Switch label={t("hook.active")} checked={hook.active} disabled={change.isPending} onChange={(active) => change.mutate({ id: hook.id, active })} />
        <Button busy={ping.isPending} disabled={!hook.active} onClick={() => ping.mutate(hook.id, { onSuccess: () => toast({ title: t("hook.pinged"), tone: "success" }) })}>{t("hook.ping")}</Button>
        <Button look="danger" onClick={() => setAsking(true)}>{t("hook.delete")}</Button>
      </div>
      {(change.isError || ping.isError) && <div className="mt-3"><ErrorNote error={change.error ?? ping.error} /></div>}
      <details className="mt-3">
        <summary className="cursor-pointer text-sm font-medium">{t("hook.deliveries")}</summary>
        <div className="mt-2"><Deliveries id={hook.id} /></div>
      </details>
      {asking && (
        <Confirm title={t("hook.deleteTitle", { url: hook.url })} text={t("hook.deleteText")} action={t("hook.delete")} busy={remove.isPending} error={remove.error}
          lost={hook.waiting ? [t("hook.lostWaiting", { n: hook.waiting })] : []}
          onConfirm={() => remove.mutate(hook.id, { onSuccess: () => setAsking(false) })} onClose={() => setAsking(false)} />
      )}
    </Card>
  );
}

export function WebhooksTab() {
  const { t } = useTexts();
  const hooks = useWebhooks();
  const [adding, setAdding] = useState(false);
  return (
    <div className="space-y-4">
      <div className="flex flex-wrap items-center justify-between gap-3">
        <p className="max-w-prose text-sm text-muted">{t("hook.lead")}</p>
        <Button look="primary" onClick={() => setAdding(true)}>{t("hook.add")}</Button>
      </div>
      <Show of={hooks} lines={4}>
        {(all) => (all.length ? <div className="space-y-4">{all.map((one) => <One key={one.id} hook={one} />)}</div> : <Empty title={t("hook.none")} />)}
      </Show>
      {adding && <Add onClose={() => setAdding(false)} />}
    </div>
  );
}
