// Light or dark: as the system says, unless chosen here.  The result stands in data-theme of <html>, which
// tokens.css reads and charts listen to.
export type Theme = "system" | "light" | "dark";

const KEY = "anneal-theme";
const dark = window.matchMedia("(prefers-color-scheme: dark)");

export function theme(): Theme {
  const kept = localStorage.getItem(KEY);
  return kept === "light" || kept === "dark" ? kept : "system";
}

function apply() {
  const chosen = theme();
  document.documentElement.dataset["theme"] = chosen === "system" ? (dark.matches ? "dark" : "light") : chosen;
}

export function setTheme(to: Theme) {
  if (to === "system") localStorage.removeItem(KEY);
  else localStorage.setItem(KEY, to);
  apply();
}

export function startTheme() {
  apply();
  dark.addEventListener("change", apply);
}

/** The colour of a token, for canvases. */
export function color(token: string, alpha = 1): string {
  return `rgb(${getComputedStyle(document.documentElement).getPropertyValue(`--${token}`).trim()} / ${alpha})`;
}
