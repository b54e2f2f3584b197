// The pictures behind a number, the hardest first: a grid, and one picture large with truth and prediction.
import { useQuery } from "@tanstack/react-query";
import { useEffect, useState } from "react";

import { useTexts } from "../../i18n";
import { Slider } from "../../parts/controls";
import { Overlay, Thumb } from "../../parts/picture";
import { Button, Dialog, Empty, Select, Show } from "../../parts/ui";
import type { Job, Result, Validation } from "../../types";
import { shapesOf } from "./objects";
import { getResults, type ResultFilter, resultsPath } from "./queries";

export const hasBoxes = (v: Validation) => v.task === "detection" || v.task === "segmentation";

/** The larger, the harder: a wrong class said with confidence, objects missed or made up, a low overlap. */
export function hardness(v: Validation, one: Result): number {
  if (hasBoxes(v)) return (one.missed ?? 0) + (one.false ?? 0) + Math.max(0, ...(one.predictions ?? []).filter((p) => p.truth === null).map((p) => p.confidence * 0.9));
  if (v.task === "semantic") return 1 - (one.miou ?? 0);
  return one.label === one.predicted ? -one.confidence : 1 + one.confidence;
}

const blob = (job: Job, one: Result) => `/datasets/${job.dataset}/blobs/${one.sha256}`;

interface Counted { found: number; missed: number; wrong: number }
export function countsOf(one: Result, threshold: number): Counted {
  const found = (one.predictions ?? []).filter((p) => p.confidence >= threshold), hits = found.filter((p) => p.truth !== null).length;
  return { found: hits, missed: (one.truths?.length ?? 0) - hits, wrong: found.length - hits };
}

function Verdict({ of: one, validation: v, threshold }: { of: Result; validation: Validation; threshold: number }) {
  const { t, percent } = useTexts();
  if (hasBoxes(v)) {
    const c = countsOf(one, threshold);
    return <span className={`numbers ${c.missed || c.wrong ? "text-destructive" : "text-success"}`}>{t("validation.counts", { found: c.found, missed: c.missed, wrong: c.wrong })}</span>;
  }
  if (v.task === "semantic") return <span className="numbers">mIoU {percent(one.miou ?? 0)}</span>;
  return (
    <span className={`numbers ${one.label === one.predicted ? "text-success" : "text-destructive"}`}>
      {v.classes[one.predicted]} {percent(one.confidence, 0)}
    </span>
  );
}

function Pane({ title, job, of: one, validation: v, truth, found, threshold }: {
  title?: string; job: Job; of: Result; validation: Validation; truth: boolean; found: boolean; threshold: number;
}) {
  const width = one.width ?? 1, height = one.height ?? 1;
  const marks = (one.predictions ?? []).filter((p) => p.confidence >= threshold);
  return (
    <figure className="min-w-0">
      {title && <figcaption className="mb-1 text-xs text-muted">{title}</figcaption>}
      <span className="relative mx-auto block max-h-[60dvh] overflow-hidden rounded bg-raised" style={{ aspectRatio: hasBoxes(v) ? `${width} / ${height}` : "1" }}>
        <img src={blob(job, one)} alt={one.name} className="absolute inset-0 h-full w-full object-contain" />
        {hasBoxes(v) && truth && <Overlay shapes={shapesOf(one.truths ?? [])} width={width} height={height} classes={v.classes} dashed={found} names={!found} />}
        {hasBoxes(v) && found && <Overlay shapes={shapesOf(marks)} width={width} height={height} classes={v.classes} names />}
      </span>
    </figure>
  );
}

/** What a classifier thought of it: its likeliest classes. */
function Guesses({ of: one, validation: v }: { of: Result; validation: Validation }) {
  const { t, percent } = useTexts();
  return (
    <div className="space-y-2 text-sm">
      <p>{t("inspect.truth")}: <b className="font-medium">{v.classes[one.label]}</b></p>
      <ol className="space-y-1.5" aria-label={t("inspect.found")}>
        {one.top.map(([cls, share]) => (
          <li key={cls} className="space-y-0.5">
            <span className="flex justify-between gap-3"><span className={`truncate ${cls === one.label ? "font-medium" : ""}`}>{v.classes[cls]}</span><span className="numbers">{percent(share)}</span></span>
            <span className="block h-1.5 overflow-hidden rounded-sm bg-raised" aria-hidden="true">
              <span className={`block h-full ${cls === one.label ? "bg-success" : "bg-primary"}`} style={{ width: `${share * 100}%` }} />
            </span>
          </li>
        ))}
      </ol>
    </div>
  );
}

