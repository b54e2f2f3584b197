// What one can do with a job: cancel, go on, do it again, score it.
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";

import { api, Problem } from "../../api";
import { useTexts } from "../../i18n";
import { Menu, type MenuItem } from "../../parts/menu";
import { toast } from "../../parts/toast";
import { Button, ButtonLink, Confirm, Dialog, ErrorNote, Field, IconButton, icons, Input } from "../../parts/ui";
import { navigate } from "../../router";
import { hasEnded, type Job } from "../../types";
import { useVersion } from "../datasets/queries";
import { jobPath, useChangeJob } from "../jobs/queries";

/** A new job made of this one: restart, resume, test. */
function useMake(job: Job) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: ({ how, body }: { how: "restart" | "resume" | "test"; body: object }) => api.post<Job>(`${jobPath(job.job)}/${how}`, body),
    onSuccess: (made) => {
      client.setQueryData(["job", made.job], made);
      void client.invalidateQueries({ queryKey: ["jobs"] });
      navigate(`/app/jobs/${made.job}`);
    },
  });
}

function Resume({ job, onClose }: { job: Job; onClose: () => void }) {
  const { t } = useTexts();
  const make = useMake(job);
  const finished = job.status === "completed";
  const [epochs, setEpochs] = useState(String(finished ? job.epochs * 2 : job.epochs));
  const submit = (e: FormEvent) => {
    e.preventDefault();
    make.mutate({ how: "resume", body: { epochs: Number(epochs) } });
  };
  const field = make.error instanceof Problem && make.error.field === "epochs" ? make.error.message : undefined;
  return (
    <Dialog title={t("resume")} onClose={onClose}>
      <form onSubmit={submit} className="space-y-4">
        <p className="text-sm text-muted">{t("resume.text", { epoch: job.epoch })}</p>
        <Field label={t("resume.epochs")} error={field}>
          <Input type="number" min={1} max={1000} required value={epochs} onChange={(e) => setEpochs(e.target.value)} />
        </Field>
        {make.isError && !field && <ErrorNote error={make.error} />}
        <div className="flex justify-end gap-2">
          <Button onClick={onClose}>{t("back")}</Button>
          <Button type="submit" look="primary" busy={make.isPending}>{t("resume")}</Button>
        </div>
      </form>
    </Dialog>
  );
}

function Test({ job, onClose }: { job: Job; onClose: () => void }) {
  const { t, of } = useTexts();
  const make = useMake(job);
  const version = useVersion(job.dataset, job.dataset_version);
  const names = (["test", "val", "train"] as const).filter((s) => (version.data?.[s] ?? 0) > 0);
  const [split, setSplit] = useState("");
  const chosen = split || names[0] || "";
  return (
    <Dialog title={t("test")} onClose={onClose}>
      <form onSubmit={(e) => {
        e.preventDefault();
        make.mutate({ how: "test", body: { split: chosen } });
      }} className="space-y-4">
        <p className="text-sm text-muted">{t("test.text")}</p>
        <Field label={t("split")}>
          <select className="field" value={chosen} onChange={(e) => setSplit(e.target.value)}>
            {names.map((s) => <option key={s} value={s}>{of("split", s)} ({version.data?.[s]})</option>)}
          </select>
        </Field>
        {(make.isError || version.isError) && <ErrorNote error={make.error ?? version.error} />}
        <div className="flex justify-end gap-2">
          <Button onClick={onClose}>{t("back")}</Button>
          <Button type="submit" look="primary" disabled={!chosen} busy={make.isPending}>{t("test")}</Button>
        </div>
      </form>
    </Dialog>
  );
}

/** Pause, stop and keep, go on with a paused one: the same job, changed. */
function useAsk(job: Job) {
  const { t } = useTexts();
  const client = useQueryClient();
  return useMutation({
    mutationFn: ({ what, now }: { what: "pause" | "stop" | "resume"; now?: boolean }) => api.post<Job>(`${jobPath(job.job)}/${what}`, what === "resume" ? {} : { now: now ?? false }),
    onSuccess: (after) => {
      client.setQueryData(["job", job.job], after);
      void client.invalidateQueries({ queryKey: ["jobs"] });
      if (after.wish === "pause" && !after.paused) toast({ title: t("pause.said") });
    },
  });
}

function Stop({ job, onClose }: { job: Job; onClose: () => void }) {
  const { t } = useTexts();
  const ask = useAsk(job);
  const stop = (now: boolean) => ask.mutate({ what: "stop", now }, { onSuccess: onClose });
  return (
    <Dialog title={t("stop.title", { name: job.name })} onClose={onClose}>
      <p className="text-sm text-muted">{t("stop.text")}</p>
      {ask.isError && <div className="mt-4"><ErrorNote error={ask.error} /></div>}
      <div className="mt-5 flex flex-wrap justify-end gap-2">
        <Button onClick={onClose}>{t("back")}</Button>
        {job.status === "running" && job.best && <Button look="danger" busy={ask.isPending} onClick={() => stop(true)}>{t("stop.now", { epoch: job.epoch + (job.step < job.steps ? 0 : 1) })}</Button>}
        <Button look="primary" busy={ask.isPending} onClick={() => stop(false)}>{job.status === "running" ? t("stop.soon") : t("stop.do")}</Button>
      </div>
    </Dialog>
  );
}

