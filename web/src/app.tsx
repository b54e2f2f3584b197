// The shell: navigation around the page that the path names (routes.ts).
import { type ComponentType, lazy, Suspense, useEffect, useRef, useState } from "react";

import { useTexts } from "./i18n";
import { mac, useCommands, useKeys } from "./keys";
import { Boundary } from "./parts/boundary";
import { Mark, Preferences } from "./parts/brand";
import { Connection } from "./parts/connection";
import { TooltipProvider } from "./parts/menu";
import { Toasts } from "./parts/toast";
import { ButtonLink, Dialog, Icon, IconButton, icons, Loading, PageHead } from "./parts/ui";
import { Link, navigate, usePath } from "./router";
import { find, navigation, type Route, routes, type Section } from "./routes";
import { atLeast, SessionGate, useSession } from "./session";

const pages = new Map<Route, ComponentType<Record<string, string>>>(routes.map((route) => [route, lazy(route.load)]));
const Palette = lazy(() => import("./parts/palette"));
const KeysSheet = lazy(() => import("./parts/keys-sheet"));
const BAR = 4; // pages in a phone's bar; the rest is behind "More"

/** The page of the navigation that a path belongs to: the longest that it goes on from. */
function placeOf(path: string): Route | undefined {
  const at = path === "/" ? "/app" : path.replace(/\/+$/, "");
  return navigation.filter(({ path: nav }) => at === nav || (nav !== "/app" && at.startsWith(`${nav}/`)))
    .sort((a, b) => b.path.length - a.path.length)[0];
}

function useOffered(section?: Section) {
  const { me } = useSession();
  return navigation.filter((one) => (!section || one.nav.section === section) && (!one.role || atLeast(me.role, one.role)));
}

function NavLinks({ path, of, item, onGo }: { path: string; of: ReturnType<typeof useOffered>; item: string; onGo?: () => void }) {
  const { t } = useTexts();
  const place = placeOf(path);
  return (
    <>
      {of.map((route) => (
        <Link key={route.path} href={route.path} aria-current={route === place ? "page" : undefined} {...(onGo && { onClick: onGo })}
          className={`${item} ${route === place ? "bg-raised font-medium text-foreground" : "text-muted hover:bg-raised hover:text-foreground"}`}>
          <Icon d={icons[route.nav.icon]} />
          <span className="min-w-0 truncate">{t(route.nav.text)}</span>
        </Link>
      ))}
    </>
  );
}

const rowLook = "flex min-h-10 items-center gap-3 rounded px-3 text-sm";
const barLook = "flex min-h-14 flex-col items-center justify-center gap-0.5 px-1 text-[0.7rem]";

/** "g" and then the first letter of the page's address. */
const keysOf = (route: Route) => `g ${route.path.split("/")[2]?.[0] ?? "h"}`;

/** The palette and the sheet of keys, over any page. */
function Everywhere({ open, setOpen }: { open: Over; setOpen: (to: Over) => void }) {
  const { t } = useTexts();
  const offered = useOffered();
  const taken = new Set<string>();
  const pages = offered.filter((one) => !taken.has(keysOf(one)) && taken.add(keysOf(one)));
  useKeys();
  useCommands([
    { text: t("keys.palette"), keys: "Mod+k", run: () => setOpen("palette"), everywhere: true },
    { text: t("keys.palette"), keys: "/", run: () => setOpen("palette"), everywhere: true },
    { text: t("keys.help"), keys: "?", run: () => setOpen("keys"), everywhere: true },
    ...pages.map((one) => ({ text: t("keys.go", { page: t(one.nav.text) }), keys: keysOf(one), run: () => navigate(one.path), everywhere: true })),
  ]);
  const close = () => setOpen(undefined);
  return (
    <Suspense>
      {open === "palette" && <Palette onClose={close} />}
      {open === "keys" && <KeysSheet onClose={close} />}
    </Suspense>
  );
}
type Over = "palette" | "keys" | undefined;

