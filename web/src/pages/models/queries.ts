// What the pages of the registry ask the server, and what they tell it.
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";

import { api } from "../../api";
import type { Reply } from "../../gen/api";
import { useMay } from "../../session";
import type { FieldValue } from "../../types";

type With<T, More> = Omit<T, keyof More> & More;

export interface Alias { alias: string; version: number; since: number }
export type RegistryModel = With<Reply<"GET /registry/models/{model}">, { aliases: Alias[] }>;
export interface Evaluation {
  id: string; status: "running" | "completed" | "failed" | "cancelled"; job_id: string; split: string; dataset_name: string;
  dataset_version: string; scores: Record<string, number>; error: string | null;
}
export type Version = With<Reply<"GET /registry/models/{model}/versions/{version}">, {
  aliases: string[];
  config: Record<string, FieldValue>;
  engine: Record<string, string> | null;
  evaluation: Evaluation | null;
}>;
export type State = Version["state"];
export interface Publication {
  alias: string; version: number; back: number; rollback: boolean; by_name: string; at: string; ended_at: string | null;
}
export interface RegistryEvent {
  id: number; kind: string; version: number; alias: string | null; from: string | null; to: string | null; other: number; note: string | null;
  by: string | null; by_name: string; at: string;
}
export interface History { events: RegistryEvent[]; publications: Publication[] }
export interface VisitorLink {
  id: string; alias: string; title: string; server: boolean; created_by_name: string | null; created_at: string; expires_at: string;
  revoked_at: string | null; visits: number; last_used_at: string | null;
}
export interface Exported {
  file: string; format: string; bytes: number; sha256: string; verified_by: string; pictures: number; max_difference: number;
  allowed_difference: number; url: string; header_url: string | null; cached: boolean;
}

const EVALUATING_MS = 1500;

export const modelPath = (model: string) => `/registry/models/${encodeURIComponent(model)}`;
export const versionPath = (v: Pick<Version, "model_id" | "version">) => `${modelPath(v.model_id)}/versions/${v.version}`;

export const useModels = () =>
  useQuery({ queryKey: ["registry"], queryFn: async () => (await api.get<{ models: RegistryModel[] }>("/registry/models?limit=200")).models });
export const useModel = (name: string) =>
  useQuery({ queryKey: ["registry", name], queryFn: () => api.get<RegistryModel>(modelPath(name)) });
/** Asked again while one of them is being evaluated. */
export const useVersions = (model: string) => useQuery({
  queryKey: ["registry", model, "versions"],
  queryFn: async () => (await api.get<{ versions: Version[] }>(`${modelPath(model)}/versions?limit=200`)).versions,
  refetchInterval: (query) => (query.state.data?.some((v) => v.evaluation?.status === "running") ? EVALUATING_MS : false),
});
export const useHistory = (model: string) =>
  useQuery({ queryKey: ["registry", model, "history"], queryFn: () => api.get<History>(`${modelPath(model)}/history`) });
export const useLinks = (model: string) =>
  useQuery({ queryKey: ["registry", model, "links"], queryFn: async () => (await api.get<{ links: VisitorLink[] }>(`${modelPath(model)}/links`)).links });

/** Who is offered to approve and to make links: managers, by their account or, in a project, perhaps by their membership;
 * the server decides. */
export function useApprover(model: Pick<RegistryModel, "project_id">): boolean {
  const manager = useMay("manager"), engineer = useMay("engineer");
  return manager || (engineer && model.project_id !== null);
}

/** A change of the registry: everything that shows it is asked again. */
export function useChange<In, Out = unknown>(act: (what: In) => Promise<Out>, done?: (out: Out) => void) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: act,
    onSuccess: (out) => {
      void client.invalidateQueries({ queryKey: ["registry"] });
      done?.(out);
    },
  });
}

/** The score that people look at first: of the evaluation if there is one, else of the training. */
export function scoreOf(v: Version): { name: string; value: number; measured: boolean } | undefined {
  const scores = v.evaluation?.status === "completed" ? v.evaluation.scores : {};
  const short = (name: string) => name.split("/").at(-1) ?? name;
  const found = Object.entries(scores).find(([name]) => short(name) === v.goal) ??
    Object.entries(scores).find(([name]) => ["accuracy", "map", "map50", "mask_map", "miou"].includes(short(name)));
  if (found) return { name: short(found[0]), value: found[1], measured: true };
  return v.metric && v.value !== null ? { name: short(v.metric), value: v.value, measured: false } : undefined;
}
