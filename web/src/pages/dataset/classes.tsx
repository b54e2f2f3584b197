// The classes of a version renamed, merged and removed, as another version.  What goes is counted by the server and
// named before anything is done.
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";

import { api } from "../../api";
import { useTexts } from "../../i18n";
import { Checkbox } from "../../parts/controls";
import { Badge, Button, Confirm, Dialog, ErrorNote, Field, Input } from "../../parts/ui";
import type { Import, Version } from "../../types";
import { datasetPath } from "../datasets/queries";

interface Cost { classes: string[]; labels: number; pictures: number; emptied: number }

/** Of the classes: those that go, and those that become one, as "a, b → c". */
export function told(classes: string[], to: string[]): { removed: string[]; merged: string[] } {
  const into = new Map<string, string[]>();
  to.forEach((name, i) => name && into.set(name, [...(into.get(name) ?? []), classes[i] ?? ""]));
  return {
    removed: classes.filter((_, i) => !to[i]),
    merged: [...into].filter(([, from]) => from.length > 1).map(([name, from]) => `${from.join(", ")} → ${name}`),
  };
}

function Row({ name, to, count, others, chosen, onTo, onChoose }: {
  name: string; to: string; count: number | undefined; others: number; chosen: boolean; onTo: (to: string) => void; onChoose: (to: boolean) => void;
}) {
  const { t, number } = useTexts();
  return (
    <li className="grid grid-cols-[auto_minmax(0,1fr)_auto] items-center gap-x-2" style={{ contentVisibility: "auto", containIntrinsicSize: "auto 3.5rem" }}>
      <Checkbox hideLabel label={t("reclass.choose", { name })} checked={chosen} onChange={onChoose} />
      <Input aria-label={t("reclass.name", { name })} value={to} maxLength={100} placeholder={t("reclass.gone", { name })} onChange={(e) => onTo(e.target.value)} />
      <span className="numbers flex min-w-16 flex-col items-end text-xs text-muted">
        {count !== undefined && number(count)}
        {!to.trim() ? <Badge tone="destructive">{t("reclass.removed")}</Badge>
          : others ? <Badge tone="warning">{t("reclass.merged")}</Badge>
            : to.trim() !== name && <Badge tone="info">{t("reclass.renamed")}</Badge>}
      </span>
    </li>
  );
}

function Editor({ version, to, setTo, message, setMessage, busy, error, onDone, onClose }: {
  version: Version; to: string[]; setTo: (to: string[]) => void; message: string; setMessage: (to: string) => void;
  busy: boolean; error: Error | null; onDone: () => void; onClose: () => void;
}) {
  const { t } = useTexts();
  const [chosen, setChosen] = useState<Set<number>>(new Set());
  const trimmed = to.map((one) => one.trim());
  const counts = version.stats?.classes.map((c) => (version.task === "classification" ? c.images : c.shapes));
  const put = (name: string) => {
    setTo(to.map((one, i) => (chosen.has(i) ? name : one)));
    setChosen(new Set());
  };
  const first = [...chosen].sort((a, b) => a - b)[0];
  const same = trimmed.every((one, i) => one === version.classes[i]);
  const submit = (e: FormEvent) => {
    e.preventDefault();
    if (!same) onDone();
  };
  return (
    <Dialog title={t("reclass.title")} hint={t("reclass.text", { n: version.number })} onClose={onClose}>
      <form onSubmit={submit} className="space-y-4">
        <div className="flex flex-wrap gap-2" role="group" aria-label={t("reclass.chosen", { n: chosen.size })}>
          <Button disabled={chosen.size < 2} onClick={() => first !== undefined && put(to[first]?.trim() || version.classes[first] || "")}>{t("reclass.merge")}</Button>
          <Button disabled={!chosen.size} onClick={() => put("")}>{t("reclass.remove")}</Button>
          <Button disabled={same} onClick={() => setTo(version.classes)}>{t("reclass.reset")}</Button>
        </div>
        <ul className="max-h-[40dvh] space-y-1 overflow-y-auto p-1" aria-label={t("classesWord")} tabIndex={0}>
          {version.classes.map((name, i) => (
            <Row key={i} name={name} to={to[i] ?? ""} count={counts?.[i]} others={trimmed.filter((one, k) => k !== i && one === trimmed[i]).length} chosen={chosen.has(i)}
              onTo={(text) => setTo(to.map((one, k) => (k === i ? text : one)))}
              onChoose={(on) => setChosen((old) => {
                const next = new Set(old);
                on ? next.add(i) : next.delete(i);
                return next;
              })} />
          ))}
        </ul>
        <Field label={t("commit.message")} help={t("commit.messageHelp")}>
          <Input maxLength={2000} value={message} onChange={(e) => setMessage(e.target.value)} />
        </Field>
        {error && <ErrorNote error={error} />}
        <div className="flex justify-end gap-2">
          <Button onClick={onClose}>{t("back")}</Button>
          <Button type="submit" look="primary" busy={busy} disabled={same}>{t("split.make")}</Button>
        </div>
      </form>
    </Dialog>
  );
}

export function ClassEditor({ version, onClose }: { version: Version; onClose: () => void }) {
  const { t } = useTexts();
  const client = useQueryClient();
  const [to, setTo] = useState(version.classes);
  const [message, setMessage] = useState("");
  const at = `${datasetPath(version.dataset, version.version)}/classes`, wanted = to.map((one) => one.trim());
  const make = useMutation({
    mutationFn: () => api.post<Import>(at, { to: wanted, message }),
    onSuccess: () => {
      void client.invalidateQueries({ queryKey: ["dataset", version.dataset, "imports"] });
      onClose();
    },
  });
  const { removed, merged } = told(version.classes, wanted);
  const check = useMutation({
    mutationFn: () => api.post<Cost>(`${at}/check`, { to: wanted }),
    onSuccess: () => {
      if (!removed.length && !merged.length) make.mutate(); // other names lose nothing
    },
  });
  const cost = check.data;
  if (cost && (removed.length || merged.length)) {
    const back = () => {
      check.reset();
      make.reset();
    };
    return (
      <Confirm title={t("reclass.sure")} text={t("reclass.sureText", { n: version.number })} action={t("split.make")} busy={make.isPending} error={make.error}
        lost={[
          ...(removed.length ? [t("reclass.lostClasses", { n: removed.length, names: removed.join(", ") }), t("reclass.lostLabels", { n: cost.labels, pictures: cost.pictures })] : []),
          ...(cost.emptied ? [t(version.task === "classification" ? "reclass.lostPlace" : "reclass.lostAll", { n: cost.emptied })] : []),
          ...merged.map((one) => t("reclass.lostDifference", { names: one })),
        ]} onConfirm={() => make.mutate()} onClose={back} />
    );
  }
  return (
    <Editor version={version} to={to} setTo={setTo} message={message} setMessage={setMessage} busy={check.isPending || make.isPending}
      error={check.error ?? make.error} onDone={() => check.mutate()} onClose={onClose} />
  );
}
