// Try a model: a registered one, or the best checkpoint of a training; on the server or in this tab.
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";

import { api } from "../../api";
import { useTexts } from "../../i18n";
import { keep, kept } from "../../kept";
import { ButtonLink, Empty, Field, PageHead, Show } from "../../parts/ui";
import { setQuery, useQueryParams, useTitle } from "../../router";
import type { Job, Jobs, Task } from "../../types";
import { type RegistryModel, useModels, useVersions, type Version } from "../models/queries";
import { Bench } from "./bench";
import { type Source, usePlace, type Where, WhereBar } from "./where";

const WHERE = "anneal-try-where";
const send = (path: string, init?: RequestInit) => api.send(path, init);
const taskOf = (network: string): Task =>
  network.startsWith("detect-") ? "detection" : network.startsWith("segment-") ? "segmentation" : network.startsWith("semseg-") ? "semantic" : "classification";

function Ready({ source, name }: { source: Source; name: string }) {
  const [want, setWant] = useState<Where>(kept(WHERE) === "tab" ? "tab" : "server");
  const place = usePlace(source, want, send);
  return (
    <div className="space-y-5">
      <WhereBar place={place} source={source} onChange={(to) => {
        keep(WHERE, to);
        setWant(to);
      }} />
      {!place.error && <Bench runner={place.runner} where={place.where} task={source.task} name={name} />}
    </div>
  );
}

function OfVersion({ model, versions, want }: { model: RegistryModel; versions: Version[]; want: string }) {
  const { t } = useTexts();
  const open = versions.filter((v) => v.state !== "archived" || String(v.version) === want);
  const alias = model.aliases.find((a) => a.alias === want) ?? (want ? undefined : model.aliases[0]);
  const chosen = open.find((v) => String(v.version) === want) ?? open.find((v) => v.version === alias?.version) ?? open[0];
  if (!chosen) return <Empty title={t("bench.choose")} />;
  const path = `/registry/models/${encodeURIComponent(model.id)}/versions/${chosen.version}`;
  const source: Source = {
    task: model.task as Task, predict: `/models/${encodeURIComponent(model.id)}/predict?version=${chosen.version}`, weights: `${path}/weights`,
    bytes: chosen.weights_bytes,
  };
  return (
    <>
      <div>
        <Field label={t("bench.version")}>
          <select className="field" value={chosen.version} onChange={(e) => setQuery({ version: e.target.value })}>
            {open.map((v) => (
              <option key={v.version} value={v.version}>
                {v.aliases.length ? t("bench.live", { alias: v.aliases.join(", "), version: String(v.version) }) : t("bench.ofVersion", { version: String(v.version) })}
              </option>
            ))}
          </select>
        </Field>
      </div>
      <div className="sm:col-span-2"><Ready key={`${model.id} ${chosen.version}`} source={source} name={`${model.name}-${chosen.version}`} /></div>
    </>
  );
}

function OfModel({ model, want }: { model: RegistryModel; want: string }) {
  const versions = useVersions(model.id);
  return <Show of={versions}>{(all) => <OfVersion model={model} versions={all} want={want} />}</Show>;
}

function OfJob({ job }: { job: Job }) {
  const path = `/training/jobs/${job.job}`;
  const best = useQuery({ queryKey: ["job", job.job, "best"], queryFn: () => api.get<{ weights_bytes: number }>(`${path}/checkpoints/best`) });
  return (
    <Show of={best}>
      {({ weights_bytes }) => (
        <div className="sm:col-span-2">
          <Ready key={job.job} name={job.name} source={{ task: taskOf(job.model), predict: `${path}/predict?checkpoint=best`, weights: `${path}/weights`, bytes: weights_bytes }} />
        </div>
      )}
    </Show>
  );
}

function Choice({ models, jobs }: { models: RegistryModel[]; jobs: Job[] }) {
  const { t } = useTexts();
  const query = useQueryParams();
  const first = models[0] ? `m:${models[0].name}` : jobs[0] ? `j:${jobs[0].job}` : "";
  const value = query.get("job") ? `j:${query.get("job")}` : query.get("model") ? `m:${query.get("model")}` : first;
  const model = models.find((m) => value === `m:${m.name}` || value === `m:${m.id}`), job = jobs.find((j) => value === `j:${j.job}`);
  if (!first)
    return <Empty title={t("bench.noModels")}><ButtonLink look="primary" href="/app/train">{t("bench.train")}</ButtonLink></Empty>;
  const choose = (to: string) => setQuery({ model: to.startsWith("m:") ? to.slice(2) : "", job: to.startsWith("j:") ? to.slice(2) : "", version: "" });
  return (
    <div className="grid gap-x-5 gap-y-4 sm:grid-cols-2">
      <div className={model ? "" : "sm:col-span-2 sm:max-w-md"}>
        <Field label={t("bench.model")}>
          <select className="field" value={model ? `m:${model.name}` : job ? value : ""} onChange={(e) => choose(e.target.value)}>
            {!model && !job && <option value="" disabled>{t("bench.choose")}</option>}
            {models.length > 0 && (
              <optgroup label={t("bench.registered")}>{models.map((m) => <option key={m.id} value={`m:${m.name}`}>{m.name}</option>)}</optgroup>
            )}
            {jobs.length > 0 && (
              <optgroup label={t("bench.trainings")}>{jobs.map((j) => <option key={j.job} value={`j:${j.job}`}>{j.name}</option>)}</optgroup>
            )}
          </select>
        </Field>
      </div>
      {model ? <OfModel key={model.id} model={model} want={query.get("version") ?? ""} /> : job && <OfJob key={job.job} job={job} />}
    </div>
  );
}

export default function TryPage() {
  const { t } = useTexts();
  useTitle(t("bench.title"));
  const asked = useQueryParams().get("job") ?? "";
  const models = useModels();
  const jobs = useQuery({ queryKey: ["jobs", "completed", asked], queryFn: async () => {
    const list = (await api.get<Jobs>("/training/jobs?status=completed&limit=100")).jobs.filter((j) => j.kind === "train");
    return asked && !list.some((j) => j.job === asked) ? [await api.get<Job>(`/training/jobs/${encodeURIComponent(asked)}`), ...list] : list;
  } });
  return (
    <>
      <PageHead title={t("bench.title")} />
      <Show of={models}>{(all) => <Show of={jobs}>{(some) => <Choice models={all} jobs={some} />}</Show>}</Show>
    </>
  );
}
