// Every page of the route table, each of its tabs, and every dialog and menu over them, with data and without: axe-core,
// screenshots, what is misplaced (tests/lib/layout.ts), at a desk and on a phone, in both themes and languages.  The
// rows stand in walks.ts and are held against the source: what is added and not walked fails here.
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";

import { root } from "../lib/anneal";
import { axe, type Page, settled, shots, view, Web } from "../lib/browser";
import { everywhere, type Furnished, furnish, type Opening, walks } from "./walks";

const source = join(root, "web/src");
const files = (readdirSync(source, { recursive: true } as never) as string[]).map((one) => one.replaceAll("\\", "/"));
const paths = files.filter((one) => /^pages\/[^/]+\/route\.ts$/.test(one))
  .flatMap((one) => [...readFileSync(join(source, one), "utf8").matchAll(/path: "([^"]+)"/g)].map((m) => m[1] ?? "")).sort();
const plain = paths.filter((path) => !path.includes(":"));
/** "/app/datasets/:id/label" is "datasets-one-label" among the screenshots. */
const nameOf = (path: string) => path.replace(/^\/app\/?/, "").replace(/:\w+/g, "one").replaceAll("/", "-") || "start";
const SLOW = { timeout: 600_000 };

let web: Web, page: Page, has: Furnished;

before(async () => {
  if (Web.none) return;
  web = await Web.open();
  page = await web.login();
});
after(() => web?.close());

const none = (found: string[]) => assert.ok(!found.length, `${found.length} found\n${found.join("\n")}`);
const over = () => page.locator("[role=dialog], [role=alertdialog], [role=menu]");

/** The page itself and each of its further tabs. */
async function tabs(name: string): Promise<string[]> {
  const found = await view(page, name);
  const all = page.locator("main [role=tab]");
  for (let i = 1; i < (await all.count()); i++) {
    const tab = ((await all.nth(i).textContent()) ?? "").replace(/\(.*/, "").trim().toLowerCase().replace(/\W+/g, "-");
    await all.nth(i).click();
    await settled(page);
    found.push(...(await view(page, `${name}-${tab}`)));
  }
  return found;
}

async function opened(name: string, path: string, one: Opening): Promise<string[]> {
  await web.go(page, one.at ? one.at(has) : path);
  await one.open(page);
  if (one.name !== "details") await over().last().waitFor();
  await settled(page);
  return view(page, `${name}-${one.name}`);
}

describe("the rows of the walk", () => {
  test("each route has one", () => {
    assert.ok(paths.length > 14, paths.join(" "));
    assert.deepEqual(Object.keys(walks).sort(), paths);
  });

  test("each dialog, menu and popover has one", () => {
    const rows = [...Object.values(walks).flatMap((walk) => walk.opens ?? []), ...everywhere];
    const own = new Set(["parts/dialog.tsx", "parts/menu.tsx", "app.tsx", "session.tsx"]); // made here; and walked below by name
    for (const file of files.filter((one) => one.endsWith(".tsx") && !one.endsWith(".test.tsx") && !own.has(one))) {
      const made = readFileSync(join(source, file), "utf8").replace(/\/\*\*.*?\*\//gs, "").match(/<(Dialog|Confirm|Menu|Popover|Modal\.Content)\b/g)?.length ?? 0;
      const walked = rows.filter((row) => row.in === file).length;
      assert.ok(walked >= Math.min(made, 2), `${file} opens ${made} things over the page, ${walked} of them stand in walks.ts`);
    }
    for (const row of rows) assert.ok(files.includes(row.in), `walks.ts names ${row.in}, which is not there`);
  });
});

describe("every page", { skip: Web.none }, () => {
  test("without any data each page is whole and says what there could be", SLOW, async () => {
    const found: string[] = [];
    for (const path of plain) {
      await web.go(page, path);
      assert.equal(await page.locator("h1").count(), 1, path);
      assert.deepEqual(await page.getByRole("alert").allInnerTexts(), [], path);
      found.push(...(await view(page, `${nameOf(path)}-empty`)));
    }
    none(found);
  });

  test("there is something of everything", SLOW, async () => {
    has = await furnish(web.anneal);
  });

  for (const [path, walk] of Object.entries(walks))
    test(`${path}: each tab, and all that opens over it`, SLOW, async () => {
      await web.go(page, walk.at(has));
      assert.equal(await page.locator("h1").count(), 1, path);
      const name = nameOf(path), found = await tabs(name);
      for (const one of walk.opens ?? []) found.push(...(await opened(name, walk.at(has), one)));
      none(found);
    });

  test("what opens over any page", SLOW, async () => {
    const found: string[] = [];
    for (const one of everywhere) found.push(...(await opened("over", "/app/jobs", one)));
    await web.go(page, `/app/jobs/${has.waiting}`);
    found.push(...(await view(page, "jobs-paused")));
    await web.go(page, "/app/nowhere");
    found.push(...(await view(page, "nowhere")));
    none(found);
  });

  test("the log-in, before a session and after one has ended; the navigation of a phone", SLOW, async () => {
    const found: string[] = [];
    const context = await web.browser.newContext({ locale: "en-GB", viewport: { width: 1280, height: 900 } });
    const other = await context.newPage();
    await other.goto(`${web.anneal.url}/app`);
    await settled(other);
    found.push(...(await view(other, "login")));
    await other.getByLabel("E-mail").fill("nobody@example.org");
    await other.getByLabel("Password").fill("not the password");
    await other.getByRole("button", { name: "Log in" }).click();
    await other.getByRole("alert").waitFor();
    found.push(...(await view(other, "login-refused")));
    await context.close();

    await web.go(page, "/app/projects");
    await page.setViewportSize({ width: 390, height: 844 });
    await page.getByRole("button", { name: "More" }).click();
    await page.getByRole("dialog").waitFor();
    await shots(page, "navigation-phone");
    await axe(page);
    await page.keyboard.press("Escape");
    await page.setViewportSize({ width: 1280, height: 900 });
    none(found);
  });

  test("a visitor's page: with a model, and with a link that has ended", SLOW, async () => {
    const context = await web.browser.newContext({ locale: "en-GB", viewport: { width: 1280, height: 900 } });
    const visitor = await context.newPage();
    await visitor.goto(web.anneal.url + has.link);
    await visitor.getByText("Drop pictures, or paste one").waitFor();
    await settled(visitor);
    const found = await view(visitor, "visit");
    await visitor.goto(`${web.anneal.url}/try#${"try_".padEnd(47, "x")}`);
    await visitor.reload();
    await visitor.getByRole("alert").waitFor();
    found.push(...(await view(visitor, "visit-refused")));
    await context.close();
    none(found);
  });

  test("from the log-in to a started training by keyboard alone", async () => {
    await web.go(page, "/app");
    await page.keyboard.press("Tab");
    assert.equal(await page.evaluate("document.activeElement.textContent"), "Skip to the content");
    await page.keyboard.press("Control+k");
    await page.getByRole("combobox", { name: "Go to anything" }).waitFor();
    await page.keyboard.type("train");
    await page.keyboard.press("Enter");
    await page.waitForURL(/\/app\/train/);
    await settled(page);
    const start = page.getByRole("button", { name: "Start training" });
    for (let i = 0; i < 150 && !(await start.evaluate((e) => e === e.ownerDocument.activeElement)); i++) await page.keyboard.press("Tab");
    const ring = await start.evaluate((e) => [e === e.ownerDocument.activeElement, getComputedStyle(e).outlineStyle]);
    assert.deepEqual(ring, [true, "solid"], "the button is reached, and its focus is seen");
    await page.keyboard.press("Enter");
    await page.waitForURL(/\/app\/jobs\/\w+/);
    await web.anneal.api("DELETE", `/training/jobs/${page.url().split("/").pop()?.split("?")[0]}`);
    await settled(page);
    await page.keyboard.press("?");
    await page.getByRole("dialog", { name: "Keys" }).waitFor();
    await page.keyboard.press("Escape");
    await page.keyboard.press("g");
    await page.keyboard.press("d");
    await page.waitForURL(/\/app\/datasets$/);
  });

  test("a session that has ended asks for the log-in over the page", SLOW, async () => {
    await web.anneal.api("PATCH", "/auth/me", { new_password: "correct horse battery" });
    await web.go(page, "/app/account");
    await page.getByLabel("What it is for").fill("the notebook");
    await web.context.clearCookies();
    await page.getByRole("button", { name: "Make a token" }).click();
    await page.getByRole("dialog", { name: "Log in again" }).waitFor();
    none(await view(page, "login-again"));
  });
});
