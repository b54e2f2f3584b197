// Many runs side by side: GET /training/runs, whose rows of values become records here.
import { keepPreviousData, useMutation, useQuery, useQueryClient } from "@tanstack/react-query";

import { api, withQuery } from "../../api";
import type { FieldValue, Job, Metrics, Models, Status } from "../../types";
import type { Series } from "../../parts/series";

export interface Run {
  job: string; name: string; status: Status; kind: string; model: string; dataset: string; version: string; created_by: string;
  tags: string[]; notes: string; starred: boolean; epoch: number; epochs: number; best: number | null; best_metric: string; best_epoch: number;
  created_at: number; started_at: number | null; ended_at: number | null; paused: boolean;
  settings: Record<string, FieldValue>; metrics: Record<string, number | null>;
}
export interface Runs { runs: Run[]; more: boolean }
interface Reply { columns: string[]; settings: string[]; metrics: string[]; rows: unknown[][]; more: boolean }

export function runsOf({ columns, settings, metrics, rows, more }: Reply): Runs {
  const record = (names: string[], row: unknown[], from: number) => Object.fromEntries(names.map((name, i) => [name, row[from + i]]));
  return {
    more,
    runs: rows.map((row) => ({
      ...record(columns, row, 0),
      settings: record(settings, row, columns.length),
      metrics: record(metrics, row, columns.length + settings.length),
    }) as unknown as Run),
  };
}

export interface Asked { q: string; status: string; starred: boolean; settings: string[]; metrics: string[] }

export const useRuns = (asked: Asked) => useQuery({
  queryKey: ["runs", asked],
  queryFn: async ({ signal }) => runsOf(await api.get<Reply>(withQuery("/training/runs", {
    q: asked.q, status: asked.status, starred: asked.starred || undefined, settings: asked.settings.join(","), metrics: asked.metrics.join(","),
  }), signal)),
  placeholderData: keepPreviousData,
});

/** Every setting that a trainer knows, in the order of its form. */
export const useSettingNames = () => useQuery({
  queryKey: ["models"],
  queryFn: () => api.get<Models>("/models/list"),
  select: ({ models }) => [...new Set(models.flatMap((one) => one.config_schema.map((field) => field.name)))].filter((name) => name !== "model"),
  staleTime: 60_000,
});

const path = (job: string) => `/training/jobs/${encodeURIComponent(job)}`;

/** Metrics of the chosen runs by name, each as one series a run. */
export const useCurves = (runs: Run[]) => useQuery({
  queryKey: ["curves", runs.map((one) => `${one.job}:${one.epoch}`)],
  queryFn: async ({ signal }) => {
    const all = await Promise.all(runs.map((one) => api.get<Metrics>(`${path(one.job)}/metrics`, signal)));
    const curves = new Map<string, Series[]>();
    all.forEach(({ metrics }, i) => {
      const run = runs[i] as Run;
      for (const [name, points] of Object.entries(metrics)) {
        const series = curves.get(name) ?? [];
        series.push({ key: run.job, label: run.name, x: points.map((p) => p.epoch), y: points.map((p) => p.value ?? NaN) });
        curves.set(name, series);
      }
    });
    return curves;
  },
  placeholderData: keepPreviousData,
  enabled: runs.length > 0,
});

/** All settings of the chosen runs. */
export const useConfigs = (runs: Run[]) => useQuery({
  queryKey: ["configs", runs.map((one) => one.job)],
  queryFn: ({ signal }) => Promise.all(runs.map(async (one) => (await api.get<Job>(path(one.job), signal)).config)),
  placeholderData: keepPreviousData,
  enabled: runs.length > 1,
});

export function useChangeRun() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: ({ job, ...change }: { job: string; notes?: string; starred?: boolean; tags?: string[] }) => api.patch<Job>(path(job), change),
    onSuccess: () => client.invalidateQueries({ queryKey: ["runs"] }),
  });
}

/** Names of settings in which the configurations differ. */
export function differing(configs: Record<string, FieldValue>[]): string[] {
  const names = [...new Set(configs.flatMap((one) => Object.keys(one)))];
  return names.filter((name) => new Set(configs.map((one) => JSON.stringify(one[name] ?? null))).size > 1);
}