function Sidebar({ path, onSearch }: { path: string; onSearch: () => void }) {
  const { t } = useTexts();
  const { me } = useSession();
  const work = useOffered("work"), manage = useOffered("manage");
  return (
    <aside className="sticky top-0 hidden h-dvh flex-col gap-5 overflow-y-auto border-r border-border bg-surface p-4 lg:flex">
      <Link href="/app" className="flex items-center gap-2 px-2 text-lg font-semibold"><Mark />Anneal</Link>
      <button type="button" onClick={onSearch} aria-haspopup="dialog"
        className="flex min-h-10 items-center gap-3 rounded border border-border px-3 text-sm text-muted hover:bg-raised hover:text-foreground">
        <Icon d={icons.search} size={18} />
        <span className="flex-1 text-left">{t("palette.open")}</span>
        <kbd className="font-sans text-xs">{mac ? "⌘ K" : "Ctrl K"}</kbd>
      </button>
      <nav aria-label={t("navigation")} className="flex flex-col gap-5">
        <div className="flex flex-col gap-1"><NavLinks path={path} of={work} item={rowLook} /></div>
        <div className="flex flex-col gap-1">
          <p className="px-3 pb-1 text-xs font-medium text-muted">{t("nav.manage")}</p>
          <NavLinks path={path} of={manage} item={rowLook} />
        </div>
      </nav>
      <div className="mt-auto space-y-3">
        <Preferences />
        <Link href="/app/account" className="block truncate text-sm text-muted hover:text-foreground">{me.name || me.email}</Link>
      </div>
    </aside>
  );
}

/** On a phone: the first pages in a bar below, all of them behind its last place. */
function Bar({ path }: { path: string }) {
  const { t } = useTexts();
  const [open, setOpen] = useState(false);
  const all = useOffered();
  const close = () => setOpen(false);
  const bar = all.slice(0, BAR);
  const place = placeOf(path);
  return (
    <>
      <nav aria-label={t("navigation")} className="fixed inset-x-0 bottom-0 z-10 grid grid-cols-5 border-t border-border bg-surface pb-[env(safe-area-inset-bottom)] lg:hidden">
        <NavLinks path={path} of={bar} item={barLook} />
        <button type="button" aria-haspopup="dialog" onClick={() => setOpen(true)}
          className={`${barLook} ${place && !bar.some((one) => one === place) ? "bg-raised font-medium" : "text-muted"}`}>
          <Icon d={icons.menu} />
          {t("nav.more")}
        </button>
      </nav>
      {open && (
        <Dialog title={t("navigation")} onClose={close}>
          <nav aria-label={t("navigation")} className="grid grid-cols-2 gap-1"><NavLinks path={path} of={all} item={rowLook} onGo={close} /></nav>
          <div className="mt-5 border-t border-border pt-4"><Preferences /></div>
        </Dialog>
      )}
    </>
  );
}

function Pages({ path }: { path: string }) {
  const { t } = useTexts();
  const found = find(path);
  const Page = found && pages.get(found.route);
  if (!Page) return <><PageHead title={t("noPage")} /><ButtonLink href="/app">{t("home")}</ButtonLink></>;
  return <Boundary key={path}><Page {...found.params} /></Boundary>;
}

function Shell() {
  const { t } = useTexts();
  const { me } = useSession();
  const path = usePath();
  const main = useRef<HTMLElement>(null);
  const first = useRef(true);
  const [over, setOver] = useState<Over>();
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
      <header className="flex items-center justify-between border-b border-border bg-surface px-4 py-2 lg:hidden">
        <Link href="/app" className="flex items-center gap-2 font-semibold"><Mark size={24} />Anneal</Link>
        <div className="flex min-w-0 items-center gap-1">
          <IconButton label={t("palette.open")} d={icons.search} aria-haspopup="dialog" onClick={() => setOver("palette")} />
          <Link href="/app/account" className="truncate py-2 text-sm text-muted">{me.name || me.email}</Link>
        </div>
      </header>
      <Sidebar path={path} onSearch={() => setOver("palette")} />
      <div className="min-w-0">
        <Connection />
        <main id="main" ref={main} tabIndex={-1} className="mx-auto w-full min-w-0 max-w-6xl px-4 pb-28 pt-6 outline-none sm:px-6 lg:px-8 lg:pb-12 lg:pt-8">
          <Suspense fallback={<Loading lines={4} />}><Pages path={path} /></Suspense>
        </main>
      </div>
      <Bar path={path} />
      <Everywhere open={over} setOpen={setOver} />
    </div>
  );
}

export function App() {
  return (
    <TooltipProvider>
      <SessionGate><Shell /></SessionGate>
      <Toasts />
    </TooltipProvider>
  );
}
