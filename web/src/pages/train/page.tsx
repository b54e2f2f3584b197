// A new training job: data, model, settings - and the job's page.
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useMemo, useState } from "react";

import { api, Problem } from "../../api";
import type { Body } from "../../gen/api";
import { useTexts } from "../../i18n";
import { Button, ButtonLink, Card, Empty, ErrorNote, Field, Input, PageHead, Show } from "../../parts/ui";
import { navigate, useQueryParams, useTitle } from "../../router";
import { useMay } from "../../session";
import type { Dataset, Datasets, Job, Jobs, Measured, Model, Models, Preset } from "../../types";
import { SplitBar } from "../dataset/balance";
import { useVersions } from "../datasets/queries";
import { CheckCard, useCheck } from "./check";
import { type Settings, SettingsForm } from "./form";
import { Presets } from "./presets";

const keyOf = (m: Model) => `${m.framework}/${m.name}`;

/** What a model is and, where it has been measured, how fast it trains here and what memory it takes. */
function ModelCard({ model, checked, measured, onPick }: { model: Model; checked: boolean; measured: Measured | null; onPick: () => void }) {
  const { t, of, number, bytes, named } = useTexts();
  return (
    <label className={`flex cursor-pointer gap-3 rounded border p-3 focus-within:outline focus-within:outline-2 focus-within:outline-primary ${checked ? "border-primary bg-primary/5" : "border-border hover:bg-raised"}`}>
      <input type="radio" name="model" className="mt-1 self-start" checked={checked} onChange={onPick} />
      <span className="min-w-0 space-y-1">
        <span className="flex flex-wrap items-baseline gap-x-2">
          <span className="text-sm font-medium">{named("network", model.name, model.title)}</span>
          <span className="numbers text-xs text-muted">{t("model.parameters", { n: number(model.parameters / 1e6, model.parameters < 1e6 ? 2 : 1) })}</span>
        </span>
        <span className="block text-xs text-muted">{named("networkHelp", model.name, model.description)}</span>
        <span className="numbers flex flex-wrap gap-x-3 text-xs text-muted">
          <span>{of("task", model.task)}</span>
          <span>{bytes(measured?.weights_bytes ?? model.parameters * 4)}</span>
          {measured && <span>{t("check.perSecond", { n: number(measured.train_images_per_second, measured.train_images_per_second < 10 ? 1 : 0) })}</span>}
          {measured && <span>{t("check.memory")} {bytes(measured.memory_bytes)}</span>}
        </span>
      </span>
    </label>
  );
}

/** What a dataset teaches beside its own task: outlines have boxes, and lines of text are outlines (src/spec/train_task.c). */
const outlines = ["detection", "segmentation", "semantic"];
const teaches: Record<string, string[]> = { segmentation: outlines, text: outlines };

/** The settings of an older job that differ from the defaults. */
function differing(model: Model | undefined, from: Job | undefined): Settings {
  const out: Settings = {};
  for (const f of model?.config_schema ?? [])
    if (from && f.name !== "model" && from.config[f.name] !== undefined && from.config[f.name] !== f.default) out[f.name] = from.config[f.name] ?? null;
  return out;
}

