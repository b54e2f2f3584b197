// What operators look at, and what they change.
import { useInfiniteQuery, useMutation, useQuery, useQueryClient } from "@tanstack/react-query";

import { api, withQuery } from "../../api";
import type { Reply } from "../../gen/api";

const LIVE_MS = 5000;

export type State = "up" | "down" | "degraded" | "starting";
export interface Health {
  status: State; version: string;
  parts: {
    database: { status: State; error?: string; ms: number };
    store: { status: State; error?: string; ms: number };
    trainers: Record<string, { status: State; error?: string; checked_at?: string }>;
  };
}
export type Quota = Reply<"GET /auth/me/quota">;
export type Webhook = Reply<"GET /webhooks/{id}">;
export interface Delivery {
  id: string; event: string; created_at: string; attempts: number; next_at: string | null; done_at: string | null; status: number; error: string | null;
}
export interface Entry {
  id: number; at: string; actor_id: string | null; actor: string; credential: "none" | "session" | "token"; action: string; object: string; status: number; address: string;
}
export interface Setting { name: string; group: string; value: string; default: string; source: string; environment: string | null; help: string }

/** 503 is an answer here, not a failure: it says which part is down. */
export const useHealth = () => useQuery({
  queryKey: ["health"],
  queryFn: async ({ signal }) => (await (await fetch("/health", { signal })).json()) as Health,
  refetchInterval: LIVE_MS,
});

export const useQuotas = () => useQuery({
  queryKey: ["quotas"], queryFn: async ({ signal }) => (await api.get<{ quotas: Quota[] }>("/quotas", signal)).quotas, refetchInterval: 4 * LIVE_MS,
});

function useChange<V, R>(keys: string[], fn: (value: V) => Promise<R>) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: fn,
    onSuccess: () => Promise.all(keys.map((key) => client.invalidateQueries({ queryKey: [key] }))),
  });
}

export const useSetQuota = () => useChange(["quotas"], ({ id, ...quota }: { id: string; jobs_max: number; bytes_max: number }) => api.put<Quota>(`/users/${id}/quota`, quota));

export const useWebhooks = () => useQuery({
  queryKey: ["webhooks"], queryFn: async ({ signal }) => (await api.get<{ webhooks: Webhook[] }>("/webhooks", signal)).webhooks, refetchInterval: LIVE_MS,
});
export const useDeliveries = (id: string) => useQuery({
  queryKey: ["deliveries", id],
  queryFn: async ({ signal }) => (await api.get<{ deliveries: Delivery[] }>(`/webhooks/${id}/deliveries`, signal)).deliveries,
  refetchInterval: LIVE_MS,
});
const hooks = ["webhooks", "deliveries"];
export const useAddWebhook = () => useChange(hooks, (body: { url: string; events: string; description: string }) => api.post<Webhook & { secret: string }>("/webhooks", body));
export const useChangeWebhook = () => useChange(hooks, ({ id, active }: { id: string; active: boolean }) => api.patch<Webhook>(`/webhooks/${id}`, { active }));
export const usePing = () => useChange(hooks, (id: string) => api.post(`/webhooks/${id}/ping`));
export const useDeleteWebhook = () => useChange(hooks, (id: string) => api.delete(`/webhooks/${id}`));

export const useAudit = (asked: { q: string; refused: boolean }) => useInfiniteQuery({
  queryKey: ["audit", asked],
  queryFn: ({ pageParam, signal }) => api.get<{ entries: Entry[]; next: string | null }>(withQuery("/audit", { q: asked.q, refused: asked.refused || undefined, cursor: pageParam }), signal),
  initialPageParam: "",
  getNextPageParam: (page) => page.next,
  placeholderData: (before) => before,
});

export interface BucketSize { name: string; owner: string; created_at: string; versioned: boolean; objects: number; bytes: number; versions: number; version_bytes: number }
export type Storage = Omit<Reply<"GET /storage">, "buckets"> & { buckets: BucketSize[] };
export const useStorage = () => useQuery({
  queryKey: ["storage"], queryFn: ({ signal }) => api.get<Storage>("/storage", signal), refetchInterval: 4 * LIVE_MS,
});

export const useSettings = () => useQuery({
  queryKey: ["settings"], queryFn: async ({ signal }) => (await api.get<{ settings: Setting[] }>("/settings", signal)).settings,
});
