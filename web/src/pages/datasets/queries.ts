// Datasets, their versions, pictures and faults.
import { useInfiniteQuery, useQuery } from "@tanstack/react-query";

import { api, withQuery } from "../../api";
import type { Dataset, Datasets, Faults, Import, Version } from "../../types";

const path = (id: string, version?: string) =>
  `/datasets/${encodeURIComponent(id)}${version === undefined ? "" : `/versions/${encodeURIComponent(version)}`}`;

export const useDatasets = (q = "") => useInfiniteQuery({
  queryKey: ["datasets", q],
  queryFn: ({ pageParam, signal }) => api.get<Datasets>(withQuery("/datasets", { q, cursor: pageParam, limit: 50 }), signal),
  initialPageParam: "",
  getNextPageParam: (page) => page.next,
  placeholderData: (before) => before,
});

export const useDataset = (id: string) => useQuery({
  queryKey: ["dataset", id], queryFn: () => api.get<Dataset>(path(id)), enabled: Boolean(id),
});

export const useVersions = (id: string) => useQuery({
  queryKey: ["dataset", id, "versions"],
  queryFn: async () => (await api.get<{ versions: Version[] }>(`${path(id)}/versions`)).versions,
  enabled: Boolean(id),
});

/** With its statistics, which the list of versions leaves out. */
export const useVersion = (id: string, version: string | undefined) => useQuery({
  queryKey: ["dataset", id, "version", version],
  queryFn: () => api.get<Version>(path(id, version)),
  enabled: Boolean(id && version),
  staleTime: Infinity,
});

export const useImports = (id: string) => useQuery({
  queryKey: ["dataset", id, "imports"],
  queryFn: async () => (await api.get<{ imports: Import[] }>(`${path(id)}/imports`)).imports,
  refetchInterval: (query) => (query.state.data?.some((one) => one.state === "queued" || one.state === "running") ? 1000 : false),
});

export const useFaults = (id: string, version: string, code: string) => useInfiniteQuery({
  queryKey: ["dataset", id, "faults", version, code],
  queryFn: ({ pageParam, signal }) =>
    api.get<Faults>(withQuery(`${path(id, version)}/faults`, { code, cursor: pageParam, limit: 100 }), signal),
  initialPageParam: "",
  getNextPageParam: (page) => page.next,
});

export const datasetPath = path;
