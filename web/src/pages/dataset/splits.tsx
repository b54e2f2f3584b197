// Other splits of a version: by shares and seed, by lists of names, or with selected pictures moved.  Each makes
// a further version; the one it came from stays.
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";

import { api, Problem } from "../../api";
import { useTexts } from "../../i18n";
import { Button, Confirm, Dialog, ErrorNote, Field, Input } from "../../parts/ui";
import { splits, type Import, type Split, type Version } from "../../types";
import { datasetPath } from "../datasets/queries";

interface Spec {
  method: "ratio" | "lists" | "moves"; train?: number; val?: number; test?: number; seed?: number;
  train_files?: string[]; val_files?: string[]; test_files?: string[]; none_files?: string[]; exclude?: string[];
}

function useSplit(version: Version, onDone: () => void) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (spec: Spec) => api.post<Import>(`${datasetPath(version.dataset, version.version)}/split`, spec),
    onSuccess: () => {
      void client.invalidateQueries({ queryKey: ["dataset", version.dataset, "imports"] });
      onDone();
    },
  });
}

const named = ["train", "val", "test"] as const;

/** One name a line; a comma or white space at the ends is not part of it. */
export const namesOf = (text: string) => text.split("\n").map((line) => line.trim().replace(/,$/, "")).filter(Boolean);

function Shares({ version, onClose }: { version: Version; onClose: () => void }) {
  const { t, number } = useTexts();
  const [shares, setShares] = useState({ train: 80, val: 20, test: 0 });
  const [seed, setSeed] = useState("42");
  const split = useSplit(version, onClose);
  const sum = shares.train + shares.val + shares.test;
  const wrong = sum !== 100 ? t("split.sum", { sum }) : shares.train === 0 ? t("split.noTrain") : undefined;
  const field = split.error instanceof Problem ? split.error.field : undefined;
  const change = (name: (typeof named)[number], value: number) => setShares((old) => {
    const rest = 100 - value; // what one gains, training gives, and then validation
    if (name === "train") return { train: value, val: Math.max(0, rest - old.test), test: Math.min(old.test, rest) };
    const other = name === "val" ? "test" : "val";
    const kept = Math.min(old[other], rest);
    return { ...old, [name]: value, [other]: kept, train: rest - kept } as typeof old;
  });
  const submit = (e: FormEvent) => {
    e.preventDefault();
    if (!wrong) split.mutate({ method: "ratio", train: shares.train / 100, val: shares.val / 100, test: shares.test / 100, seed: Number(seed) });
  };
  const labelled = version.images - (version.classes.length ? 0 : version.none);
  return (
    <form onSubmit={submit} className="space-y-4">
      <p className="text-sm text-muted">{t("split.text")}</p>
      {named.map((name) => (
        <div key={name} className="grid grid-cols-[4.5rem_1fr_auto] items-center gap-x-3">
          <label htmlFor={`share-${name}`} className="text-sm font-medium">{t(`split.${name}`)}</label>
          <input id={`share-${name}`} type="range" min={0} max={100} step={1} value={shares[name]} className="w-full accent-[rgb(var(--primary))]"
            aria-valuetext={`${shares[name]} %`} onChange={(e) => change(name, Number(e.target.value))} />
          <output className="numbers w-24 text-right text-sm">{shares[name]} % <span className="text-muted">≈ {number(Math.round((labelled * shares[name]) / 100))}</span></output>
        </div>
      ))}
      <Field label={t("seed")} help={t("split.seedHelp")} error={wrong ?? (field === "seed" ? split.error?.message : undefined)}>
        <Input type="number" required min={0} step={1} value={seed} onChange={(e) => setSeed(e.target.value)} />
      </Field>
      {split.isError && field !== "seed" && <ErrorNote error={split.error} />}
      <Buttons busy={split.isPending} disabled={Boolean(wrong)} onClose={onClose} />
    </form>
  );
}

function Buttons({ busy, disabled, onClose }: { busy: boolean; disabled?: boolean; onClose: () => void }) {
  const { t } = useTexts();
  return (
    <div className="flex flex-wrap justify-end gap-2">
      <Button onClick={onClose}>{t("back")}</Button>
      <Button type="submit" look="primary" busy={busy} disabled={disabled ?? false}>{t("split.make")}</Button>
    </div>
  );
}

