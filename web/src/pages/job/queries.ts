// What a job's page shows, and the live feed that keeps it up to date.
//
// The log is read first; its newest number L is where the feed begins.  What the other queries answer is read
// again when the feed has begun, so nothing between them is missed; what the feed then repeats of it is the same.
import { type QueryClient, useInfiniteQuery, useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect, useState } from "react";

import { api, Problem, withQuery } from "../../api";
import { type FeedEvent, type FeedState, openFeed } from "../../feed";
import {
  type Attempt, type Best, type Checkpoint, type Course, hasEnded, type Job, type LogLine, type Logs, type Metrics, type Pictures, type Results, type Samples, type Validation, type Version,
} from "../../types";
import { jobPath } from "../jobs/queries";

const LOG_LINES = 500; // read at first
const LOG_LINES_MAX = 3000; // held

export const useJob = (id: string) => useQuery({ queryKey: ["job", id], queryFn: () => api.get<Job>(jobPath(id)) });

export const useMetrics = (id: string) => useQuery({
  queryKey: ["job", id, "metrics"], queryFn: () => api.get<Metrics>(`${jobPath(id)}/metrics`),
});

/** The course by step; the feed appends to it. */
export const courseOf = (id: string) => ({
  queryKey: ["job", id, "series"], queryFn: () => api.get<Course>(`${jobPath(id)}/series`),
});

export const useSamples = (id: string) => useQuery({
  queryKey: ["job", id, "samples"],
  queryFn: () => api.get<Samples>(`${jobPath(id)}/samples`).catch((e: unknown) => {
    if (e instanceof Problem && e.status === 404) return null;
    throw e;
  }),
});

export const useLogs = (id: string) => useQuery({
  queryKey: ["job", id, "logs"],
  queryFn: async () => (await api.get<Logs>(withQuery(`${jobPath(id)}/logs`, { order: "newest", limit: LOG_LINES }))).logs.reverse(),
  staleTime: Infinity,
});

export const useCheckpoints = (id: string) => useQuery({
  queryKey: ["job", id, "checkpoints"],
  queryFn: async () => (await api.get<{ checkpoints: Checkpoint[] }>(`${jobPath(id)}/checkpoints`)).checkpoints,
});

export const useAttempts = (id: string) => useQuery({
  queryKey: ["job", id, "attempts"],
  queryFn: async () => (await api.get<{ attempts: Attempt[] }>(`${jobPath(id)}/attempts`)).attempts,
});

export const useValidations = (id: string) => useQuery({
  queryKey: ["job", id, "validations"],
  queryFn: async () => (await api.get<{ validations: { epoch: number; split: string }[] }>(`${jobPath(id)}/validation`)).validations,
});

export const useValidation = (id: string, epoch: number | undefined) => useQuery({
  queryKey: ["job", id, "validation", epoch],
  queryFn: () => api.get<Validation>(`${jobPath(id)}/validation/${epoch}`),
  enabled: epoch !== undefined,
  staleTime: Infinity,
});

export const mistakes = ["false", "missed", "wrong_class"] as const;
/** As the server takes it; a cell of the confusion matrix is label and predicted, of boxes with background as one class more. */
export interface ResultFilter {
  label?: number; predicted?: number; class?: number; mistake?: (typeof mistakes)[number]; correct?: "true" | "false"; threshold?: number;
}
const RESULTS = 60; // a page
/** The server ranks the whole split; a page comes when it is asked for. */
export const useResults = (id: string, epoch: number, order: "hardest" | "index", filter: ResultFilter) => useInfiniteQuery({
  queryKey: ["job", id, "results", epoch, order, filter],
  queryFn: ({ pageParam }) => api.get<Results>(withQuery(`${jobPath(id)}/validation/${epoch}/images`, { ...filter, order, limit: RESULTS, after: pageParam })),
  initialPageParam: "" as string | number, getNextPageParam: (page) => page.next ?? undefined, staleTime: Infinity,
});

/** What a threshold does to the whole split: for 0, .01 .. 1. */
export interface ResultCounts { images: number; objects: number; hits: number[]; false: number[] }
export const useCounts = (id: string, epoch: number) => useQuery({
  queryKey: ["job", id, "counts", epoch], queryFn: () => api.get<ResultCounts>(`${jobPath(id)}/validation/${epoch}/counts`), staleTime: Infinity,
});

