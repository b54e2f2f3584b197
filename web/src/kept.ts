// What this browser keeps of a person's choices (language, theme, layout): every open tab follows a change.
const listeners = new Map<string, Set<() => void>>();

const tell = (key: string) => listeners.get(key)?.forEach((one) => one());
window.addEventListener("storage", (e) => {
  if (e.key !== null) tell(e.key);
});

/** Keeps a value, or forgets it; listeners of this tab are told too. */
export function keep(key: string, value: string | undefined) {
  if (value === undefined) localStorage.removeItem(key);
  else localStorage.setItem(key, value);
  tell(key);
}

export const kept = (key: string): string | null => localStorage.getItem(key);

/** Calls back when the value changes here or in another tab; returns what ends it. */
export function onKept(key: string, fn: () => void): () => void {
  const set = listeners.get(key) ?? new Set();
  listeners.set(key, set.add(fn));
  return () => {
    set.delete(fn);
  };
}