function Lists({ version, onClose }: { version: Version; onClose: () => void }) {
  const { t } = useTexts();
  const [texts, setTexts] = useState({ train: "", val: "", test: "" });
  const split = useSplit(version, onClose);
  const lists = { train_files: namesOf(texts.train), val_files: namesOf(texts.val), test_files: namesOf(texts.test) };
  const load = async (name: (typeof named)[number], file: File | undefined) => {
    if (!file) return;
    const text = await file.text();
    setTexts((old) => ({ ...old, [name]: text }));
  };
  return (
    <form onSubmit={(e) => {
      e.preventDefault();
      split.mutate({ method: "lists", ...lists });
    }} className="space-y-4">
      <p className="text-sm text-muted">{t("split.listsText")}</p>
      {named.map((name) => (
        <div key={name} className="space-y-2">
          <Field label={`${t(`split.${name}`)} (${lists[`${name}_files`].length})`}>
            <textarea className="field font-mono !text-xs" rows={3} value={texts[name]} spellCheck={false}
              onChange={(e) => setTexts({ ...texts, [name]: e.target.value })} />
          </Field>
          <input type="file" accept=".txt,.csv,text/plain" aria-label={`${t("chooseFiles")}: ${t(`split.${name}`)}`} className="text-xs text-muted"
            onChange={(e) => void load(name, e.target.files?.[0])} />
        </div>
      ))}
      {split.isError && <ErrorNote error={split.error} />}
      <Buttons busy={split.isPending} disabled={!lists.train_files.length} onClose={onClose} />
    </form>
  );
}

export function SplitEditor({ version, onClose }: { version: Version; onClose: () => void }) {
  const { t } = useTexts();
  const [how, setHow] = useState<"shares" | "lists">("shares");
  return (
    <Dialog title={t("split.new")} onClose={onClose}>
      <fieldset className="mb-4 flex flex-wrap gap-x-5">
        <legend className="sr-only">{t("split.how")}</legend>
        {(["shares", "lists"] as const).map((one) => (
          <label key={one} className="flex min-h-10 items-center gap-2 text-sm">
            <input type="radio" name="how" checked={how === one} onChange={() => setHow(one)} className="accent-[rgb(var(--primary))]" />
            {t(`split.by_${one}`)}
          </label>
        ))}
      </fieldset>
      {how === "shares" ? <Shares version={version} onClose={onClose} /> : <Lists version={version} onClose={onClose} />}
    </Dialog>
  );
}

/** What can be done with the selected pictures: it stays at the screen's foot while one goes on selecting. */
export function MoveBar({ version, names, onClear, onDone }: { version: Version; names: string[]; onClear: () => void; onDone: () => void }) {
  const { t, of } = useTexts();
  const [leaving, setLeaving] = useState(false);
  const split = useSplit(version, () => {
    setLeaving(false);
    onDone();
  });
  const move = (to: Split) => split.mutate({ method: "moves", [`${to}_files`]: names });
  const idle = !names.length || split.isPending;
  return (
    <div className="sticky bottom-16 z-10 space-y-3 rounded border border-border bg-surface p-3 shadow-lg lg:bottom-4" role="region" aria-label={t("select.bar")}>
      <div className="flex flex-wrap items-center gap-2">
        <p className="numbers mr-auto text-sm" role="status">{names.length ? t("select.count", { n: names.length }) : t("select.hint")}</p>
        {splits.map((to) => <Button key={to} disabled={idle} onClick={() => move(to)}>{t("select.move", { split: of("split", to) })}</Button>)}
        <Button look="danger" disabled={idle} onClick={() => setLeaving(true)}>{t("select.leave")}</Button>
        <Button look="quiet" disabled={!names.length} onClick={onClear}>{t("select.clear")}</Button>
      </div>
      {split.isError && !leaving && <ErrorNote error={split.error} />}
      {leaving && (
        <Confirm title={t("select.leaveTitle", { n: names.length })} text={t("select.leaveText")} action={t("select.leave")} busy={split.isPending}
          error={split.error} onConfirm={() => split.mutate({ method: "moves", exclude: names })} onClose={() => setLeaving(false)} />
      )}
    </div>
  );
}
