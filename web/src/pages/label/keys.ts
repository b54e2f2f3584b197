// What the keys of the labelling view do.  Letters go by their place on the keyboard (code), so that they work
// with a Korean or any other layout.
import type { PlainKey } from "../../i18n";

export type Command =
  | { do: "class"; cls: number } | { do: "go"; by: 1 | -1 } | { do: "nudge"; dx: number; dy: number; grow: boolean }
  | { do: "new" | "next-box" | "last-box" | "delete" | "undo" | "redo" | "copy" | "paste" | "duplicate" | "accept" | "leave" | "fit" | "help" | "suggest" | "skip" }
  | { do: "cursor"; dx: number; dy: number } | { do: "point" | "close" | "next-corner" | "last-corner" | "corner-add" }
  | { do: "zoom"; by: number };

const ZOOM = 1.25;
const FAR = 10;

export function commandOf(e: Pick<KeyboardEvent, "key" | "code" | "ctrlKey" | "metaKey" | "shiftKey" | "altKey">, chosen: boolean, open = false): Command | undefined {
  const ctrl = e.ctrlKey || e.metaKey;
  if (e.altKey) return undefined;
  const arrow = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[e.key] as [number, number] | undefined;
  if (arrow) {
    const by = e.shiftKey ? FAR : 1;
    if (open) return { do: "cursor", dx: arrow[0] * by, dy: arrow[1] * by };
    if (chosen) return { do: "nudge", dx: arrow[0] * by, dy: arrow[1] * by, grow: ctrl };
    return arrow[0] && !ctrl ? { do: "go", by: arrow[0] as 1 | -1 } : undefined;
  }
  if (ctrl) {
    if (e.code === "KeyZ") return { do: e.shiftKey ? "redo" : "undo" };
    if (e.code === "KeyY") return { do: "redo" };
    if (e.code === "KeyC") return { do: "copy" };
    if (e.code === "KeyV") return { do: "paste" };
    if (e.code === "KeyD") return { do: "duplicate" };
    return undefined;
  }
  if (open) {
    if (e.code === "Space") return { do: "point" };
    if (e.code === "Enter" || e.code === "NumpadEnter") return { do: "close" };
    if (e.code === "Backspace" || e.code === "Delete") return { do: "undo" };
  }
  const digit = /^(?:Digit|Numpad)(\d)$/.exec(e.code)?.[1];
  if (digit !== undefined && !e.shiftKey) return { do: "class", cls: (Number(digit) + 9) % 10 }; // 1 is the first, 0 the tenth
  if (e.key === "?") return { do: "help" };
  if (e.key === "+" || e.key === "=") return { do: "zoom", by: ZOOM };
  if (e.key === "-") return { do: "zoom", by: 1 / ZOOM };
  switch (e.code) {
    case "KeyN": return { do: "new" };
    case "KeyV": return { do: e.shiftKey ? "last-corner" : "next-corner" };
    case "KeyI": return { do: "corner-add" };
    case "BracketRight": return { do: "next-box" };
    case "BracketLeft": return { do: "last-box" };
    case "Delete": case "Backspace": return { do: "delete" };
    case "Period": case "KeyD": case "PageDown": return { do: "go", by: 1 };
    case "Comma": case "KeyA": case "PageUp": return { do: "go", by: -1 };
    case "Enter": case "NumpadEnter": return { do: "accept" };
    case "Escape": return { do: "leave" };
    case "KeyF": return { do: "fit" };
    case "KeyS": return { do: "suggest" };
    default: return undefined;
  }
}

export const shortcuts: [string, PlainKey][] = [
  ["1 – 9, 0", "labelKeys.class"],
  ["→ ←  /  D A", "labelKeys.go"],
  ["Enter", "labelKeys.accept"],
  ["N", "labelKeys.new"],
  ["Space, Enter, Backspace", "labelKeys.outline"],
  ["[ ]", "labelKeys.step"],
  ["V, Shift + V", "labelKeys.corner"],
  ["I", "labelKeys.cornerAdd"],
  ["→ ← ↑ ↓", "labelKeys.move"],
  ["Ctrl + → ← ↑ ↓", "labelKeys.resize"],
  ["Shift", "labelKeys.far"],
  ["Del", "labelKeys.delete"],
  ["Ctrl + C, V, D", "labelKeys.copy"],
  ["Ctrl + Z, Y", "labelKeys.undo"],
  ["+ −  F", "labelKeys.zoom"],
  ["S", "labelKeys.suggest"],
  ["Esc", "labelKeys.leave"],
];
