// Whether the server can be reached.  A call that fails on the way says no; from then on the server is asked until it
// answers, and a call that succeeds says yes at once.
import { useSyncExternalStore } from "react";

const RETRY_MS = [1000, 2000, 4000, 8000];

let reachable = true, tries = 0, timer: number | undefined;
const listeners = new Set<() => void>();

function set(to: boolean) {
  if (reachable === to) return;
  reachable = to;
  listeners.forEach((fn) => fn());
}

function knock() {
  timer = undefined;
  fetch("/health", { cache: "no-store" }).then(reached, again);
}

function again() {
  timer ??= window.setTimeout(knock, RETRY_MS[Math.min(tries++, RETRY_MS.length - 1)]);
}

export function lost() {
  set(false);
  again();
}

export function reached() {
  window.clearTimeout(timer);
  timer = undefined;
  tries = 0;
  set(true);
}

export const useReachable = (): boolean => useSyncExternalStore((fn) => {
  listeners.add(fn);
  return () => listeners.delete(fn);
}, () => reachable);
