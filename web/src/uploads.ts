// Uploads and the imports that follow them.  They live beside the pages, so one can leave a page meanwhile.
//
//   sending <-> paused          by the person
//   sending <-> waiting         without a connection; it goes on by itself
//   interrupted                 the page was loaded anew: the browser has let go of the files.  Choosing the same
//                               ones again goes on with the parts that the server lacks
//   sending -> importing -> done | failed
import { type QueryClient } from "@tanstack/react-query";
import { useSyncExternalStore } from "react";

import { api, Problem, type Sending } from "./api";
import { keep, kept } from "./kept";
import { datasetName, isArchive } from "./parts/files";
import { type Named, tar } from "./parts/tar";
import type { Import, Queued } from "./types";

export type UploadPhase = "sending" | "paused" | "waiting" | "interrupted" | "importing" | "done" | "failed";
export interface Upload {
  id: string;
  name: string;
  bytes: number;
  phase: UploadPhase;
  sent: number;
  state?: Import;
  error?: Error;
}

interface Received { upload: string; state: string; part_bytes: number; parts: number; received: number[] }
/** What is remembered of an upload over a reload. */
interface Remembered { upload: string; name: string; bytes: number; print: string }

const KEY = "anneal-uploads";
const POLL_MS = 500;
const PART_BYTES = 16 << 20;
const RETRY_MS = [1000, 2000, 5000, 10_000];
let uploads: Upload[] = [];
let last = 0;
const listeners = new Set<() => void>();

/** What an upload needs to go on; it does not outlive the page. */
interface Work { client: QueryClient; body: Blob; print: string; server?: string; sending?: Sending<unknown>; wake?: () => void }
const work = new Map<string, Work>();

const leaving = (e: BeforeUnloadEvent) => e.preventDefault();
function change(id: string, more: Partial<Upload>) {
  uploads = uploads.map((one) => (one.id === id ? { ...one, ...more } : one));
  listeners.forEach((fn) => fn());
  if (uploads.some((one) => one.phase === "sending" || one.phase === "waiting")) window.addEventListener("beforeunload", leaving);
  else window.removeEventListener("beforeunload", leaving);
}
const phaseOf = (id: string) => uploads.find((one) => one.id === id)?.phase;

// ---- what is remembered

function remembered(): Remembered[] {
  try {
    return JSON.parse(kept(KEY) ?? "[]") as Remembered[];
  } catch {
    return [];
  }
}
const remember = (list: Remembered[]) => keep(KEY, list.length ? JSON.stringify(list) : undefined);
const forget = (server: string | undefined) => remember(remembered().filter((one) => one.upload !== server));

/** The same files in the same order: names, sizes and times, not the bytes. */
function printOf(files: Named[]): string {
  let h = 0xcbf29ce484222325n;
  for (const { path, file } of files)
    for (const c of `${path}\n${file.size}\n${file instanceof File ? file.lastModified : 0}\n`)
      h = BigInt.asUintN(64, (h ^ BigInt(c.codePointAt(0) ?? 0)) * 0x100000001b3n);
  return h.toString(16);
}

/** Shows uploads of this browser that a reload has cut off, if the server still has them. */
export async function findInterrupted(): Promise<void> {
  for (const one of remembered()) {
    if (uploads.some(({ id }) => id === one.upload) || [...work.values()].some(({ server }) => server === one.upload)) continue;
    try {
      const held = await api.get<Received>(`/datasets/uploads/${one.upload}`);
      if (held.state !== "open") throw new Problem(409, "", "");
      uploads = [...uploads.filter(({ id }) => id !== one.upload),
        { id: one.upload, name: one.name, bytes: one.bytes, phase: "interrupted", sent: held.received.length / Math.max(1, held.parts) }];
      listeners.forEach((fn) => fn());
    } catch (e) {
      if (e instanceof Problem && e.status >= 400) forget(one.upload);
    }
  }
}

// ---- sending

const pause = (ms: number, id: string) => new Promise<void>((done) => {
  const timer = setTimeout(done, ms);
  const one = work.get(id);
  if (one) one.wake = () => {
    clearTimeout(timer);
    done();
  };
});
const again = () => work.forEach((one) => one.wake?.());
window.addEventListener("online", again);

class Stopped extends Error {}

/** Does it, and again when there was no connection; a pause waits. */
async function insist<T>(id: string, act: () => Promise<T>): Promise<T> {
  for (let tries = 0; ;) {
    while (phaseOf(id) === "paused") await pause(POLL_MS, id);
    if (!work.has(id)) throw new Stopped();
    try {
      const out = await act();
      if (phaseOf(id) === "waiting") change(id, { phase: "sending" });
      return out;
    } catch (e) {
      if (!work.has(id)) throw new Stopped();
      const status = e instanceof Problem ? e.status : 0;
      if (e instanceof DOMException && e.name === "AbortError") continue; // paused
      if (status !== 0 && status < 500) throw e;
      if (status === 507) throw e;
      change(id, { phase: "waiting" });
      await pause(RETRY_MS[Math.min(tries++, RETRY_MS.length - 1)] ?? 1000, id);
    }
  }
}