function Large({ job, validation: v, all, at, onAt, onBack, threshold }: {
  job: Job; validation: Validation; all: Result[]; at: number; onAt: (to: number) => void; onBack: () => void; threshold: number;
}) {
  const { t } = useTexts();
  const [side, setSide] = useState(true);
  const one = all[at];
  useEffect(() => {
    const key = (e: KeyboardEvent) => {
      if (e.target instanceof HTMLElement && e.target.matches("[role=slider], input, select")) return;
      const step = e.key === "ArrowRight" || e.key === "j" ? 1 : e.key === "ArrowLeft" || e.key === "k" ? -1 : 0;
      if (step && all[at + step]) onAt(at + step);
    };
    window.addEventListener("keydown", key);
    return () => window.removeEventListener("keydown", key);
  }, [all, at, onAt]);
  if (!one) return null;
  const pane = { job, of: one, validation: v, threshold };
  return (
    <div className="space-y-4">
      <div className="flex flex-wrap items-center gap-2">
        <Button onClick={onBack}>{t("back")}</Button>
        <Button disabled={at === 0} aria-label={t("inspect.previous")} onClick={() => onAt(at - 1)}>←</Button>
        <Button disabled={at + 1 >= all.length} aria-label={t("inspect.next")} onClick={() => onAt(at + 1)}>→</Button>
        <span className="numbers text-sm text-muted" aria-live="polite">{t("inspect.viewer", { n: at + 1, all: all.length })}</span>
        <span className="hidden text-xs text-muted sm:inline">{t("inspect.keys")}</span>
        {hasBoxes(v) && (
          <span className="ml-auto flex gap-1">
            <Button look={side ? "primary" : "plain"} aria-pressed={side} onClick={() => setSide(true)}>{t("inspect.side")}</Button>
            <Button look={side ? "plain" : "primary"} aria-pressed={!side} onClick={() => setSide(false)}>{t("inspect.over")}</Button>
          </span>
        )}
      </div>
      <p className="flex flex-wrap gap-x-3 text-sm"><span className="min-w-0 truncate" title={one.name}>{one.name}</span><Verdict of={one} validation={v} threshold={threshold} /></p>
      {hasBoxes(v) ? (side ? (
        <div className="grid gap-4 sm:grid-cols-2">
          <Pane {...pane} title={t("inspect.truth")} truth found={false} />
          <Pane {...pane} title={t("inspect.found")} truth={false} found />
        </div>
      ) : <Pane {...pane} truth found />) : (
        <div className="grid items-start gap-5 sm:grid-cols-[3fr_2fr]">
          <Pane {...pane} truth found />
          {one.top && <Guesses of={one} validation={v} />}
        </div>
      )}
    </div>
  );
}

function Grid({ job, validation: v, all, onOpen, threshold }: { job: Job; validation: Validation; all: Result[]; onOpen: (at: number) => void; threshold: number }) {
  const { t } = useTexts();
  return (
    <ul className={`grid gap-3 ${hasBoxes(v) ? "grid-cols-2 lg:grid-cols-3" : "grid-cols-2 sm:grid-cols-4 lg:grid-cols-6"}`}>
      {all.map((one, i) => (
        <li key={one.index} className="min-w-0 text-xs" style={{ contentVisibility: "auto", containIntrinsicSize: "auto 12rem" }}>
          <button type="button" className="block w-full text-left" aria-label={t("inspect.open", { name: one.name })} onClick={() => onOpen(i)}>
            <Thumb src={`${blob(job, one)}?thumb=1`} alt="">
              {hasBoxes(v) && <Overlay shapes={shapesOf(one.truths ?? [])} width={one.width ?? 1} height={one.height ?? 1} classes={v.classes} dashed />}
              {hasBoxes(v) && <Overlay shapes={shapesOf((one.predictions ?? []).filter((p) => p.confidence >= threshold))} width={one.width ?? 1} height={one.height ?? 1} classes={v.classes} names />}
            </Thumb>
          </button>
          <p className="mt-1 truncate" title={one.name}>{hasBoxes(v) || v.task === "semantic" ? one.name : v.classes[one.label]}</p>
          <p className="truncate"><Verdict of={one} validation={v} threshold={threshold} /></p>
        </li>
      ))}
    </ul>
  );
}

export function Viewer({ job, of: v, filter, title, threshold: begin, onClose }: {
  job: Job; of: Validation; filter: ResultFilter; title: string; threshold: number; onClose: () => void;
}) {
  const { t, number } = useTexts();
  const [hardest, setHardest] = useState(true);
  const [threshold, setThreshold] = useState(begin);
  const [at, setAt] = useState<number>();
  const list = useQuery({
    queryKey: ["job", job.job, "results", v.epoch, filter], queryFn: async () => (await getResults(resultsPath(job.job, v.epoch, filter, 0))).images, staleTime: Infinity,
  });
  return (
    <Dialog wide title={title} onClose={onClose}>
      <Show of={list} lines={5}>
        {(images) => {
          const all = hardest ? [...images].sort((a, b) => hardness(v, b) - hardness(v, a) || a.index - b.index) : images;
          if (!all.length) return <Empty title={t("picture.none")} />;
          return (
            <div className="space-y-4">
              <div className="flex flex-wrap items-end gap-x-5 gap-y-2">
                {at === undefined && <Select label={t("inspect.sort")} value={hardest ? "hardest" : "asIs"} onChange={(to) => setHardest(to === "hardest")}
                  options={[["hardest", t("inspect.hardest")], ["asIs", t("inspect.asIs")]]} />}
                {hasBoxes(v) && <Slider label={t("validation.threshold")} value={threshold} min={0.01} onChange={setThreshold} format={(one) => number(one, 2)} />}
                {hasBoxes(v) && <p className="text-xs text-muted">{t("validation.marks", { confidence: number(threshold, 2) })}</p>}
              </div>
              {at === undefined ? <Grid job={job} validation={v} all={all} onOpen={setAt} threshold={threshold} />
                : <Large job={job} validation={v} all={all} at={at} onAt={setAt} onBack={() => setAt(undefined)} threshold={threshold} />}
            </div>
          );
        }}
      </Show>
    </Dialog>
  );
}
