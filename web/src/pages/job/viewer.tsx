// The pictures behind a number, the hardest first as the server ranks them: a grid, and one picture large with truth
// and prediction, of segments with outlines and masks.
import { useEffect, useMemo, useState } from "react";

import { type Mark, maskOf } from "../../engine/answer";
import { useTexts } from "../../i18n";
import { Slider } from "../../parts/controls";
import { Marks } from "../../parts/marks";
import { Paged } from "../../parts/more";
import { Overlay, Thumb } from "../../parts/picture";
import { Button, Dialog, Empty, Select } from "../../parts/ui";
import type { Found, Job, Result, Validation } from "../../types";
import { shapesOf } from "./objects";
import { mistakes, type ResultFilter, usePictureOf, useResults } from "./queries";

export const hasBoxes = (v: Validation) => v.task === "detection" || v.task === "segmentation";
/** There is something to draw over the picture. */
const isDrawn = (v: Validation) => v.task !== "classification";
const MASK_SIDE = 512; // pixels that are drawn of a mask

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

/** Outlines as the dataset has them, by the model's numbers of the classes. */
function Outlines({ job, of: one, validation: v, dashed, names }: { job: Job; of: Result; validation: Validation; dashed: boolean; names: boolean }) {
  const named = usePictureOf(job, v.split, one.name, v.task !== "detection");
  const polygons = (named.data?.picture.shapes.polygons ?? []).map(([cls = 0, ...xy]) => [v.classes.indexOf(named.data?.classes[cls] ?? ""), ...xy]);
  const shapes = polygons.length ? { polygons: polygons.filter(([cls = -1]) => cls >= 0) } : shapesOf(one.truths ?? []);
  return <Overlay shapes={shapes} width={one.width ?? 1} height={one.height ?? 1} classes={v.classes} dashed={dashed} names={names} />;
}

/** What the model said, at the threshold: boxes with their masks, or the areas of its classes. */
function useMarks(one: Result, v: Validation, threshold: number): Mark[] {
  return useMemo(() => {
    const mark = (p: Pick<Found, "class_id" | "mask">): Mark => ({ class: v.classes[p.class_id] ?? "", class_id: p.class_id, ...(p.mask && { mask: maskOf(p.mask, MASK_SIDE) }) });
    return v.task === "semantic" ? (one.areas ?? []).map(mark) : (one.predictions ?? []).filter((p) => p.confidence >= threshold).map((p) => ({ ...mark(p), box: p.box }));
  }, [one, v, threshold]);
}

function FoundMarks({ of: one, validation: v, threshold }: { of: Result; validation: Validation; threshold: number }) {
  return <Marks marks={useMarks(one, v, threshold)} width={one.width ?? 1} height={one.height ?? 1} />;
}