/** The picture as the dataset has it, with its outlines; null where the version has none of that name. */
export const usePictureOf = (job: Job, split: string, name: string, enabled: boolean) => useQuery({
  queryKey: ["dataset", job.dataset, "version", job.dataset_version, "named", name],
  queryFn: async () => {
    const at = `/datasets/${job.dataset}/versions/${job.dataset_version}`;
    const [list, version] = await Promise.all([api.get<Pictures>(withQuery(`${at}/images`, { q: name, split, limit: 500 })), api.get<Version>(at)]);
    const picture = list.images.find((one) => one.name === name);
    return picture ? { picture, classes: version.classes } : null;
  },
  enabled, staleTime: Infinity,
});

// ---- live

/** What the running epoch says of itself, until its end. */
export interface Now { epoch: number; step: number; steps: number; metrics: Record<string, number>; time: number; progress: number }
export interface Live { state: FeedState; now: Now | undefined; left: number | undefined }

export interface Told {
  status?: Job["status"]; attempt?: number; progress?: number; epoch?: number; epochs?: number; step?: number; steps?: number;
  message?: string; waiting_reason?: string; wish?: Job["wish"]; paused?: boolean; metrics?: Record<string, number | null>; best?: Best; time?: number;
}

function patchJob(client: QueryClient, id: string, e: FeedEvent) {
  const told = e.data as Told;
  client.setQueryData<Job>(["job", id], (job) => {
    if (!job) return job;
    const now = { ...job };
    if (told.status) {
      now.status = told.status;
      now.waiting_reason = told.waiting_reason || null;
      now.wish = told.wish ?? "none";
      now.paused = told.paused ?? false;
    }
    if (told.message) now.message = told.message;
    for (const name of ["attempt", "progress", "epoch", "epochs", "step", "steps"] as const) if (told[name] !== undefined) now[name] = told[name];
    if (told.best) now.best = told.best;
    return now;
  });
}

function addEpoch(client: QueryClient, id: string, told: Told) {
  client.setQueryData<Metrics>(["job", id, "metrics"], (had) => {
    if (!had || !told.metrics || told.epoch === undefined) return had;
    const metrics = { ...had.metrics };
    for (const [name, value] of Object.entries(told.metrics)) {
      const point = { epoch: told.epoch, step: told.step ?? 0, value, time: told.time ?? 0 };
      metrics[name] = [...(metrics[name] ?? []).filter((p) => p.epoch < point.epoch), point];
    }
    return { ...had, epoch: told.epoch, metrics };
  });
}

/** As the server counts it: steps of the whole run, epochs with the part of the one under way. */
export function appended(had: Course, told: Told, n: number): Course {
  const epoch = told.epoch || 1, steps = told.steps ?? 0, step = told.step ?? 0;
  const part = steps > 0 ? Math.min(1, step / steps) : 1;
  const epochs = epoch - 1 + part;
  let keep = had.n.length; // an epoch that is run again replaces what it reported before
  while (keep && ((had.epochs[keep - 1] ?? 0) > epochs || (had.n[keep - 1] ?? 0) >= n)) keep--;
  const metrics: Course["metrics"] = {};
  for (const name of new Set([...Object.keys(had.metrics), ...Object.keys(told.metrics ?? {})]))
    metrics[name] = [...(had.metrics[name] ?? []).slice(0, keep), ...Array<null>(Math.max(0, keep - (had.metrics[name]?.length ?? 0))).fill(null), told.metrics?.[name] ?? null];
  return {
    n: [...had.n.slice(0, keep), n], step: [...had.step.slice(0, keep), (epoch - 1) * steps + step],
    epochs: [...had.epochs.slice(0, keep), epochs], time: [...had.time.slice(0, keep), told.time ?? Date.now()], metrics,
  };
}

function addToCourse(client: QueryClient, id: string, told: Told) {
  if (!told.metrics) return;
  client.setQueryData<Course>(["job", id, "series"], (had) => had && appended(had, told, (had.n.at(-1) ?? 0) + 1));
}

