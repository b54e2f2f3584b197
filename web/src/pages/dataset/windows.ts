// A version's pictures by their rank under a filter.  The server says once where every hundredth is (anchors);
// any window of them is then one request for a chunk of a hundred, wherever one scrolls to.
import { useQueries, useQuery } from "@tanstack/react-query";
import { useMemo, useState } from "react";

import { api, withQuery } from "../../api";
import type { Anchors, Picture, Pictures } from "../../types";
import { datasetPath } from "../datasets/queries";

export const CHUNK = 100;
const KEPT_MS = 60_000;

export interface Filter { split: string; class: string; fault: string; q: string; labelled: string }
export const noFilter: Filter = { split: "", class: "", fault: "", q: "", labelled: "" };
export const isFiltered = (f: Filter) => Object.values(f).some(Boolean);

export interface Windows {
  count: number | undefined;
  /** undefined: not there yet. */
  at: (rank: number) => Picture | undefined;
  /** Asks for the pictures of [first, end). */
  want: (first: number, end: number) => void;
  error: Error | null;
  retry: () => void;
  isPending: boolean;
}

/** `also`: a rank that is shown apart from the range. */
export function useWindows(dataset: string, version: string, filter: Filter, also?: number): Windows {
  const path = datasetPath(dataset, version);
  const anchors = useQuery({
    queryKey: ["dataset", dataset, "anchors", version, filter],
    queryFn: ({ signal }) => api.get<Anchors>(withQuery(`${path}/anchors`, { ...filter, every: CHUNK }), signal),
    staleTime: Infinity,
    placeholderData: (before) => before,
  });
  const [range, setRange] = useState<[number, number]>([0, 1]);
  const known = anchors.isPlaceholderData ? undefined : anchors.data;
  const chunks = useMemo(() => {
    const all = known?.anchors.length ?? 0;
    const first = Math.floor(range[0] / CHUNK), end = Math.min(all, Math.ceil(range[1] / CHUNK));
    const list = Array.from({ length: Math.max(0, end - first) }, (_, i) => first + i);
    const apart = also === undefined ? -1 : Math.floor(also / CHUNK);
    return apart < 0 || apart >= all || list.includes(apart) ? list : [...list, apart];
  }, [range, known, also]);
  const pages = useQueries({
    queries: chunks.map((k) => ({
      queryKey: ["dataset", dataset, "chunk", version, filter, k],
      queryFn: async ({ signal }: { signal: AbortSignal }) =>
        (await api.get<Pictures>(withQuery(`${path}/images`, { ...filter, from: known?.anchors[k], limit: CHUNK }), signal)).images,
      staleTime: Infinity,
      gcTime: KEPT_MS,
    })),
    combine: (all) => ({
      data: all.map((one) => one.data),
      error: all.find((one) => one.isError),
    }),
  });
  return {
    count: anchors.data?.count,
    at: (rank) => (known ? pages.data[chunks.indexOf(Math.floor(rank / CHUNK))]?.[rank % CHUNK] : undefined),
    want: (from, end) => setRange((old) => (old[0] === from && old[1] === end ? old : [from, end])),
    error: anchors.error ?? pages.error?.error ?? null,
    retry: () => void (anchors.isError ? anchors.refetch() : pages.error?.refetch()),
    isPending: anchors.isPending,
  };
}