function Pane({ title, job, of: one, validation: v, truth, found, threshold }: {
  title?: string; job: Job; of: Result; validation: Validation; truth: boolean; found: boolean; threshold: number;
}) {
  const width = one.width ?? 1, height = one.height ?? 1;
  return (
    <figure className="min-w-0">
      {title && <figcaption className="mb-1 text-xs text-muted">{title}</figcaption>}
      <span className="relative mx-auto block max-h-[60dvh] overflow-hidden rounded bg-raised" style={{ aspectRatio: isDrawn(v) ? `${width} / ${height}` : "1" }}>
        <img src={blob(job, one)} alt={one.name} className="absolute inset-0 h-full w-full object-contain" />
        {isDrawn(v) && found && <FoundMarks of={one} validation={v} threshold={threshold} />}
        {isDrawn(v) && truth && <Outlines job={job} of={one} validation={v} dashed={found} names={!found} />}
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

function Large({ job, validation: v, all, total, at, onAt, onBack, threshold }: {
  job: Job; validation: Validation; all: Result[]; total: number; at: number; onAt: (to: number) => void; onBack: () => void; threshold: number;
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
        <span className="numbers text-sm text-muted" aria-live="polite">{t("inspect.viewer", { n: at + 1, all: total })}</span>
        <span className="hidden text-xs text-muted sm:inline">{t("inspect.keys")}</span>
        {isDrawn(v) && (
          <span className="ml-auto flex gap-1">
            <Button look={side ? "primary" : "plain"} aria-pressed={side} onClick={() => setSide(true)}>{t("inspect.side")}</Button>
            <Button look={side ? "plain" : "primary"} aria-pressed={!side} onClick={() => setSide(false)}>{t("inspect.over")}</Button>
          </span>
        )}
      </div>
      <p className="flex flex-wrap gap-x-3 text-sm"><span className="min-w-0 truncate" title={one.name}>{one.name}</span><Verdict of={one} validation={v} threshold={threshold} /></p>
      {isDrawn(v) ? (side ? (
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

/** Which of them: a class, a kind of mistake, an order.  A cell of the matrix stays what it is. */
function Choice({ of: v, filter, onFilter, order, onOrder }: {
  of: Validation; filter: ResultFilter; onFilter: (to: ResultFilter) => void; order: Order; onOrder: (to: Order) => void;
}) {
  const { t, of } = useTexts();
  const cell = filter.label !== undefined || filter.predicted !== undefined;
  const { class: cls, mistake, ...rest } = filter;
  return (
    <>
      {!cell && (
        <>
          <Select label={t("class")} value={cls === undefined ? "" : String(cls)}
            onChange={(to) => onFilter({ ...rest, ...(mistake && { mistake }), ...(to && { class: Number(to) }) })}
            options={[["", t("inspect.any")], ...v.classes.map((name, i): [string, string] => [String(i), name])]} />
          <Select label={t("inspect.mistake")} value={mistake ?? ""}
            onChange={(to) => onFilter({ ...rest, ...(cls !== undefined && { class: cls }), ...(to && { mistake: to as (typeof mistakes)[number] }) })}
            options={[["", t("inspect.any")], ...mistakes.map((one): [string, string] => [one, of("mistake", one)])]} />
        </>
      )}
      <Select label={t("inspect.sort")} value={order} onChange={(to) => onOrder(to as Order)} options={[["hardest", t("inspect.hardest")], ["index", t("inspect.asIs")]]} />
    </>
  );
}

type Order = "hardest" | "index";

export function Viewer({ job, of: v, filter: begun, title, threshold: begin, onClose }: {
  job: Job; of: Validation; filter: ResultFilter; title: string; threshold: number; onClose: () => void;
}) {
  const { t, number } = useTexts();
  const [order, setOrder] = useState<Order>("hardest");
  const [filter, setFilter] = useState(begun);
  const [threshold, setThreshold] = useState(begin); // of what is drawn; of what is asked for, once it is let go
  const [asked, setAsked] = useState(begin);
  const [at, setAt] = useState<number>();
  const list = useResults(job.job, v.epoch, order, hasBoxes(v) ? { ...filter, threshold: asked } : filter);
  const loaded = list.data?.pages.reduce((n, page) => n + page.images.length, 0) ?? 0;
  const total = list.data?.pages[0]?.total ?? (list.hasNextPage ? v.images : loaded);
  const { fetchNextPage } = list;
  useEffect(() => {
    if (at !== undefined && at + 3 > loaded && list.hasNextPage && !list.isFetching && !list.isError) void fetchNextPage();
  }, [at, loaded, list.hasNextPage, list.isFetching, list.isError, fetchNextPage]);
  return (
    <Dialog wide title={title} onClose={onClose}>
      <div className="space-y-4">
        <div className="flex flex-wrap items-end gap-x-5 gap-y-2">
          {at === undefined && <Choice of={v} filter={filter} onFilter={setFilter} order={order} onOrder={setOrder} />}
          {hasBoxes(v) && <Slider label={t("validation.threshold")} value={threshold} min={0.01} onChange={setThreshold} onCommit={(to) => at === undefined && setAsked(to)} format={(one) => number(one, 2)} />}
          {at === undefined && list.data && <p className="numbers pb-2 text-sm text-muted" role="status">{t("inspect.total", { n: total })}</p>}
        </div>
        {hasBoxes(v) && <p className="text-xs text-muted">{t("validation.marks", { confidence: number(threshold, 2) })}</p>}
        <Paged of={list} items={(page) => page.images} empty={<Empty title={t("picture.none")} />}>
          {(all) => at === undefined ? <Grid job={job} validation={v} all={all} onOpen={setAt} threshold={threshold} />
            : <Large job={job} validation={v} all={all} total={total} at={at} onAt={setAt} onBack={() => {
              setAt(undefined);
              setAsked(threshold);
            }} threshold={threshold} />}
        </Paged>
      </div>
    </Dialog>
  );
}