function apply(client: QueryClient, id: string, events: FeedEvent[]) {
  const refresh = new Set<string>();
  const lines: LogLine[] = [];
  for (const e of events) {
    if (e.event === "log") {
      lines.push({ ...(e.data as Omit<LogLine, "seq">), seq: e.id });
      continue;
    }
    if (e.event === "checkpoint") {
      refresh.add("checkpoints");
      continue;
    }
    patchJob(client, id, e);
    if (e.event === "progress" || e.event === "epoch") addToCourse(client, id, e.data as Told);
    if (e.event === "started") refresh.add("samples");
    if (e.event === "epoch") {
      addEpoch(client, id, e.data as Told);
      refresh.add("validations");
    }
    if (e.event === "state" || e.event === "started") ["attempts", "validations", "checkpoints", ""].forEach((one) => refresh.add(one));
  }
  if (lines.length)
    client.setQueryData<LogLine[]>(["job", id, "logs"], (had = []) => {
      const last = had.at(-1)?.seq ?? 0;
      return [...had, ...lines.filter((l) => l.seq > last)].slice(-LOG_LINES_MAX);
    });
  if (events.some((e) => e.event === "state")) void client.invalidateQueries({ queryKey: ["jobs"] }); // the lists tell of it, too
  for (const one of refresh) void client.invalidateQueries({ queryKey: one ? ["job", id, one] : ["job", id], exact: true });
}

/** Time left from the pace of what has been seen, at most the last minutes. */
const PACE_MS = 180_000;
function timeLeft(seen: { at: number; progress: number }[]): number | undefined {
  const first = seen[0], last = seen.at(-1);
  if (!first || !last || last.progress <= first.progress) return undefined;
  return ((last.at - first.at) / (last.progress - first.progress)) * (1 - last.progress);
}

export function useLive(id: string, job: Job | undefined): Live {
  const client = useQueryClient();
  const logs = useLogs(id);
  const [live, setLive] = useState<Live>({ state: "connecting", now: undefined, left: undefined });
  const follow = job !== undefined && !hasEnded(job.status);
  const ready = logs.isFetched;
  useEffect(() => {
    if (!ready || !follow) return;
    const after = client.getQueryData<LogLine[]>(["job", id, "logs"])?.at(-1)?.seq ?? 0;
    let waiting: FeedEvent[] = [], timer: number | undefined, ended = false;
    let seen: { at: number; progress: number }[] = [];
    const flush = () => {
      timer = undefined;
      const events = waiting;
      waiting = [];
      apply(client, id, events);
      let now: Now | undefined;
      for (const e of events) {
        const told = e.data as Told;
        if (e.event === "started") seen = [];
        if (e.event !== "progress" && e.event !== "epoch") continue;
        seen.push({ at: told.time ?? 0, progress: told.progress ?? 0 });
        if (e.event === "progress" && told.metrics)
          now = {
            epoch: told.epoch ?? 0, step: told.step ?? 0, steps: told.steps ?? 0, time: told.time ?? 0, progress: told.progress ?? 0,
            metrics: Object.fromEntries(Object.entries(told.metrics).filter((m): m is [string, number] => m[1] !== null)),
          };
      }
      seen = seen.filter((s) => s.at > (seen.at(-1)?.at ?? 0) - PACE_MS);
      setLive((was) => ({ ...was, now: now ?? was.now, left: timeLeft(seen) }));
      if (ended) void client.invalidateQueries({ queryKey: ["job", id] });
    };
    const soon = () => (timer ??= window.setTimeout(flush, 50)); // a burst is one change of the page
    const feed = openFeed(id, after, (e) => {
      waiting.push(e);
      soon();
    }, (state) => {
      setLive((was) => ({ ...was, state }));
      if (state === "ended") {
        ended = true;
        soon();
      }
    });
    for (const one of ["metrics", "series", "samples", "checkpoints", "validations"]) void client.invalidateQueries({ queryKey: ["job", id, one] });
    return () => {
      feed.close();
      window.clearTimeout(timer);
      if (waiting.length) apply(client, id, waiting);
    };
  }, [client, id, ready, follow]);
  return live;
}
