// The shell: navigation around the page that the path names.  A page is a folder of pages/; what few need is
// loaded when it is opened.
import { lazy, type ReactNode, Suspense, useEffect, useRef } from "react";

import { useTexts } from "./i18n";
import { Home } from "./pages/home/page";
import { Mark, Preferences } from "./parts/brand";
import { ButtonLink, Empty, Icon, icons, Loading } from "./parts/ui";
import { Link, match, usePath } from "./router";
import { SessionGate, useSession } from "./session";

const Datasets = lazy(() => import("./pages/datasets/page"));
const Dataset = lazy(() => import("./pages/dataset/page"));
const Train = lazy(() => import("./pages/train/page"));
const Jobs = lazy(() => import("./pages/jobs/page"));
const Job = lazy(() => import("./pages/job/page"));
const Account = lazy(() => import("./pages/account/page"));
const Users = lazy(() => import("./pages/users/page"));
const Projects = lazy(() => import("./pages/projects/page"));

type Params = Record<string, string>;
const routes: [string, (p: Params) => ReactNode][] = [
  ["", () => <Home />],
  ["/app", () => <Home />],
  ["/app/datasets", () => <Datasets />],
  ["/app/datasets/:id", (p) => <Dataset key={p["id"]} id={p["id"] ?? ""} />],
  ["/app/train", () => <Train />],
  ["/app/jobs", () => <Jobs />],
  ["/app/jobs/:id", (p) => <Job key={p["id"]} id={p["id"] ?? ""} />],
  ["/app/account", () => <Account />],
  ["/app/users", () => <Users />],
  ["/app/projects", () => <Projects />],
  ["/app/projects/:id", (p) => <Projects key={p["id"]} open={p["id"] ?? ""} />],
];

const nav = [
  { href: "/app", text: "home", icon: icons.home },
  { href: "/app/datasets", text: "datasets", icon: icons.data },
  { href: "/app/train", text: "train", icon: icons.train },
  { href: "/app/jobs", text: "jobs", icon: icons.jobs },
  { href: "/app/account", text: "account", icon: icons.people },
] as const;

function here(href: string, path: string): boolean {
  if (href === "/app") return path === "/" || path === "/app" || path === "/app/";
  return path === href || path.startsWith(`${href}/`) || (href === "/app/account" && /^\/app\/(users|projects)/.test(path));
}

function Nav({ path, className, item }: { path: string; className: string; item: string }) {
  const { t } = useTexts();
  return (
    <nav aria-label={t("navigation")} className={className}>
      {nav.map(({ href, text, icon }) => {
        const now = here(href, path);
        return (
          <Link key={href} href={href} aria-current={now ? "page" : undefined}
            className={`${item} ${now ? "bg-raised font-medium text-foreground" : "text-muted hover:bg-raised hover:text-foreground"}`}>
            <Icon d={icon} />
            {t(text)}
          </Link>
        );
      })}
    </nav>
  );
}

function Pages({ path }: { path: string }) {
  const { t } = useTexts();
  for (const [pattern, page] of routes) {
    const params = match(pattern, path);
    if (params) return <>{page(params)}</>;
  }
  return <Empty title={t("noPage")}><ButtonLink href="/app">{t("home")}</ButtonLink></Empty>;
}

function Shell() {
  const { t } = useTexts();
  const { me } = useSession();
  const path = usePath();
  const main = useRef<HTMLElement>(null);
  const first = useRef(true);
  useEffect(() => {
    if (!first.current) main.current?.focus({ preventScroll: true });
    first.current = false;
  }, [path]);
  return (
    <div className="lg:grid lg:min-h-dvh lg:grid-cols-[15rem_1fr]">
      <a href="#main" onClick={(e) => {
        e.preventDefault();
        main.current?.focus();
      }} className="sr-only focus:not-sr-only focus:absolute focus:z-20 focus:m-2 focus:rounded focus:bg-surface focus:p-2">
        {t("skip")}
      </a>
      <div className="flex items-center justify-between border-b border-border bg-surface px-4 py-2 lg:hidden">
        <Link href="/app" className="flex items-center gap-2 font-semibold"><Mark size={24} />Anneal</Link>
        <Link href="/app/account" className="max-w-[50%] truncate py-2 text-sm text-muted">{me.name || me.email}</Link>
      </div>
      <aside className="sticky top-0 hidden h-dvh flex-col gap-6 border-r border-border bg-surface p-4 lg:flex">
        <Link href="/app" className="flex items-center gap-2 px-2 text-lg font-semibold"><Mark />Anneal</Link>
        <Nav path={path} className="flex flex-col gap-1" item="flex min-h-10 items-center gap-3 rounded px-3 text-sm" />
        <div className="mt-auto space-y-3">
          <Preferences />
          <Link href="/app/account" className="block truncate text-sm text-muted hover:text-foreground">{me.name || me.email}</Link>
        </div>
      </aside>
      <main id="main" ref={main} tabIndex={-1} className="mx-auto w-full min-w-0 max-w-6xl px-4 pb-28 pt-6 outline-none sm:px-6 lg:px-8 lg:pb-12 lg:pt-8">
        <Suspense fallback={<Loading lines={4} />}><Pages path={path} /></Suspense>
      </main>
      <Nav path={path} className="fixed inset-x-0 bottom-0 z-10 grid grid-cols-5 border-t border-border bg-surface pb-[env(safe-area-inset-bottom)] lg:hidden"
        item="flex min-h-14 flex-col items-center justify-center gap-0.5 text-[0.7rem]" />
    </div>
  );
}

export function App() {
  return <SessionGate><Shell /></SessionGate>;
}
