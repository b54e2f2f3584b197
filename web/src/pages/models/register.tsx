// A training becomes a model: which checkpoint, under which name, and what is new in it.
import { useQuery } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";

import { api, Problem } from "../../api";
import { useTexts } from "../../i18n";
import { Button, Dialog, Empty, ErrorNote, Field, Input, Show } from "../../parts/ui";
import { navigate } from "../../router";
import type { Checkpoint, Job, Jobs } from "../../types";
import { modelPath, type RegistryModel, useChange, useModels } from "./queries";

const NEW = "";
const nameOf = (text: string) => text.toLowerCase().replace(/[^a-z0-9._-]+/g, "-").replace(/^[-.]+|-+$/g, "").slice(0, 64);

function Form({ jobs, models, job: wanted, model: into, onClose }: { jobs: Job[]; models: RegistryModel[]; job: string; model: string; onClose: () => void }) {
  const { t } = useTexts();
  const [job, setJob] = useState(jobs.some((j) => j.job === wanted) ? wanted : (jobs[0]?.job ?? ""));
  const [checkpoint, setCheckpoint] = useState("best");
  const [target, setTarget] = useState(into);
  const [name, setName] = useState(nameOf(jobs.find((j) => j.job === job)?.dataset_name ?? ""));
  const [description, setDescription] = useState("");
  const [notes, setNotes] = useState("");
  const checkpoints = useQuery({ queryKey: ["job", job, "checkpoints"], enabled: job !== "",
    queryFn: async () => (await api.get<{ checkpoints: Checkpoint[] }>(`/training/jobs/${job}/checkpoints`)).checkpoints });
  const periodic = (checkpoints.data ?? []).filter((c) => c.is_periodic);
  const register = useChange(async () => {
    const origin = { job, checkpoint, notes };
    if (target !== NEW) {
      await api.post(`${modelPath(target)}/versions`, origin);
      return models.find((m) => m.id === target)?.name ?? target;
    }
    return (await api.post<RegistryModel>("/registry/models", { name, description, ...origin })).name;
  }, (made) => {
    onClose();
    navigate(`/app/models/${encodeURIComponent(made)}`);
  });
  const fault = register.error instanceof Problem ? register.error : undefined;
  if (!jobs.length) return <Empty title={t("registry.noJobs")} />;
  return (
    <form className="space-y-4" onSubmit={(e: FormEvent) => {
      e.preventDefault();
      register.mutate(undefined);
    }}>
      <Field label={t("registry.job")} error={fault?.field === "job" ? fault.message : undefined}>
        <select className="field" value={job} onChange={(e) => setJob(e.target.value)}>
          {jobs.map((j) => <option key={j.job} value={j.job}>{j.name}</option>)}
        </select>
      </Field>
      <Field label={t("registry.checkpoint")} error={fault?.field === "checkpoint" ? fault.message : undefined}>
        <select className="field" value={checkpoint} onChange={(e) => setCheckpoint(e.target.value)}>
          <option value="best">{t("registry.best")}</option>
          <option value="last">{t("registry.last")}</option>
          {periodic.map((c) => <option key={c.epoch} value={String(c.epoch)}>{t("registry.epoch")} {c.epoch}</option>)}
        </select>
      </Field>
      {models.length > 0 && (
        <Field label={t("registry.as")}>
          <select className="field" value={target} onChange={(e) => setTarget(e.target.value)}>
            <option value={NEW}>{t("registry.newModel")}</option>
            {models.map((m) => <option key={m.id} value={m.id}>{t("registry.nextOf", { name: m.name, version: String(m.version_last + 1) })}</option>)}
          </select>
        </Field>
      )}
      {target === NEW && (
        <>
          <Field label={t("registry.name")} help={t("registry.nameHelp")} error={fault?.field === "name" ? fault.message : undefined}>
            <Input required maxLength={64} value={name} onChange={(e) => {
              setName(e.target.value);
              register.reset();
            }} />
          </Field>
          <Field label={t("registry.description")}><textarea className="field" rows={2} maxLength={4096} value={description} onChange={(e) => setDescription(e.target.value)} /></Field>
        </>
      )}
      <Field label={t("registry.notes")}><textarea className="field" rows={2} maxLength={4096} value={notes} onChange={(e) => setNotes(e.target.value)} /></Field>
      {register.isError && !["job", "checkpoint", "name"].includes(fault?.field ?? "") && <ErrorNote error={register.error} />}
      <div className="flex justify-end gap-2">
        <Button onClick={onClose}>{t("back")}</Button>
        <Button type="submit" look="primary" busy={register.isPending}>{t("registry.register")}</Button>
      </div>
    </form>
  );
}

/** job: the one that is chosen at first; model: the id of the model that gets a version, "" a new one. */
export function Register({ job = "", model = NEW, onClose }: { job?: string; model?: string; onClose: () => void }) {
  const { t } = useTexts();
  const models = useModels();
  const jobs = useQuery({ queryKey: ["jobs", "registrable", job], queryFn: async () => {
    const list = (await api.get<Jobs>("/training/jobs?status=completed,cancelled,failed,running&limit=200")).jobs.filter((j) => j.kind === "train" && j.best);
    return job && !list.some((j) => j.job === job) ? [await api.get<Job>(`/training/jobs/${encodeURIComponent(job)}`), ...list] : list;
  } });
  return (
    <Dialog title={t("registry.register")} onClose={onClose}>
      <Show of={models}>{(all) => <Show of={jobs}>{(some) => <Form jobs={some} models={all} job={job} model={model} onClose={onClose} />}</Show>}</Show>
    </Dialog>
  );
}