function Cancel({ job, onClose }: { job: Job; onClose: () => void }) {
  const { t } = useTexts();
  const client = useQueryClient();
  const cancel = useMutation({
    mutationFn: () => api.delete<Job>(jobPath(job.job)),
    onSuccess: (now) => {
      client.setQueryData(["job", job.job], now);
      void client.invalidateQueries({ queryKey: ["jobs"] });
      onClose();
    },
  });
  const text = job.status !== "running" ? t("cancel.waiting")
    : job.best ? t("cancel.running", { epoch: job.epoch, best: job.best.epoch }) : t("cancel.early");
  return (
    <Confirm title={t("cancel.title", { name: job.name })} text={text} action={t("cancel.do")} busy={cancel.isPending} error={cancel.error}
      onConfirm={() => cancel.mutate()} onClose={onClose} />
  );
}

export function Actions({ job }: { job: Job }) {
  const { t } = useTexts();
  const client = useQueryClient();
  const [dialog, setDialog] = useState<"cancel" | "resume" | "stop" | "test">();
  const make = useMake(job);
  const change = useChangeJob();
  const start = useMutation({
    mutationFn: () => api.post<Job>(`${jobPath(job.job)}/start`),
    onSuccess: (now) => client.setQueryData(["job", job.job], now),
  });
  const ask = useAsk(job);
  const ended = hasEnded(job.status), train = job.kind === "train", running = job.status === "running";
  const active = running || job.status === "queued";
  const mayPause = active && job.wish === "none";
  const close = () => setDialog(undefined);
  const rarely: MenuItem[] = [];
  if (ended) rarely.push({ text: t("restart"), icon: "redo", disabled: make.isPending, onSelect: () => make.mutate({ how: "restart", body: {} }) });
  if (train) rarely.push({ text: t("job.copy"), icon: "copy", href: `/app/train?from=${job.job}` });
  const error = make.error ?? change.error ?? start.error ?? ask.error;
  return (
    <>
      {job.status === "pending" && <Button look="primary" busy={start.isPending} onClick={() => start.mutate()}>{t("job.start")}</Button>}
      {job.paused && <Button look="primary" busy={ask.isPending} onClick={() => ask.mutate({ what: "resume" })}>{t("pause.resume")}</Button>}
      {running && job.wish !== "none" && <Button busy={ask.isPending} onClick={() => ask.mutate({ what: "resume" })}>{t("pause.back")}</Button>}
      {running && job.wish === "pause" && <Button busy={ask.isPending} onClick={() => ask.mutate({ what: "pause", now: true })}>{t("pause.now")}</Button>}
      {mayPause && <Button busy={ask.isPending} onClick={() => ask.mutate({ what: "pause" })}>{t("pause.do")}</Button>}
      {train && (running || (job.status === "queued" && job.best)) && job.wish !== "finish" && <Button onClick={() => setDialog("stop")}>{t("stop.do")}</Button>}
      {!ended && <Button look="danger" onClick={() => setDialog("cancel")}>{t("cancel.do")}</Button>}
      {ended && train && job.epoch > 0 && <Button onClick={() => setDialog("resume")}>{t("resume")}</Button>}
      {ended && train && job.best && <Button onClick={() => setDialog("test")}>{t("test")}</Button>}
      {ended && train && job.best && <ButtonLink href={`/app/models?register=${job.job}`}>{t("registry.register")}</ButtonLink>}
      {rarely.length > 0 && <Menu label={t("menu.more")} trigger={<IconButton label={t("menu.more")} d={icons.more} look="plain" />} items={rarely} />}
      <Button aria-pressed={job.starred} aria-label={job.starred ? t("unstar") : t("star")} title={job.starred ? t("unstar") : t("star")} className="!min-w-10 !px-2"
        busy={change.isPending} onClick={() => change.mutate({ id: job.job, starred: !job.starred })}>
        <span aria-hidden="true" className={job.starred ? "text-primary" : ""}>{job.starred ? "★" : "☆"}</span>
      </Button>
      {error && <div className="basis-full"><ErrorNote error={error} /></div>}
      {dialog === "cancel" && <Cancel job={job} onClose={close} />}
      {dialog === "stop" && <Stop job={job} onClose={close} />}
      {dialog === "resume" && <Resume job={job} onClose={close} />}
      {dialog === "test" && <Test job={job} onClose={close} />}
    </>
  );
}
