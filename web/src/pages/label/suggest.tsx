// Labels suggested by one's own model: for the picture at hand, or for all that have none.  Nothing that a model
// says becomes a label before a person has accepted it.
import { useQueryClient } from "@tanstack/react-query";
import { useEffect, useRef, useState } from "react";

import { api, withQuery } from "../../api";
import { maskOf } from "../../engine/answer";
import { traced } from "../../engine/trace";
import { useTexts } from "../../i18n";
import { Slider } from "../../parts/controls";
import { Button, ErrorNote, Progress, Select } from "../../parts/ui";
import type { Draft, DraftPicture, Job, Prediction } from "../../types";
import { jobPath, useJobs } from "../jobs/queries";
import type { Box } from "./editor";
import { isOutline, type Outline, outlineOf, round } from "./outline";
import { draftPath, type EditState, getPicture, pictureKey } from "./queries";

const ASKED = 0.05; // boxes are asked for from here on; the threshold hides those below it
const BOXES_MAX = 300;
const MASK_SIDE = 400; // pixels of the grid on which masks are outlined

/** scores: of the boxes, then of the outlines; or of the label. */
export interface Suggestion { label: number; boxes: Box[]; polygons: Outline[]; scores: number[] }

/** The model's words in the draft's numbers; what it calls by a name that the draft has not is left out.  Masks
 * become outlines where outlines are drawn. */
export function suggestionOf(results: Prediction["results"], classes: string[], threshold: number, outlines = false): Suggestion {
  const found = results[0]?.predictions ?? [], size = { width: results[0]?.width ?? 0, height: results[0]?.height ?? 0 };
  const out: Suggestion = { label: -1, boxes: [], polygons: [], scores: [] }, sure: number[] = [];
  for (const one of found) {
    const cls = classes.indexOf(one.class), score = one.confidence ?? 0;
    if (cls < 0) continue;
    if (outlines && one.mask) {
      const corners = traced(maskOf(one.mask as Parameters<typeof maskOf>[0], MASK_SIDE), size);
      const outline = corners && outlineOf(cls, corners.map(({ x, y }) => ({ x: round(x), y: round(y) })));
      if (!outline || !isOutline(outline)) continue;
      out.polygons.push(outline);
      sure.push(one.confidence ?? 1); // areas of a semantic segmentation have a share, and no confidence
    } else if (Array.isArray(one.box)) {
      const [x = 0, y = 0, w = 0, h = 0] = one.box as number[];
      if (w < 1 || h < 1) continue;
      out.boxes.push([cls, x, y, w, h]);
      out.scores.push(score);
    } else if (out.label < 0 && score >= threshold) {
      out.label = cls;
      out.scores = [score];
    }
  }
  if (out.boxes.length || out.polygons.length) out.scores = [...out.scores.slice(0, out.boxes.length), ...sure];
  return out;
}

async function ask(job: string, picture: { url: string; name: string }, draft: Draft, threshold: number, signal?: AbortSignal): Promise<Suggestion> {
  const bytes = await (await api.send(picture.url, signal ? { signal } : {})).arrayBuffer();
  const path = withQuery(`${jobPath(job)}/predict`, { confidence: ASKED, max: BOXES_MAX, top_k: 1, file: picture.name.split("/").at(-1)?.slice(0, 255) });
  const reply = await api.send(path, { method: "POST", body: bytes, headers: { "content-type": "application/octet-stream" }, ...(signal && { signal }) });
  const said = (await reply.json()) as Prediction;
  const error = said.results[0]?.error;
  if (error) throw new Error(error);
  return suggestionOf(said.results, draft.classes, threshold, draft.task === "segmentation");
}

/** A class for the whole picture is no box. */
const fitting = (s: Suggestion, draft: Draft): Suggestion => (draft.task === "classification" ? { ...s, boxes: [], polygons: [] } : { ...s, label: -1 });
const isEmpty = (s: Suggestion) => s.label < 0 && !s.boxes.length && !s.polygons.length;

interface Running { done: number; of: number }

