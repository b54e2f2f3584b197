// Keys and commands.  What a page can do it registers while it is shown: the palette (Ctrl or Cmd and K) lists it, its
// keys do it, the sheet ("?") names it.  Keys are silent while somebody types or a dialog is open.
import { useEffect, useRef, useSyncExternalStore } from "react";

import type { IconName } from "./parts/icons";

export interface Command {
  text: string;
  run: () => void;
  /** "n", "g d" (one after the other), "Mod+k" (Ctrl, or Cmd on a Mac: also while somebody types). */
  keys?: string;
  icon?: IconName;
  /** Named in the sheet, not listed in the palette: "J, K: next, previous". */
  quiet?: boolean;
  everywhere?: boolean;
}

interface Registered { current: Command[] }
let registered: Registered[] = [];
let version = 0;
const listeners = new Set<() => void>();
const tell = () => {
  version++;
  listeners.forEach((fn) => fn());
};
const subscribe = (fn: () => void) => {
  listeners.add(fn);
  return () => {
    listeners.delete(fn);
  };
};

/** The commands of the component that is shown; they may be made anew in each rendering. */
export function useCommands(commands: Command[]) {
  const mine = useRef(commands);
  mine.current = commands;
  useEffect(() => {
    registered = [...registered, mine];
    tell();
    return () => {
      registered = registered.filter((one) => one !== mine);
      tell();
    };
  }, []);
}

export function useAllCommands(): Command[] {
  useSyncExternalStore(subscribe, () => version);
  return registered.flatMap((one) => one.current);
}

export const mac = /Mac|iPhone|iPad/.test(navigator.userAgent);
const PAUSE_MS = 1_200; // between the keys of "g d"

const typing = (at: EventTarget | null) =>
  at instanceof HTMLElement && (at.isContentEditable || at.matches("input:not([type=checkbox],[type=radio],[type=range]), textarea, select"));

function pressed(e: KeyboardEvent): string {
  const mod = mac ? e.metaKey : e.ctrlKey;
  const key = e.key.length === 1 ? e.key.toLowerCase() : e.key;
  return mod ? `Mod+${key}` : key;
}

let before: { key: string; at: number } | undefined;

function onKey(e: KeyboardEvent) {
  if (e.defaultPrevented || e.isComposing || e.altKey || (mac ? e.ctrlKey : e.metaKey)) return;
  const key = pressed(e);
  const plain = !key.startsWith("Mod+");
  if (plain && (typing(e.target) || document.querySelector("[role=dialog][data-state=open], [role=alertdialog], [role=menu]"))) {
    before = undefined;
    return;
  }
  const both = before && e.timeStamp - before.at < PAUSE_MS ? `${before.key} ${key}` : undefined;
  // The last one registered is the innermost.
  const all = registered.flatMap((one) => one.current).reverse();
  const command = all.find((one) => both !== undefined && one.keys === both) ?? all.find((one) => one.keys === key);
  before = !command && plain ? { key, at: e.timeStamp } : undefined;
  if (!command) return;
  e.preventDefault();
  command.run();
}

/** Listens for the keys of all commands; once, in the shell. */
export function useKeys() {
  useEffect(() => {
    window.addEventListener("keydown", onKey);
    return () => window.removeEventListener("keydown", onKey);
  }, []);
}

/** "Mod+k" as the keys are labelled: ["Ctrl", "K"]; "g d" as two strokes. */
export function strokes(keys: string): string[][] {
  return keys.split(" ").map((stroke) => stroke.split("+").map((one) =>
    one === "Mod" ? (mac ? "⌘" : "Ctrl") : one.startsWith("Arrow") ? { Up: "↑", Down: "↓", Left: "←", Right: "→" }[one.slice(5)] ?? one
      : one.length === 1 ? one.toUpperCase() : one));
}