function Form({ datasets, models, presets, from }: { datasets: Dataset[]; models: Models; presets: Preset[]; from: Job | undefined }) {
  const { t, of } = useTexts();
  const client = useQueryClient();
  const query = useQueryParams();
  const fits = (m: Model, d: Dataset | undefined) => !d?.task || m.task === d.task || (teaches[d.task]?.includes(m.task) ?? false);
  const [datasetId, setDataset] = useState(() => query.get("dataset") ?? from?.dataset
    ?? (datasets.find((d) => models.models.some((m) => fits(m, d))) ?? datasets[0])?.id ?? "");
  const [versionNumber, setVersion] = useState(query.get("version") ?? "");
  const dataset = datasets.find((d) => d.id === datasetId);
  const usable = models.models.filter((m) => fits(m, dataset));
  const [picked, setPicked] = useState(from ? `${from.framework}/${from.model}` : "");
  const model = usable.find((m) => keyOf(m) === picked) ?? usable.find((m) => m.name === m.config_schema.find((f) => f.name === "model")?.default) ?? usable[0];
  const [settings, setSettings] = useState<Settings>(() => differing(models.models.find((m) => keyOf(m) === picked), from));
  const [name, setName] = useState("");
  const versions = useVersions(datasetId);
  const version = versions.data?.find((v) => String(v.number) === versionNumber) ?? versions.data?.[0];

  const bodyOf = (called: string): Body<"POST /training/jobs"> => {
    const config: Settings = { model: model?.name ?? "" };
    for (const f of model?.config_schema ?? []) if (settings[f.name] !== undefined && settings[f.name] !== f.default) config[f.name] = settings[f.name] ?? null;
    return { dataset: datasetId, framework: model?.framework ?? "", config, name: called, ...(version && { version: version.version }) };
  };
  const checked = useCheck(model && version ? bodyOf("") : undefined);
  const earlier = useQuery({
    queryKey: ["jobs", "weights", model?.name], enabled: model !== undefined,
    queryFn: () => api.get<Jobs>(`/training/jobs?status=completed&limit=50&model=${encodeURIComponent(model?.name ?? "")}`),
  });
  const weightsFrom = (earlier.data?.jobs ?? []).filter((one) => one.kind === "train").map((one): [string, string] => [`job:${one.job}`, one.name]);
  const make = useMutation({
    mutationFn: () => api.post<Job>("/training/jobs", bodyOf(name)),
    onSuccess: (job) => {
      client.setQueryData(["job", job.job], job);
      if (job.warnings?.length) client.setQueryData(["job", job.job, "warnings"], job.warnings);
      navigate(`/app/jobs/${job.job}`);
    },
  });
  const fault = checked.check?.errors[0];
  const bad = make.error instanceof Problem ? make.error.field?.replace(/^config\./, "") : undefined;
  const known = new Set(["dataset", "name", "version", ...(model?.config_schema.map((f) => f.name) ?? [])]);
  const errorOf = (field: string) => (bad === field ? make.error?.message : fault?.field.replace(/^config\./, "") === field ? fault.message : undefined);
  const submit = (e: FormEvent) => {
    e.preventDefault();
    make.mutate();
  };
  return (
    <form onSubmit={submit} className="space-y-5">
      <Card title={t("train.data")}>
        <div className="grid gap-5 lg:grid-cols-2">
          <div className="grid gap-4 sm:grid-cols-[2fr_1fr] lg:grid-cols-1">
            <Field label={t("dataset")} error={errorOf("dataset")}>
              <select className="field" value={datasetId} onChange={(e) => {
                setDataset(e.target.value);
                setVersion("");
              }}>
                {datasets.map((d) => <option key={d.id} value={d.id}>{d.name}{d.task ? ` · ${of("task", d.task)}` : ""}</option>)}
              </select>
            </Field>
            <Field label={t("version")} error={errorOf("version")}>
              <select className="field" value={version ? String(version.number) : ""} onChange={(e) => setVersion(e.target.value)}>
                {versions.data?.map((v) => <option key={v.version} value={v.number}>{v.number} · {t("pictures", { n: v.images })}</option>)}
              </select>
            </Field>
          </div>
          <div>
            {version ? <SplitBar version={version} /> : versions.isError && <ErrorNote error={versions.error} />}
          </div>
        </div>
      </Card>
      <Card title={t("model")}>
        {usable.length ? (
          <div role="radiogroup" aria-label={t("model")} className="grid gap-3 sm:grid-cols-2">
            {usable.map((m) => <ModelCard key={keyOf(m)} model={m} checked={m === model} onPick={() => setPicked(keyOf(m))}
              measured={(m === model ? checked.check?.estimate?.measured : undefined) ?? m.measured ?? null} />)}
          </div>
        ) : (
          <Empty title={dataset?.task ? t("train.noModel", { task: of("task", dataset.task) }) : t("train.noModels")} />
        )}
        {models.trainers.filter((one) => one.state === "down").map((one) => (
          <div key={one.framework} className="mt-3"><ErrorNote error={new Error(`${one.framework}: ${one.error ?? ""}`)} /></div>
        ))}
      </Card>
      {model && (
        <Card title={t("settings")} aside={Object.keys(settings).length > 0 && <Button look="quiet" onClick={() => setSettings({})}>{t("train.reset")}</Button>}>
          {presets.length > 0 && <Presets presets={presets} task={model.task} settings={settings} onChange={setSettings} />}
          <SettingsForm schema={model.config_schema} settings={settings} onChange={setSettings} errorOf={errorOf} weightsFrom={weightsFrom} />
        </Card>
      )}
      {model && version && <CheckCard of={checked} />}
      <Card>
        <div className="flex flex-wrap items-end gap-4">
          <div className="min-w-52 flex-1">
            <Field label={t("train.name")} error={errorOf("name")}>
              <Input value={name} maxLength={200} placeholder={model && dataset ? `${model.name} on ${dataset.name}` : ""} onChange={(e) => setName(e.target.value)} />
            </Field>
          </div>
          <Button type="submit" look="primary" className="mb-1" busy={make.isPending} disabled={!model || !version}>{t("train.start")}</Button>
        </div>
        {make.isError && <div className="mt-4"><ErrorNote error={make.error} /></div>}
        {make.isError && bad && known.has(bad) && <p className="sr-only">{bad}</p>}
      </Card>
    </form>
  );
}

export default function TrainPage() {
  const { t } = useTexts();
  const query = useQueryParams();
  const fromId = query.get("from") ?? "";
  const may = useMay("engineer");
  useTitle(t("train"));
  const datasets = useQuery({ queryKey: ["datasets", "all"], queryFn: () => api.get<Datasets>("/datasets?limit=500") });
  const models = useQuery({ queryKey: ["models"], queryFn: () => api.get<Models>("/models/list") });
  const presets = useQuery({ queryKey: ["presets"], queryFn: () => api.get<{ presets: Preset[] }>("/training/presets"), staleTime: Infinity });
  const from = useQuery({ queryKey: ["job", fromId], queryFn: () => api.get<Job>(`/training/jobs/${fromId}`), enabled: Boolean(fromId) });
  const ready = useMemo(() => datasets.data?.datasets.filter((d) => d.versions > 0), [datasets.data]);
  return (
    <>
      <PageHead title={t("train.title")} />
      {!may ? <Empty title={t("mayNot")} /> : (
        <Show of={datasets}>
          {() => !ready?.length
            ? <Empty title={t("train.noData")}><ButtonLink look="primary" href="/app/datasets">{t("upload.title")}</ButtonLink></Empty>
            : <Show of={models} lines={6}>{(m) => (fromId && from.isPending ? null : <Form datasets={ready} models={m} presets={presets.data?.presets ?? []} from={from.data} />)}</Show>}
        </Show>
      )}
    </>
  );
}
