// What can be done to a version, each with a dialog that names what changes.
import { type FormEvent, type ReactNode, useId, useState } from "react";

import { api, Problem } from "../../api";
import { useTexts } from "../../i18n";
import { Button, Dialog, ErrorNote, Field, Input, Progress } from "../../parts/ui";
import { splits } from "../../types";
import { type Exported, modelPath, type Publication, type RegistryModel, useChange, type Version, versionPath } from "./queries";

/** A confirmation with a note for the history. */
function Ask({ title, text, action, look = "primary", busy, error, onConfirm, onClose, children }: {
  title: string; text?: ReactNode; action: string; look?: "primary" | "danger"; busy: boolean; error: unknown; onConfirm: (note: string) => void;
  onClose: () => void; children?: ReactNode;
}) {
  const { t } = useTexts();
  const [note, setNote] = useState("");
  return (
    <Dialog title={title} onClose={onClose}>
      <form className="space-y-4 text-sm" onSubmit={(e: FormEvent) => {
        e.preventDefault();
        onConfirm(note);
      }}>
        {children}
        {text && <p aria-live="polite">{text}</p>}
        <Field label={t("registry.note")}><Input maxLength={4096} value={note} onChange={(e) => setNote(e.target.value)} /></Field>
        {error ? <ErrorNote error={error} /> : null}
        <div className="flex flex-wrap justify-end gap-2">
          <Button onClick={onClose}>{t("back")}</Button>
          <Button type="submit" look={look} busy={busy}>{action}</Button>
        </div>
      </form>
    </Dialog>
  );
}

export type Verb = "approve" | "withdraw" | "archive" | "restore";

export function Move({ version: v, verb, onClose }: { version: Version; verb: Verb; onClose: () => void }) {
  const { t } = useTexts();
  const move = useChange((note: string) => api.post(`${versionPath(v)}/state`, { action: verb, note }), onClose);
  return (
    <Ask title={t(`registry.${verb}Title`, { version: String(v.version) })} text={t(`registry.${verb}Text`)} action={t(`registry.${verb}`)}
      look={verb === "archive" || verb === "withdraw" ? "danger" : "primary"} busy={move.isPending} error={move.error}
      onConfirm={(note) => move.mutate(note)} onClose={onClose} />
  );
}

export function Publish({ model, version: v, onClose }: { model: RegistryModel; version: Version; onClose: () => void }) {
  const { t } = useTexts();
  const [alias, setAlias] = useState(model.aliases.find((a) => a.version !== v.version)?.alias ?? "production");
  const list = useId();
  const now = model.aliases.find((a) => a.alias === alias)?.version ?? 0;
  const publish = useChange((note: string) =>
    api.put(`${modelPath(model.id)}/aliases/${encodeURIComponent(alias)}`, { version: v.version, expected: now, note }), onClose);
  const fault = publish.error instanceof Problem && publish.error.field === "alias" ? publish.error.message : undefined;
  const to = String(v.version), from = String(now);
  return (
    <Ask title={t("registry.publishTitle", { version: to })} action={t("registry.publish")} busy={publish.isPending}
      text={!alias ? "" : now === v.version ? t("registry.publishSame", { alias, to }) : now ? t("registry.publishOver", { alias, from, to }) : t("registry.publishFirst", { alias, to })}
      error={fault ? undefined : publish.error} onConfirm={(note) => publish.mutate(note)} onClose={onClose}>
      <Field label={t("registry.alias")} help={t("registry.aliasHelp")} error={fault}>
        <Input required maxLength={64} list={list} value={alias} onChange={(e) => setAlias(e.target.value)} />
      </Field>
      <datalist id={list}>{[...new Set(["production", "staging", ...model.aliases.map((a) => a.alias)])].map((one) => <option key={one} value={one} />)}</datalist>
    </Ask>
  );
}

export function RollBack({ model, live, onClose }: { model: RegistryModel; live: Publication; onClose: () => void }) {
  const { t } = useTexts();
  const { alias } = live;
  const back = useChange((note: string) =>
    api.post(`${modelPath(model.id)}/aliases/${encodeURIComponent(alias)}/rollback`, { expected: live.version, note }), onClose);
  return (
    <Ask title={t("registry.rollbackTitle", { alias })} action={t("registry.rollbackDo")} busy={back.isPending} error={back.error}
      text={t("registry.rollbackText", { alias, from: String(live.version), to: String(live.back) })} onConfirm={(note) => back.mutate(note)} onClose={onClose} />
  );
}

