// The web app in a real browser (Debian's chromium): the way from the printed link to a prediction, what happens
// when the session ends or no WebSocket can be opened, and that nothing leaves the server.  Skipped, with a word,
// where chromium is not installed.
import assert from "node:assert/strict";
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";

import type { Browser, BrowserContext, Page } from "../../web/node_modules/playwright-core";
import { Anneal, root, until } from "../lib/anneal";
import { create, upload } from "../lib/jobs";
import { noise, patterns, png } from "../lib/pictures";

const chromium = process.env["CHROMIUM"] ?? "/usr/bin/chromium";
const skip = existsSync(chromium) ? false : `there is no ${chromium}; apt-get install chromium`;
const SLOW_MS = 120_000;
const dialog = "[role=dialog], [role=alertdialog]";

let anneal: Anneal, browser: Browser, context: BrowserContext, page: Page, dir: string;
const foreign: string[] = [], complaints: string[] = [];

/** Runs in the page: what a screen reader could only call "button" or "edit". */
const nameless = `[...document.querySelectorAll("button, a[href], input:not([hidden]), select, textarea, [role=tab], [role=img], img")]
  .filter((e) => e.checkVisibility() && !(e.getAttribute("aria-label") || e.tagName !== "SELECT" && e.textContent.trim() || e.alt !== undefined && e.hasAttribute("alt")
    || [...(e.labels ?? [])].some((l) => l.textContent.trim()) || e.title))
  .map((e) => e.outerHTML.slice(0, 120))`;

function watch(one: Page) {
  one.on("request", (r) => {
    const url = new URL(r.url());
    if (url.origin !== anneal.url && !["blob:", "data:"].includes(url.protocol)) foreign.push(r.url());
  });
  one.on("pageerror", (e) => complaints.push(e.message));
  one.on("console", (m) => {
    if (m.type() === "error" && !m.text().startsWith("Failed to load resource")) complaints.push(m.text());
  });
}

