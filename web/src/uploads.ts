// Uploads and the imports that follow them.  They live beside the pages, so one can leave a page meanwhile.
import { type QueryClient } from "@tanstack/react-query";
import { useSyncExternalStore } from "react";

import { api, Problem, type Sending, unlabelled, withQuery } from "./api";
import { datasetName, isArchive } from "./parts/files";
import { type Named, tar } from "./parts/tar";
import type { Import, Queued } from "./types";

export interface Upload {
  id: number;
  name: string;
  bytes: number;
  phase: "sending" | "importing" | "done" | "failed";
  sent: number;
  state?: Import;
  error?: Error;
}

const POLL_MS = 500;
let uploads: Upload[] = [];
let last = 0;
const running = new Map<number, Sending<Queued>>();
const listeners = new Set<() => void>();

function change(id: number, more: Partial<Upload>) {
  uploads = uploads.map((one) => (one.id === id ? { ...one, ...more } : one));
  listeners.forEach((fn) => fn());
}

const leaving = (e: BeforeUnloadEvent) => e.preventDefault();
function guard() {
  if (uploads.some((one) => one.phase === "sending")) window.addEventListener("beforeunload", leaving);
  else window.removeEventListener("beforeunload", leaving);
}

async function follow(id: number, name: string): Promise<Import> {
  for (;;) {
    const state = await api.get<Import>(`/datasets/imports/${name}`);
    change(id, { state });
    if (state.state === "done" || state.state === "failed") return state;
    await new Promise((r) => setTimeout(r, POLL_MS));
  }
}

/** Loose pictures have no class: their import would fail after all of them have been sent. */
const loose = (files: Named[]) => files.every(({ path }) => !path.includes("/") && /\.(jpe?g|png|webp)$/i.test(path));

/** Sends one archive as it is, or other files in a tar; a dataset of this name gets a further version. */
export async function startUpload(client: QueryClient, files: Named[], name = datasetName(files)): Promise<void> {
  const [first] = files;
  if (!first) return;
  const body = files.length === 1 && isArchive(first.path) ? first.file : tar(files);
  const id = ++last;
  uploads = [{ id, name, bytes: body.size, phase: "sending", sent: 0 }, ...uploads];
  if (loose(files)) {
    change(id, { phase: "failed", error: new Problem(0, unlabelled, "") });
    return;
  }
  const sending = api.upload<Queued>(withQuery("/datasets/upload", { name }), body, "application/octet-stream",
    (sent) => change(id, { sent }));
  running.set(id, sending);
  change(id, {});
  guard();
  try {
    const queued = await sending.done;
    change(id, { phase: "importing", sent: 1 });
    guard();
    const end = await follow(id, queued.import);
    change(id, { phase: end.state === "done" ? "done" : "failed" });
  } catch (e) {
    if (e instanceof DOMException && e.name === "AbortError") dismissUpload(id);
    else change(id, { phase: "failed", error: e as Error });
  } finally {
    running.delete(id);
    guard();
    void client.invalidateQueries({ queryKey: ["datasets"] });
    void client.invalidateQueries({ queryKey: ["dataset"] });
  }
}

export function abortUpload(id: number) {
  running.get(id)?.abort();
}

export function dismissUpload(id: number) {
  uploads = uploads.filter((one) => one.id !== id);
  listeners.forEach((fn) => fn());
}

export function useUploads(): Upload[] {
  return useSyncExternalStore((fn) => {
    listeners.add(fn);
    return () => listeners.delete(fn);
  }, () => uploads);
}
