// The first run, on one screen: pictures, a training, the model on a picture or the camera.  What is under way stands
// in the address, so the page can be left and loaded anew.
import { useQueryClient } from "@tanstack/react-query";
import { type ReactNode, useEffect, useRef } from "react";

import { useTexts } from "../../i18n";
import { Button, ButtonLink, ErrorNote, Icon, icons, Loading, Progress, Show } from "../../parts/ui";
import { UploadPlace, Uploads } from "../../parts/upload";
import { setQuery, useQueryParams } from "../../router";
import { type Dataset, hasEnded, type Job, scoreName, type Task, type Version } from "../../types";
import { useUploads } from "../../uploads";
import { useDataset, useVersion } from "../datasets/queries";
import { useJob, useLive } from "../job/queries";
import { Course } from "./course";
import { quickConfig, type SampleKind, usePictures, useQuickTraining, useSample } from "./queries";
import { TryModel } from "./try";

const SHOWN = 12; // pictures of the dataset

function Step({ n, title, now, done, children }: { n: number; title: string; now: boolean; done: boolean; children?: ReactNode }) {
  const { t } = useTexts();
  const ring = done ? "border-success text-success" : now ? "border-primary text-primary" : "border-border text-muted";
  return (
    <li aria-current={now ? "step" : undefined} className={`rounded-lg border p-4 sm:p-5 ${now ? "border-primary/60 bg-surface" : "border-border bg-surface"}`}>
      <h2 className={`flex items-center gap-3 text-base font-semibold ${now || done ? "" : "text-muted"}`}>
        <span aria-hidden="true" className={`numbers grid h-7 w-7 shrink-0 place-items-center rounded-full border text-sm ${ring}`}>
          {done ? <Icon d={icons.check} size={16} /> : n}
        </span>
        {title}{done && <span className="sr-only"> ({t("home.done")})</span>}
      </h2>
      {children && <div className="mt-4 sm:pl-10">{children}</div>}
    </li>
  );
}

/** A handful of the pictures that it will learn from. */
function Glance({ dataset, version }: { dataset: string; version: string }) {
  const { t } = useTexts();
  const some = usePictures(dataset, version, SHOWN);
  if (!some.data) return some.isError ? <ErrorNote error={some.error} retry={() => void some.refetch()} /> : <Loading lines={1} />;
  return (
    <ul aria-label={t("picturesWord")} className="grid grid-cols-6 gap-2 sm:grid-cols-12">
      {some.data.map((one) => (
        <li key={one.index}><img src={one.thumb_url} alt={one.label ?? one.name} className="aspect-square w-full rounded bg-raised object-cover" /></li>
      ))}
    </ul>
  );
}

function Choose({ onChosen }: { onChosen: (dataset: string) => void }) {
  const { t } = useTexts();
  const sample = useSample();
  const done = useUploads().filter((one) => one.phase === "done");
  const before = useRef(done.map((one) => one.id)); // what was imported earlier is not chosen again
  const ready = done.find((one) => !before.current.includes(one.id))?.state?.dataset;
  useEffect(() => {
    if (ready) onChosen(ready);
  }, [ready, onChosen]);
  const kinds: [SampleKind, string, string][] = [["glyphs", t("first.glyphs"), t("first.glyphsText")], ["shapes", t("first.shapes"), t("first.shapesText")]];
  return (
    <div className="space-y-4">
      <div className="grid gap-3 sm:grid-cols-2">
        {kinds.map(([kind, title, text]) => (
          <button key={kind} type="button" disabled={sample.isPending} aria-busy={sample.isPending && sample.variables === kind}
            onClick={() => sample.mutate(kind, { onSuccess: (made) => onChosen(made.dataset) })}
            className="flex items-center gap-4 rounded border border-border p-4 text-left hover:border-primary hover:bg-raised disabled:opacity-60">
            <Example kind={kind} />
            <span className="min-w-0">
              <span className="block font-medium">{title}</span>
              <span className="block text-sm text-muted">{sample.isPending && sample.variables === kind ? t("first.drawing") : text}</span>
            </span>
          </button>
        ))}
      </div>
      {sample.isError && <ErrorNote error={sample.error} />}
      <UploadPlace title={t("first.drop")} />
      <Uploads />
    </div>
  );
}

/** What a sample looks like, before there is one. */
function Example({ kind }: { kind: SampleKind }) {
  return (
    <svg viewBox="0 0 48 48" width={48} height={48} aria-hidden="true" className="shrink-0 rounded bg-raised text-primary">
      {kind === "glyphs"
        ? <g fill="currentColor" fontSize="20" fontWeight="700"><text x="6" y="23" transform="rotate(-9 12 18)">A</text><text x="25" y="41" transform="rotate(8 31 34)">7</text></g>
        : <g fill="none" stroke="currentColor" strokeWidth="2"><circle cx="16" cy="17" r="8" /><path d="M25 41l8-15 8 15z" /><path strokeDasharray="3 2" d="M5 6h22v22H5z" /></g>}
    </svg>
  );
}