async function sendParts(id: string, one: Work, held: Received): Promise<void> {
  const have = new Set(held.received);
  const size = (n: number) => Math.min(held.part_bytes, one.body.size - (n - 1) * held.part_bytes);
  let done = [...have].reduce((sum, n) => sum + size(n), 0);
  for (let n = 1; n <= held.parts; n++) {
    if (have.has(n)) continue;
    const from = (n - 1) * held.part_bytes;
    await insist(id, () => {
      one.sending = api.upload(`/datasets/uploads/${held.upload}/parts/${n}`, one.body.slice(from, from + size(n)), "application/octet-stream",
        (part) => change(id, { sent: (done + part * size(n)) / one.body.size }), "PUT");
      return one.sending.done;
    });
    done += size(n);
    change(id, { sent: done / one.body.size });
  }
}

async function follow(id: string, name: string): Promise<Import> {
  for (;;) {
    try {
      const state = await api.get<Import>(`/datasets/imports/${name}`);
      change(id, { state });
      if (state.state === "done" || state.state === "failed") return state;
    } catch (e) {
      if (e instanceof Problem && e.status >= 400 && e.status < 500) throw e;
    }
    await new Promise((r) => setTimeout(r, POLL_MS));
  }
}

async function run(id: string, one: Work, name: string, held?: Received): Promise<void> {
  try {
    const begun = held ?? await insist(id, () => api.post<Received>("/datasets/uploads", { name, size: one.body.size, part_bytes: PART_BYTES }));
    one.server = begun.upload;
    remember([...remembered().filter(({ upload }) => upload !== begun.upload), { upload: begun.upload, name, bytes: one.body.size, print: one.print }]);
    await sendParts(id, one, begun);
    const queued = await insist(id, () => api.post<Queued>(`/datasets/uploads/${begun.upload}/complete`));
    forget(begun.upload);
    change(id, { phase: "importing", sent: 1 });
    const end = await follow(id, queued.import);
    change(id, { phase: end.state === "done" ? "done" : "failed" });
  } catch (e) {
    if (!(e instanceof Stopped)) {
      forget(one.server);
      change(id, { phase: "failed", error: e as Error });
    }
  } finally {
    work.delete(id);
    void one.client.invalidateQueries({ queryKey: ["datasets"] });
    void one.client.invalidateQueries({ queryKey: ["dataset"] });
  }
}

/** Sends one archive as it is, or other files in a tar; a dataset of this name gets a further version.  Files that an
 * interrupted upload began with go on with it. */
export async function startUpload(client: QueryClient, files: Named[], name = datasetName(files)): Promise<void> {
  if (!files.length) return;
  const sorted = [...files].sort((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0)); // a tar of equal files is equal
  const [first] = sorted;
  const body = sorted.length === 1 && first && isArchive(first.path) ? first.file : tar(sorted);
  const print = printOf(sorted);
  const before = remembered().find((one) => one.print === print && one.bytes === body.size && ![...work.values()].some(({ server }) => server === one.upload));
  const held = before && await api.get<Received>(`/datasets/uploads/${before.upload}`).catch(() => undefined);
  const goes = held?.state === "open" ? held : undefined;
  const id = `local-${++last}`;
  const one: Work = { client, body, print };
  work.set(id, one);
  uploads = [{ id, name: goes && before ? before.name : name, bytes: body.size, phase: "sending", sent: goes ? goes.received.length / Math.max(1, goes.parts) : 0 },
    ...uploads.filter((other) => other.id !== before?.upload)];
  change(id, {});
  await run(id, one, name, goes);
}

export function pauseUpload(id: string) {
  change(id, { phase: "paused" });
  work.get(id)?.sending?.abort();
}

export function resumeUpload(id: string) {
  change(id, { phase: "sending" });
  work.get(id)?.wake?.();
}

/** Gives it up, here and on the server. */
export function abortUpload(id: string) {
  const one = work.get(id);
  const server = one?.server ?? (phaseOf(id) === "interrupted" ? id : undefined);
  work.delete(id);
  one?.sending?.abort();
  one?.wake?.();
  if (server) {
    forget(server);
    void api.delete(`/datasets/uploads/${server}`).catch(() => undefined); // the server forgets it by itself in two days
  }
  dismissUpload(id);
}

export function dismissUpload(id: string) {
  uploads = uploads.filter((one) => one.id !== id);
  change("", {});
}

export function useUploads(): Upload[] {
  return useSyncExternalStore((fn) => {
    listeners.add(fn);
    return () => {
      listeners.delete(fn);
    };
  }, () => uploads);
}
