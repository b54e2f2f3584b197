// A real Chromium on a real `anneal serve`, for the journeys of tests/web.
//
//   const web = await Web.open();               // or Web.open(anneal); Web.none says why there is no browser
//   const page = await web.login();             // logged in by the printed link, on the first page
//   await shots(page, "dataset-gallery");       // build/screenshots/dataset-gallery-{light,dark}-{en,ko}.png
//   await axe(page);                            // no violation as the page stands, light and dark, both languages
//   await view(page, "jobs");                   // both, what is misplaced (layout.ts), and the same on a phone
//   await web.close();                          // fails if a page complained or asked another host for anything
import assert from "node:assert/strict";
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";

import type { Browser, BrowserContext, Page } from "../../web/node_modules/playwright-core";
import { Anneal, root, until } from "./anneal";
import { misplaced } from "./layout";

export type { BrowserContext, Page };
export const chromium = process.env["CHROMIUM"] ?? "/usr/bin/chromium";
export const languages = ["en", "ko"] as const;
export const themes = ["light", "dark"] as const;
export type Language = (typeof languages)[number];
export type Theme = (typeof themes)[number];
/** For waits that a training or an import stands behind. */
export const SLOW_MS = 120_000;

const fromWeb = createRequire(join(root, "web/package.json"));
const WAIT_MS = 20_000;
/** `make test-web` looks at all; the default run at English in light, Korean in dark, and Korean on a phone. */
const EVERY_DRESS = process.env.WALK_ALL === "1" || process.env.CHECK_ALL === "1";

export class Web {
  /** Why the journeys cannot run here; false where they can. */
  static readonly none: string | false = existsSync(chromium) ? false : `there is no ${chromium}; apt-get install chromium`;
  /** What pages complained of (console errors, exceptions) and asked of other hosts; both stay empty. */
  readonly complaints: string[] = [];
  readonly foreign: string[] = [];

  private constructor(readonly anneal: Anneal, readonly browser: Browser, readonly context: BrowserContext, private readonly own: boolean) {}

  static async open(anneal?: Anneal, flags: string[] = []): Promise<Web> {
    const server = anneal ?? (await Anneal.start());
    const playwright = fromWeb("playwright-core") as typeof import("../../web/node_modules/playwright-core");
    const browser = await playwright.chromium.launch({
      executablePath: chromium,
      args: ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-dev-shm-usage", ...flags],
    });
    const context = await browser.newContext({ locale: "en-GB", viewport: { width: 1280, height: 900 } });
    context.setDefaultTimeout(WAIT_MS);
    const web = new Web(server, browser, context, !anneal);
    context.on("page", (page) => web.watch(page));
    return web;
  }

  private watch(page: Page) {
    page.on("request", (r) => {
      const url = new URL(r.url());
      if (url.origin !== this.anneal.url && !["blob:", "data:"].includes(url.protocol)) this.foreign.push(r.url());
    });
    page.on("pageerror", (e) => this.complaints.push(e.message));
    page.on("console", (m) => {
      if (m.type() === "error" && !m.text().startsWith("Failed to load resource")) this.complaints.push(m.text());
    });
  }

  /** A new tab, logged in by the link that serve printed (it holds once); later tabs share the session. */
  async login(path = "/app"): Promise<Page> {
    const page = await this.context.newPage();
    await page.goto(`${this.anneal.url}/#login=${this.anneal.link}`);
    await page.locator("h1").waitFor();
    if (path !== "/app") await this.go(page, path);
    return page;
  }

  async go(page: Page, path: string): Promise<void> {
    await page.goto(this.anneal.url + path);
    await settled(page);
  }

  async close(): Promise<void> {
    await this.browser.close();
    if (this.own) await this.anneal.remove();
    assert.deepEqual(this.foreign, [], "nothing is asked of another host");
    assert.deepEqual(this.complaints, [], "no page complains");
  }
}

/** Waits for an expression in the page; not Playwright's own wait, whose code the app's Content-Security-Policy refuses. */
const shown = (page: Page, expression: string) => until(expression, () => page.evaluate(expression).then(Boolean), WAIT_MS);

/** Waits until the page has its heading, its fonts, and nothing on it is loading. */
export async function settled(page: Page): Promise<void> {
  await page.locator("h1").first().waitFor();
  await shown(page, `!document.querySelector("[role=status].animate-pulse, [aria-busy=true]") && document.fonts.status === "loaded"`);
}