function Start({ dataset, version, onStarted }: { dataset: Dataset; version: Version; onStarted: (job: string) => void }) {
  const { t } = useTexts();
  const start = useQuickTraining();
  const config = quickConfig(dataset.task ?? "", version);
  if (!config) return <p className="text-sm">{t("first.noNetwork")} <ButtonLink href={`/app/datasets/${dataset.id}`}>{t("upload.look")}</ButtonLink></p>;
  return (
    <div className="space-y-3">
      <p className="text-sm text-muted">{t("first.train", { n: version.train, model: String(config["model"]), epochs: Number(config["epochs"]) })}</p>
      <div className="flex flex-wrap gap-2">
        <Button look="primary" busy={start.isPending} onClick={() => start.mutate({ dataset: dataset.id, config }, { onSuccess: (job) => onStarted(job.job) })}>
          {t("train.start")}
        </Button>
        <ButtonLink href={`/app/train?dataset=${dataset.id}`}>{t("first.settings")}</ButtonLink>
      </div>
      {start.isError && <ErrorNote error={start.error} />}
    </div>
  );
}

function Watch({ job, onAgain }: { job: Job; onAgain: () => void }) {
  const { t, of, duration, number } = useTexts();
  const live = useLive(job.job, job);
  const failed = job.status === "failed" || job.status === "cancelled";
  return (
    <div className="space-y-4">
      {!hasEnded(job.status) && <Progress value={job.progress} label={t("progress")} />}
      <p className="numbers flex flex-wrap gap-x-6 gap-y-1 text-sm" aria-live="polite">
        <span>{job.status === "running" ? t("first.epoch", { epoch: job.epoch, epochs: job.epochs }) : of("status", job.status)}</span>
        {job.best && <span>{t("job.best")}: {of("metric", job.best.metric) === job.best.metric ? scoreName(job.best.metric) : of("metric", job.best.metric)} <b>{number(job.best.value, 3)}</b></span>}
        {live.left !== undefined && !hasEnded(job.status) && <span>{t("job.left")}: {duration(live.left)}</span>}
      </p>
      {job.waiting_reason && !hasEnded(job.status) && <p className="text-sm text-muted">{job.waiting_reason}</p>}
      {job.error && <ErrorNote error={new Error(job.error.text)} />}
      {live.state === "waiting" && !hasEnded(job.status) && <p role="status" className="text-sm text-warning">{t("live.waiting")}</p>}
      <Course job={job.job} />
      <div className="flex flex-wrap gap-2">
        {failed && <Button look="primary" onClick={onAgain}>{t("retry")}</Button>}
        <ButtonLink href={`/app/jobs/${job.job}`}>{t("first.details")}</ButtonLink>
      </div>
    </div>
  );
}

function Train({ dataset, version, job, onJob }: { dataset: string; version: string; job: string; onJob: (job: string) => void }) {
  const data = useDataset(dataset), full = useVersion(dataset, version), now = useJob(job);
  if (job) return <Show of={now} lines={2}>{(one) => <Watch job={one} onAgain={() => onJob("")} />}</Show>;
  return <Show of={data} lines={2}>{(d) => <Show of={full} lines={2}>{(v) => <Start dataset={d} version={v} onStarted={onJob} />}</Show>}</Show>;
}

export function FirstRun() {
  const { t } = useTexts();
  const query = useQueryParams();
  const dataset = query.get("dataset") ?? "", jobId = query.get("job") ?? "";
  const data = useDataset(dataset), job = useJob(jobId);
  const version = data.data?.version ?? undefined;
  const learned = Boolean(jobId && job.data?.best);
  const ended = job.data?.status === "completed";
  const client = useQueryClient();
  useEffect(() => {
    if (ended) void client.invalidateQueries({ queryKey: ["jobs"] }); // now there is a model to be listed
  }, [client, ended]);
  const choose = (to: string) => setQuery({ start: "1", dataset: to, job: "" });
  return (
    <ol className="space-y-4">
      <Step n={1} title={t("first.pictures")} now={!dataset} done={Boolean(dataset && version)}>
        {!dataset ? <Choose onChosen={choose} /> : (
          <div className="space-y-3">
            <Show of={data} lines={1}>{(d) => (
              <div className="flex flex-wrap items-center justify-between gap-3">
                <p className="min-w-0 truncate text-sm">{d.name}</p>
                {!jobId && <Button look="quiet" onClick={() => choose("")}>{t("first.other")}</Button>}
              </div>
            )}</Show>
            {version && <Glance dataset={dataset} version={version} />}
          </div>
        )}
      </Step>
      <Step n={2} title={t("first.training")} now={Boolean(dataset && !ended)} done={ended}>
        {dataset && version && <Train dataset={dataset} version={version} job={jobId} onJob={(to) => setQuery({ job: to })} />}
      </Step>
      <Step n={3} title={t("first.try")} now={ended} done={false}>
        {learned && job.data && <TryModel job={job.data} task={(data.data?.task ?? "classification") as Task} dataset={dataset} version={version} />}
      </Step>
    </ol>
  );
}
