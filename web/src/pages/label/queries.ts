// The draft of a dataset: its state, which pictures it changes, and where one goes next.
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useMemo } from "react";

import { api, Problem, withQuery } from "../../api";
import type { Anchors, Draft, DraftEdits, DraftPicture } from "../../types";
import { datasetPath } from "../datasets/queries";

export const draftPath = (id: string) => `${datasetPath(id)}/draft`;
const key = (id: string, ...rest: unknown[]) => ["dataset", id, "draft", ...rest];

/** null: there is none. */
export const useDraft = (id: string) => useQuery({
  queryKey: key(id),
  queryFn: async () => {
    try {
      return await api.get<Draft>(draftPath(id));
    } catch (e) {
      if (e instanceof Problem && e.status === 404) return null;
      throw e;
    }
  },
  refetchOnWindowFocus: false, // a commit's dialog outlives the draft
  refetchOnReconnect: false,
});

export function useOpenDraft(id: string) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (how: { version?: string; task?: string }) => api.post<Draft>(draftPath(id), how),
    onSuccess: (draft) => client.setQueryData(key(id), draft),
  });
}

export function useClasses(id: string, draft: Draft) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (change: { classes: string[]; colours?: Record<string, number>; task?: string }) =>
      api.put<Draft>(draftPath(id), { revision: draft.revision, ...change }),
    onSuccess: (now, change) => {
      client.setQueryData(key(id), now);
      if (change.colours) void client.invalidateQueries({ queryKey: ["dataset", id], exact: true });
    },
    onError: () => void client.invalidateQueries({ queryKey: key(id), exact: true }),
  });
}

export type EditState = "edited" | "suggested";

/** Which pictures the draft changes, by index; kept up to date by what is saved here. */
export const useEdits = (id: string, draft: Draft) => useQuery({
  queryKey: key(id, "edits", draft.id),
  queryFn: async () => {
    const all = new Map<number, EditState>();
    for (let cursor: string | null = ""; cursor !== null;) {
      const page: DraftEdits = await api.get<DraftEdits>(withQuery(`${draftPath(id)}/edits`, { cursor }));
      for (const one of page.edits) all.set(one.index, one.state);
      cursor = page.next;
    }
    return all;
  },
});

/** The pictures of the base that have no labels. */
export const useUnlabelled = (id: string, draft: Draft) => useQuery({
  queryKey: key(id, "unlabelled", draft.base_version),
  queryFn: async () => (await api.get<Anchors>(withQuery(`${datasetPath(id, draft.base_version)}/anchors`, { labelled: "no", every: 1 }))).anchors,
  staleTime: Infinity,
});

export const pictureKey = (id: string, draft: Draft, index: number) => key(id, "picture", draft.id, index);
export const getPicture = (id: string, index: number) => api.get<DraftPicture>(`${draftPath(id)}/images/${index}`);

export const usePicture = (id: string, draft: Draft, index: number) => useQuery({
  queryKey: pictureKey(id, draft, index), queryFn: () => getPicture(id, index), staleTime: Infinity, gcTime: 30_000,
});

export const walks = ["all", "unlabelled", "suggested", "edited"] as const;
export type Walk = (typeof walks)[number];

/** The indices that one walks over, in order; undefined: every one. */
export function useWalk(walk: Walk, edits: Map<number, EditState> | undefined, unlabelled: number[] | undefined): number[] | undefined {
  return useMemo(() => {
    if (walk === "all") return undefined;
    if (walk === "unlabelled") return (unlabelled ?? []).filter((i) => !edits?.has(i));
    return [...(edits ?? [])].filter(([, state]) => state === walk).map(([i]) => i).sort((a, b) => a - b);
  }, [walk, edits, unlabelled]);
}

/** The next or last place from `index` on, which need not be one itself. */
export function neighbour(list: number[] | undefined, count: number, index: number, by: 1 | -1): number | undefined {
  if (!list) return index + by >= 0 && index + by < count ? index + by : undefined;
  return by > 0 ? list.find((i) => i > index) : list.filter((i) => i < index).at(-1);
}