/** As a person would choose them; the page stands as it is, dialogs and drafts too. */
export async function dress(page: Page, theme: Theme, language: Language): Promise<void> {
  await page.evaluate(`for (const [key, value] of [["anneal-theme", "${theme}"], ["anneal-language", "${language}"]]) {
    localStorage.setItem(key, value);
    window.dispatchEvent(new StorageEvent("storage", { key, newValue: value }));
  }`);
  await shown(page, `document.documentElement.lang === "${language}" && document.documentElement.dataset.theme === "${theme}"`);
  await page.evaluate("document.fonts.ready.then(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))))");
}

async function dressed(page: Page, each: (theme: Theme, language: Language) => Promise<void>): Promise<void> {
  for (const language of languages)
    for (const theme of themes) {
      await dress(page, theme, language);
      await each(theme, language);
    }
  await dress(page, "light", "en");
}

/** build/screenshots/NAME-THEME-LANGUAGE.png of what is shown, in both themes and languages; and that nothing is
 * wider than the screen in any of them. */
export async function shots(page: Page, name: string): Promise<void> {
  const dir = join(root, "build/screenshots");
  mkdirSync(dir, { recursive: true });
  await dressed(page, async (theme, language) => {
    await page.screenshot({ path: join(dir, `${name}-${theme}-${language}.png`), animations: "disabled" });
    const over = await page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth");
    assert.equal(over, 0, `${name} is wider than the screen (${theme}, ${language})`);
  });
}

interface Violation { id: string; help: string; nodes: { html: string; failureSummary?: string }[] }

async function violations(page: Page, rules?: string[]): Promise<string[]> {
  if (!(await page.evaluate("typeof axe === 'object'"))) await page.evaluate(readFileSync(fromWeb.resolve("axe-core/axe.min.js"), "utf8"));
  const found = (await page.evaluate(`axe.run(document, ${JSON.stringify({ resultTypes: ["violations"], ...(rules && { runOnly: rules }) })}).then((r) => r.violations)`)) as Violation[];
  return found.flatMap((one) => one.nodes.map((node) => `${one.id}: ${one.help}\n  ${node.html.slice(0, 200)}\n  ${node.failureSummary ?? ""}`));
}

/** What axe-core finds, as the page stands, in both themes and languages. */
export async function axeFinds(page: Page): Promise<string[]> {
  const found: string[] = [];
  await dressed(page, async (theme, language) => {
    const path = new URL(page.url()).pathname;
    found.push(...(await violations(page)).map((one) => `${path} (${theme}, ${language}): ${one}`));
  });
  return found;
}

/** axe-core finds nothing. */
export async function axe(page: Page): Promise<void> {
  const found = await axeFinds(page);
  assert.ok(!found.length, found.join("\n"));
}

const DESK = { width: 1280, height: 900 }, PHONE = { width: 390, height: 844 }, NARROW = { width: 360, height: 740 };
/** Pictures that are in view have come, and the page was painted with them. */
const painted = (page: Page) => shown(page, `[...document.images].every((i) => i.complete || i.getBoundingClientRect().top > innerHeight)`);

/** Everything that is asked of a page as it stands: no violation of axe-core, nothing misplaced, in both themes and
 * languages at a desk and on a phone; with build/screenshots/NAME-THEME-LANGUAGE.png and NAME-phone-light-LANGUAGE.png.
 * Gives what it found. */
export async function view(page: Page, name: string): Promise<string[]> {
  const dir = join(root, "build/screenshots"), found: string[] = [];
  mkdirSync(dir, { recursive: true });
  const note = (where: string, all: string[]) => found.push(...all.map((one) => `${name} (${where}): ${one}`));
  await painted(page);
  for (const language of languages)
    for (const theme of themes) {
      // A theme changes colours alone: each language is looked at whole in one theme, and for its contrast in the other.
      const whole = (theme === "light") === (language === "en");
      if (!whole && !EVERY_DRESS) continue;
      await dress(page, theme, language);
      await page.screenshot({ path: join(dir, `${name}-${theme}-${language}.png`), animations: "disabled" });
      note(`${theme}, ${language}`, await violations(page, whole ? undefined : ["color-contrast"]));
      if (whole) note(language, await misplaced(page));
    }
  for (const language of EVERY_DRESS ? languages : (["ko"] as const)) {
    await page.setViewportSize(PHONE);
    await dress(page, "light", language);
    await painted(page);
    await page.screenshot({ path: join(dir, `${name}-phone-light-${language}.png`), animations: "disabled" });
    note(`phone, ${language}`, await misplaced(page));
    if (language === "en") note("phone", await violations(page));
    if (!EVERY_DRESS) continue;
    await page.setViewportSize(NARROW);
    await dress(page, "light", language);
    note(`narrow phone, ${language}`, await misplaced(page));
  }
  await page.setViewportSize(DESK);
  await dress(page, "light", "en");
  return found;
}