export function Evaluate({ version: v, onClose }: { version: Version; onClose: () => void }) {
  const { t, of } = useTexts();
  const [split, setSplit] = useState("test");
  const [dataset, setDataset] = useState("");
  const evaluate = useChange(() => api.post(`${versionPath(v)}/evaluate`, { split, dataset }), onClose);
  const fault = evaluate.error instanceof Problem ? evaluate.error : undefined;
  return (
    <Dialog title={`${t("registry.evaluate")}: ${t("registry.versionN", { version: String(v.version) })}`} onClose={onClose}>
      <form className="space-y-4 text-sm" onSubmit={(e: FormEvent) => {
        e.preventDefault();
        evaluate.mutate(undefined);
      }}>
        <p>{t("registry.evaluateText")}</p>
        <Field label={t("registry.split")} error={fault?.field === "split" ? fault.message : undefined}>
          <select className="field" value={split} onChange={(e) => setSplit(e.target.value)}>
            {splits.filter((s) => s !== "none").map((s) => <option key={s} value={s}>{of("split", s)}</option>)}
          </select>
        </Field>
        <Field label={t("registry.otherDataset")} error={fault?.field === "dataset" ? fault.message : undefined}>
          <Input maxLength={200} value={dataset} onChange={(e) => setDataset(e.target.value)} placeholder={v.dataset_name} />
        </Field>
        {evaluate.isError && !["split", "dataset"].includes(fault?.field ?? "") && <ErrorNote error={evaluate.error} />}
        <div className="flex justify-end gap-2">
          <Button onClick={onClose}>{t("back")}</Button>
          <Button type="submit" look="primary" busy={evaluate.isPending}>{t("registry.evaluate")}</Button>
        </div>
      </form>
    </Dialog>
  );
}

const formats = ["onnx", "c", "safetensors"] as const;
const small = (n: number) => (n ? n.toExponential(1) : "0");

export function Export({ version: v, onClose }: { version: Version; onClose: () => void }) {
  const { t, bytes } = useTexts();
  const [format, setFormat] = useState<(typeof formats)[number]>("onnx");
  const [pixels, setPixels] = useState(false);
  const make = useChange(() => api.post<Exported>(`${versionPath(v)}/export`, { format, pixels: pixels && format !== "safetensors" }));
  const made = make.data;
  const changed = () => make.reset();
  return (
    <Dialog title={t("registry.exportTitle", { version: String(v.version) })} onClose={onClose}>
      <form className="space-y-4 text-sm" onSubmit={(e: FormEvent) => {
        e.preventDefault();
        make.mutate(undefined);
      }}>
        <fieldset className="space-y-1">
          <legend className="mb-1 font-medium">{t("registry.format")}</legend>
          {formats.map((one) => (
            <label key={one} className="flex min-h-10 items-center gap-2">
              <input type="radio" name="format" checked={format === one} className="accent-primary" onChange={() => {
                setFormat(one);
                changed();
              }} />
              {t(`format.${one}`)}
            </label>
          ))}
        </fieldset>
        {format !== "safetensors" && (
          <label className="flex min-h-10 items-center gap-2">
            <input type="checkbox" checked={pixels} className="accent-primary" onChange={(e) => {
              setPixels(e.target.checked);
              changed();
            }} />
            {t("registry.pixels")}
          </label>
        )}
        <p className="text-muted">{t("registry.exportHelp")}</p>
        {make.isPending && <div role="status" className="space-y-2"><p>{t("registry.exporting")}</p><Progress value={1} label={t("registry.exporting")} /></div>}
        {make.isError && <ErrorNote error={make.error} />}
        {made && (
          <div className="space-y-3 rounded border border-border p-3">
            <p className="break-words font-medium">{made.file} · {bytes(made.bytes)}</p>
            <p className="text-muted">{t("registry.verified", { n: made.pictures, difference: small(made.max_difference), allowed: small(made.allowed_difference) })}</p>
            <div className="flex flex-wrap gap-4">
              <a className="link" href={made.url} download={made.file}>{t("download")}</a>
              {made.header_url && <a className="link" href={made.header_url} download={made.file.replace(/\.c$/, ".h")}>{t("registry.header")}</a>}
            </div>
          </div>
        )}
        <div className="flex justify-end gap-2">
          <Button onClick={onClose}>{t("close")}</Button>
          {!made && <Button type="submit" look="primary" busy={make.isPending}>{t("registry.export")}</Button>}
        </div>
      </form>
    </Dialog>
  );
}