export function Suggest({ dataset, draft, picture, unlabelled, edits, threshold, setThreshold, busy, onPicture, register }: {
  dataset: string; draft: Draft; picture: DraftPicture | undefined; unlabelled: number[]; edits: Map<number, EditState>;
  threshold: number; setThreshold: (to: number) => void; busy: boolean; onPicture: (picture: DraftPicture) => void;
  /** Gives the page what its key does. */
  register: (suggest: () => void) => void;
}) {
  const { t, percent, number } = useTexts();
  const client = useQueryClient();
  const jobs = useJobs({ status: "completed", limit: 50 });
  const usable = (jobs.data?.pages.flatMap((page) => page.jobs) ?? []).filter((job: Job) => job.kind === "train");
  const [chosen, setChosen] = useState("");
  const job = usable.find((one) => one.job === chosen) ?? usable.find((one) => one.dataset_name === usable[0]?.dataset_name);
  const [asking, setAsking] = useState(false);
  const [error, setError] = useState<Error>();
  const [running, setRunning] = useState<Running>();
  const stop = useRef<AbortController>();
  useEffect(() => () => stop.current?.abort(), []);
  const suggested = [...edits].filter(([, state]) => state === "suggested").map(([index]) => index);

  const put = async (one: DraftPicture, s: Suggestion, state: EditState) => {
    const sure = (i: number) => state !== "edited" || (s.scores[i] ?? 1) >= threshold;
    const boxes = s.boxes.filter((_, i) => sure(i)), polygons = s.polygons.filter((_, i) => sure(s.boxes.length + i));
    const { boxes: _, polygons: had = [], ...kept } = one.shapes, all = s.polygons.length ? polygons : had;
    const saved = await api.put<DraftPicture>(`${draftPath(dataset)}/images/${one.index}`, {
      revision: one.revision, state, label: s.label, shapes: { ...kept, ...(boxes.length && { boxes }), ...(all.length && { polygons: all }) }, scores: state === "suggested" ? s.scores : [],
    });
    client.setQueryData(pictureKey(dataset, draft, one.index), saved);
    return saved;
  };
  const one = async () => {
    if (!job || !picture || asking || running || busy) return;
    setAsking(true);
    setError(undefined);
    try {
      const s = fitting(await ask(job.job, picture, draft, threshold), draft);
      if (isEmpty(s)) setError(new Error(t("suggest.nothing")));
      else onPicture(await put(picture, s, "suggested"));
    } catch (e) {
      setError(e as Error);
    }
    setAsking(false);
  };
  const latest = useRef(one);
  latest.current = one;
  useEffect(() => register(() => void latest.current()), [register]);

  /** Over many pictures, one after the other; what is done stays when it is stopped. */
  const many = async (indices: number[], each: (one: DraftPicture, signal: AbortSignal) => Promise<unknown>) => {
    const control = new AbortController();
    stop.current = control;
    setError(undefined);
    try {
      for (const [done, index] of indices.entries()) {
        if (control.signal.aborted) break;
        setRunning({ done, of: indices.length });
        await each(await getPicture(dataset, index), control.signal);
      }
    } catch (e) {
      if (!control.signal.aborted) setError(e as Error);
    }
    setRunning(undefined);
    await client.invalidateQueries({ queryKey: ["dataset", dataset, "draft"], predicate: (query) => query.queryKey[3] !== "unlabelled" });
  };
  const all = () => job && many(unlabelled, async (p, signal) => {
    const s = fitting(await ask(job.job, p, draft, threshold, signal), draft);
    if (!isEmpty(s)) await put(p, s, "suggested");
  });
  const acceptAll = () => many(suggested, (p) =>
    put(p, { label: p.label_id, boxes: (p.shapes.boxes ?? []) as Box[], polygons: p.shapes.polygons ?? [], scores: p.label_id >= 0 ? [] : p.scores }, "edited"));

  if (!usable.length) return jobs.isPending ? null : (
    <section className="space-y-1 text-sm"><h2 className="font-semibold">{t("suggest.title")}</h2><p className="text-muted">{t("suggest.noModel")}</p></section>
  );
  return (
    <section className="space-y-3" aria-label={t("suggest.title")}>
      <h2 className="text-sm font-semibold">{t("suggest.title")}</h2>
      <Select label={t("suggest.model")} value={job?.job ?? ""} onChange={setChosen}
        options={usable.map((one): [string, string] => [one.job, `${one.name || one.model} · ${one.dataset_name}`])} />
      <Slider label={t("suggest.threshold")} value={threshold} min={ASKED} max={0.95} step={0.05} format={(v) => percent(v, 0)} onChange={setThreshold} />
      {running ? (
        <div className="space-y-2">
          <p className="numbers text-sm" role="status">{t("suggest.running", { done: number(running.done), of: number(running.of) })}</p>
          <Progress value={running.done / Math.max(1, running.of)} label={t("suggest.title")} />
          <Button onClick={() => stop.current?.abort()}>{t("suggest.stop")}</Button>
        </div>
      ) : (
        <div className="flex flex-wrap gap-2">
          <Button busy={asking} disabled={busy} onClick={() => void one()}>{t("suggest.one")}</Button>
          {unlabelled.length > 0 && <Button disabled={busy} onClick={() => void all()}>{t("suggest.all", { n: unlabelled.length })}</Button>}
          {suggested.length > 0 && <Button onClick={() => void acceptAll()}>{t("suggest.acceptAll", { n: suggested.length })}</Button>}
        </div>
      )}
      {error && <ErrorNote error={error} />}
    </section>
  );
}
