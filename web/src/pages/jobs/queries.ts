// Lists of jobs, and what is done to one.
import { useInfiniteQuery, useMutation, useQueryClient } from "@tanstack/react-query";

import { api, withQuery } from "../../api";
import type { Query } from "../../gen/api";
import { hasEnded, type Job, type Jobs } from "../../types";

export const jobPath = (id: string) => `/training/jobs/${encodeURIComponent(id)}`;
export type JobFilter = Pick<Query<"GET /training/jobs">, "status" | "q" | "sort" | "order" | "dataset" | "limit">;
const LIVE_MS = 3000, CALM_MS = 15_000; // somebody else may begin one

export const useJobs = (filter: JobFilter) => useInfiniteQuery({
  queryKey: ["jobs", filter],
  queryFn: ({ pageParam, signal }) => api.get<Jobs>(withQuery("/training/jobs", { limit: 30, ...filter, cursor: pageParam }), signal),
  initialPageParam: "",
  getNextPageParam: (page) => page.next,
  placeholderData: (before) => before,
  refetchInterval: (query) =>
    query.state.data?.pages.some((page) => page.jobs.some((job) => !hasEnded(job.status))) ? LIVE_MS : CALM_MS,
});

export function useChangeJob() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: ({ id, ...change }: { id: string; priority?: number; before?: string; name?: string; notes?: string; starred?: boolean; tags?: string[] }) =>
      api.patch<Job>(jobPath(id), change),
    onSuccess: (job) => {
      client.setQueryData(["job", job.job], job);
      return client.invalidateQueries({ queryKey: ["jobs"] });
    },
  });
}
