// The pages by path.  Every folder of pages/ that holds a route.ts is here by itself: adding a page touches
// nothing but its folder.  Pages are loaded when they are opened, or when a link to them is about to be.
import type { ComponentType } from "react";

import type { PlainKey } from "./i18n";
import type { IconName } from "./parts/icons";
import type { Role } from "./session";

/** Where the navigation shows a page: the daily work, or what is set up now and then. */
export type Section = "work" | "manage";

export interface Route {
  /** "/app/jobs/:id": the page gets {id} as its props, and is made anew for another one. */
  path: string;
  load: () => Promise<{ default: ComponentType<any> }>;
  /** The page's place in the navigation and in the palette; without it, other pages lead there. */
  nav?: { text: PlainKey; icon: IconName; section: Section; order: number };
  /** Who is offered it; the server decides what is allowed. */
  role?: Role;
}

const found = import.meta.glob<{ default: Route | Route[] }>("./pages/*/route.ts", { eager: true });

export const routes: Route[] = Object.values(found).flatMap((module) => module.default);
export const navigation = routes.filter((one): one is Route & { nav: NonNullable<Route["nav"]> } => one.nav !== undefined)
  .sort((a, b) => a.nav.order - b.nav.order);

const parts = (path: string) => path.replace(/\/+$/, "").split("/");

/** The parameters of "/app/jobs/:id" if the path is one of them. */
export function match(pattern: string, path: string): Record<string, string> | undefined {
  const want = parts(pattern), have = parts(path);
  if (want.length !== have.length) return undefined;
  const params: Record<string, string> = {};
  for (const [i, part] of want.entries()) {
    const given = have[i] ?? "";
    if (part.startsWith(":")) {
      try {
        params[part.slice(1)] = decodeURIComponent(given);
      } catch {
        return undefined;
      }
    } else if (part !== given) return undefined;
  }
  return params;
}

export interface Found { route: Route; params: Record<string, string> }

/** "/app/train/new" goes before "/app/train/:id". */
export function find(path: string, among: Route[] = routes): Found | undefined {
  const at = path === "/" ? "/app" : path;
  const all = among.flatMap((route) => {
    const params = match(route.path, at);
    return params ? [{ route, params }] : [];
  });
  return all.sort((a, b) => Object.keys(a.params).length - Object.keys(b.params).length)[0];
}

/** Begins to load the page of an address that is likely to be opened. */
export function preload(href: string) {
  const [path = ""] = href.split(/[?#]/);
  void find(path)?.route.load().catch(() => undefined); // opening it will say why
}
