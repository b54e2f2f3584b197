// Light or dark: as the system says, unless chosen here.  The result stands in data-theme of <html>, which
// tokens.css reads and charts listen to.
import { useSyncExternalStore } from "react";

import { keep, kept, onKept } from "./kept";

export type Theme = "system" | "light" | "dark";

const KEY = "anneal-theme";
const dark = window.matchMedia("(prefers-color-scheme: dark)");

export function theme(): Theme {
  const chosen = kept(KEY);
  return chosen === "light" || chosen === "dark" ? chosen : "system";
}

function apply() {
  const chosen = theme();
  document.documentElement.dataset["theme"] = chosen === "system" ? (dark.matches ? "dark" : "light") : chosen;
}

export function setTheme(to: Theme) {
  keep(KEY, to === "system" ? undefined : to);
}

export const useTheme = (): Theme => useSyncExternalStore((fn) => onKept(KEY, fn), theme);

export function startTheme() {
  apply();
  dark.addEventListener("change", apply);
  onKept(KEY, apply);
}

/** The colour of a token, for canvases. */
export function color(token: string, alpha = 1): string {
  return `rgb(${getComputedStyle(document.documentElement).getPropertyValue(`--${token}`).trim()} / ${alpha})`;
}