before(async () => {
  if (skip) return;
  anneal = await Anneal.start();
  dir = mkdtempSync(join(tmpdir(), "anneal-browser-"));
  const playwright = createRequire(join(root, "web/package.json"))("playwright-core") as typeof import("../../web/node_modules/playwright-core");
  browser = await playwright.chromium.launch({
    executablePath: chromium, args: ["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
  });
  context = await browser.newContext({ locale: "en-GB", viewport: { width: 1280, height: 900 } });
  context.setDefaultTimeout(20_000);
  page = await context.newPage();
  watch(page);
});
after(async () => {
  await browser?.close();
  await anneal?.remove();
  if (dir) rmSync(dir, { recursive: true, force: true });
});

describe("the web app", { skip }, () => {
  test("the link logs in and its secret leaves the address bar", async () => {
    await page.goto(`${anneal.url}/#login=${anneal.link}`);
    await page.getByRole("heading", { name: "A model in a minute" }).waitFor();
    assert.equal(page.url(), `${anneal.url}/`);
  });

  test("a folder with one subfolder a class becomes a dataset, long names too", async () => {
    const flowers = join(dir, "flowers");
    for (const [k, kind] of ["daisy", "rose"].entries()) {
      mkdirSync(join(flowers, kind), { recursive: true });
      for (let i = 0; i < 13; i++)
        writeFileSync(join(flowers, kind, `${i === 12 ? "é".repeat(70) : i}.png`), png(12, 12, (x, y) => [200 * k, 10 * i, (x * y) % 255]));
    }
    await page.goto(`${anneal.url}/app/datasets`);
    await page.locator("input[type=file][webkitdirectory]").setInputFiles(flowers);
    const line = page.locator("[data-phase=done]");
    await line.waitFor({ timeout: SLOW_MS });
    assert.match(await line.innerText(), /flowers\s+Imported: 26 pictures, 0 faults/);
    await line.getByRole("link", { name: "Look at it" }).click();
    await page.getByRole("heading", { name: "flowers" }).waitFor();
    await page.getByRole("img", { name: "daisy" }).first().waitFor();
    assert.equal(await page.locator("main img").count(), 26);
  });

  test("a dataset is split anew: the page shows the new version when it is there", async () => {
    await page.getByRole("button", { name: "Split anew" }).click();
    await page.locator(dialog).getByLabel("Validation").fill("50");
    await page.locator(dialog).getByRole("button", { name: "Make the version" }).click();
    await page.getByRole("tab", { name: "Versions (2)" }).click({ timeout: SLOW_MS });
    await page.getByRole("cell", { name: /^1[2-4] \/ 1[2-4] \/ 0$/ }).waitFor();
  });

  test("a file that is no archive of pictures fails with the server's reason", async () => {
    await page.goto(`${anneal.url}/app/datasets`);
    await page.locator("input[type=file]:not([webkitdirectory])").setInputFiles({ name: "broken.zip", mimeType: "application/zip", buffer: Buffer.from("no zip at all") });
    const line = page.locator("[data-phase=failed]");
    await line.waitFor({ timeout: SLOW_MS });
    assert.ok((await line.getByRole("alert").innerText()).length > 10);
  });

  test("a training is started, watched live to its end, looked into and tried", async () => {
    await page.goto(`${anneal.url}/app/datasets`);
    await page.locator("input[type=file]:not([webkitdirectory])").setInputFiles({ name: "patterns.tar", mimeType: "application/x-tar", buffer: patterns(40, 12) });
    const line = page.locator("[data-phase=done]", { hasText: "patterns" });
    await line.waitFor({ timeout: SLOW_MS });
    await line.getByRole("link", { name: "Start training" }).click();
    await page.getByRole("radio", { name: /Tiny/ }).check();
    await page.getByLabel("Epochs", { exact: true }).fill("2");
    await page.getByLabel("Warm-up epochs").fill("5");
    await page.getByRole("button", { name: "Start training" }).click();
    const refused = page.locator("[aria-invalid=true]");
    await refused.waitFor();
    assert.equal(await refused.getAttribute("type"), "number");
    assert.match(await page.getByRole("alert").first().innerText(), /warm-up/);
    await page.getByLabel("Warm-up epochs").fill("0");
    await page.getByRole("button", { name: "Start training" }).click();
    await page.waitForURL(/\/app\/jobs\/\w+$/);
    await page.locator("main").getByText("Completed", { exact: true }).waitFor({ timeout: SLOW_MS });
    await page.getByRole("img", { name: /^Loss: .*train\/loss \d/ }).waitFor();

    await page.getByRole("tab", { name: "Validation" }).click();
    await page.getByText("Confusion matrix").waitFor();
    await page.locator("table button:enabled").first().click();
    await page.locator(dialog).locator("img").first().waitFor();
    await page.keyboard.press("Escape");
    assert.equal(await page.locator(dialog).count(), 0);

    await page.getByRole("tab", { name: "Try it" }).click();
    const disc = png(24, 24, (x, y) => ((x - 12) ** 2 + (y - 12) ** 2 < 36 ? [190, 190, 190] : [60, 60, 60 + Math.floor(20 * noise(x, y))]));
    await page.locator("input[type=file]").setInputFiles([{ name: "mine.png", mimeType: "image/png", buffer: disc },
      { name: "text.png", mimeType: "image/png", buffer: Buffer.from("not a picture") }]);
    await page.locator("main li", { hasText: "mine.png" }).getByText("%").first().waitFor({ timeout: SLOW_MS });
    assert.match(await page.locator("main li", { hasText: "text.png" }).getByRole("alert").innerText(), /\w{3}/);
  });

  test("a job is followed by Server-Sent Events where no WebSocket can be opened, and cancelled after a question", async () => {
    await upload(anneal, "long", patterns(200, 20));
    const id = await create(anneal, "long", { model: "tiny", epochs: 500, warmup_epochs: 0 });
    const other = await context.newPage();
    watch(other);
    await other.addInitScript("window.WebSocket = class { constructor() { throw new Error('none'); } }");
    await other.goto(`${anneal.url}/app/jobs/${id}`);
    await other.getByRole("img", { name: /^Loss/ }).waitFor({ timeout: SLOW_MS });
    await other.getByRole("button", { name: "Cancel the job" }).click();
    await other.locator(dialog).getByText(/is under way|No epoch has been/).waitFor();
    await other.locator(dialog).getByRole("button", { name: "Cancel the job" }).click();
    await other.locator("main").getByText("Cancelled", { exact: true }).waitFor();
    await other.close();
  });

  test("a page goes on by itself after the server was gone, without losing or doubling an epoch", async () => {
    const id = await create(anneal, "long", { model: "tiny", epochs: 1000, warmup_epochs: 0 });
    await page.goto(`${anneal.url}/app/jobs/${id}`);
    const chart = page.getByRole("img", { name: /^Loss/ });
    const epoch = async () => Number((await page.locator("dt", { hasText: "Epoch" }).locator("xpath=../dd").innerText()).split(" ")[0]);
    await chart.waitFor({ timeout: SLOW_MS });
    await anneal.down();
    await page.getByText("The connection is lost").waitFor({ timeout: SLOW_MS });
    const before = await epoch();
    await anneal.up();
    await until("two further epochs are shown", async () => (await epoch()) > before + 1, SLOW_MS);
    await page.getByText(/as a table/).click();
    const rows = (await page.locator("details tbody th").allInnerTexts()).map(Number);
    assert.deepEqual(rows, [...new Set(rows)].sort((a, b) => b - a), "each epoch once");
    assert.equal((rows[0] ?? 0) - (rows.at(-1) ?? 0), rows.length - 1, "no epoch is missing");
    await anneal.api("DELETE", `/training/jobs/${id}`);
    await page.locator("main").getByText("Cancelled", { exact: true }).waitFor();
  });

  test("tabs that find their access expired at once refresh it without ending the session", async () => {
    const tabs = [page, await context.newPage(), await context.newPage()];
    for (const round of [1, 2, 3]) {
      await context.clearCookies({ name: "anneal_session" });
      await Promise.all(tabs.map((tab) => tab.goto(`${anneal.url}/app/jobs?round=${round}`)));
      for (const tab of tabs) await tab.locator("main li").first().waitFor();
    }
    await tabs[1]?.close();
    await tabs[2]?.close();
  });

  test("when the session has ended, one logs in over the page and it goes on", async () => {
    await page.goto(`${anneal.url}/app/account`);
    await page.getByLabel("New password").fill("correct horse battery");
    await page.getByRole("button", { name: "Change the password" }).click();
    await page.getByText("Saved").waitFor();
    await context.clearCookies();
    await page.getByRole("link", { name: "Jobs" }).first().click();
    await page.getByRole("heading", { name: "Log in again" }).waitFor();
    await page.locator(dialog).getByLabel("Password").fill("wrong wrong wrong");
    await page.locator(dialog).getByRole("button", { name: "Log in" }).click();
    await page.locator(dialog).getByRole("alert").waitFor();
    await page.locator(dialog).getByLabel("Password").fill("correct horse battery");
    await page.locator(dialog).getByRole("button", { name: "Log in" }).click();
    await page.locator("main li").first().waitFor();
    assert.equal(await page.locator(dialog).count(), 0);
  });

  test("the language is kept, and logging out leads to the log-in form", async () => {
    await page.getByLabel("Language").first().selectOption("ko");
    await page.reload();
    await page.getByRole("heading", { name: "작업" }).waitFor();
    assert.equal(await page.locator("html").getAttribute("lang"), "ko");
    await page.goto(`${anneal.url}/app/account`);
    await page.getByRole("button", { name: "로그아웃" }).click();
    await page.getByLabel("비밀번호", { exact: true }).waitFor();
    assert.equal((await context.request.get(`${anneal.url}/auth/me`)).status(), 401);
  });

  test("every control has a name, no page is wider than a phone, nothing was asked of another host, and nothing complained", async () => {
    const login = await context.request.post(`${anneal.url}/auth/login`, {
      data: { email: (await anneal.get("/auth/me")).email, password: "correct horse battery" },
    });
    assert.equal(login.status(), 200);
    await page.setViewportSize({ width: 360, height: 740 });
    const job = (await anneal.get("/training/jobs?status=completed")).jobs[0].job;
    const dataset = (await anneal.get("/datasets")).datasets[0].id;
    const paths = ["/", "/app/datasets", `/app/datasets/${dataset}`, `/app/datasets/${dataset}?tab=balance`, `/app/datasets/${dataset}?tab=versions`,
      "/app/train", "/app/jobs", "/app/jobs?sort=queue", ...["charts", "validation", "try", "log", "details"].map((tab) => `/app/jobs/${job}?tab=${tab}`),
      "/app/account", "/app/users", "/app/projects"];
    for (const path of paths) {
      await page.goto(anneal.url + path);
      await page.locator("h1").waitFor();
      await page.locator(".animate-pulse").first().waitFor({ state: "detached" });
      const over = await page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth");
      assert.equal(over, 0, `${path} is wider than the screen`);
      assert.deepEqual(await page.evaluate(nameless), [], `${path} has controls without a name`);
      assert.equal(await page.locator("h1").count(), 1, `${path} has one heading of the first level`);
    }
    assert.deepEqual(foreign, []);
    assert.deepEqual(complaints, []);
  });
});
