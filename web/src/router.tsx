// Pages live under /app/..., by the browser's own history; the server answers each of them with the app.
import { type AnchorHTMLAttributes, type MouseEvent, useEffect, useSyncExternalStore } from "react";

import { preload } from "./routes";

const listeners = new Set<() => void>();
const tell = () => listeners.forEach((one) => one());
window.addEventListener("popstate", tell);

export function navigate(to: string, replace = false) {
  if (to === location.pathname + location.search) return;
  history[replace ? "replaceState" : "pushState"](null, "", to);
  if (!replace) window.scrollTo(0, 0);
  tell();
}

/** Changes parts of the query in place; empty values leave it. */
export function setQuery(change: Record<string, string>) {
  const query = new URLSearchParams(location.search);
  for (const [name, value] of Object.entries(change)) value ? query.set(name, value) : query.delete(name);
  const text = query.toString();
  navigate(location.pathname + (text ? `?${text}` : ""), true);
}

const subscribe = (fn: () => void) => {
  listeners.add(fn);
  return () => listeners.delete(fn);
};

export const usePath = () => useSyncExternalStore(subscribe, () => location.pathname);

export function useQueryParams(): URLSearchParams {
  return new URLSearchParams(useSyncExternalStore(subscribe, () => location.search));
}

type LinkProps = AnchorHTMLAttributes<HTMLAnchorElement> & { href: string };

/** A link inside the app; its page begins to load when the pointer or the focus reaches it. */
export function Link({ href, onClick, ...rest }: LinkProps) {
  const follow = (e: MouseEvent<HTMLAnchorElement>) => {
    onClick?.(e);
    if (e.defaultPrevented || e.button !== 0 || e.metaKey || e.ctrlKey || e.shiftKey || e.altKey) return;
    e.preventDefault();
    navigate(href);
  };
  const near = () => preload(href);
  return <a href={href} onClick={follow} onPointerEnter={near} onFocus={near} {...rest} />;
}

export function useTitle(title: string) {
  useEffect(() => {
    document.title = title ? `${title} - Anneal` : "Anneal";
  }, [title]);
}
