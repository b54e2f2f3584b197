// Every page of the route table, with data and without: screenshots, axe, one heading, nothing wider than a phone; and
// that nothing on them is said outside of the catalogue.  A page that is added is walked by itself; a path with
// parameters needs a row in `params`.
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";

import { root } from "../lib/anneal";
import { axe, axeFinds, dress, type Page, settled, shots, Web } from "../lib/browser";
import { create, ended, upload } from "../lib/jobs";
import { patterns } from "../lib/pictures";

const folder = join(root, "web/src/pages");
const paths = readdirSync(folder).flatMap((name) => {
  try {
    return [...readFileSync(join(folder, name, "route.ts"), "utf8").matchAll(/path: "([^"]+)"/g)].map((m) => m[1] ?? "");
  } catch {
    return []; // login: a page without an address
  }
}).sort();
const opened = paths.filter((path) => !path.includes(":"));

let web: Web, page: Page, job = "", dataset = "";

before(async () => {
  if (Web.none) return;
  web = await Web.open();
  page = await web.login();
});
after(() => web?.close());

const nameOf = (path: string) => path.replace(/^\/app\/?/, "").replace(/[/:]+/g, "-") || "start";

describe("every page", { skip: Web.none }, () => {
  test("the table of routes was read", () => assert.ok(opened.length >= 10 && paths.length > opened.length, paths.join(" ")));

  test("without any data each page is whole and says what there could be", async () => {
    for (const path of opened) {
      await web.go(page, path);
      assert.equal(await page.locator("h1").count(), 1, path);
      assert.deepEqual(await page.getByRole("alert").allInnerTexts(), [], path);
      await shots(page, `${nameOf(path)}-empty`);
    }
  });

  test("with a dataset, a job and people each page is without a violation and looks as it should", async () => {
    await upload(web.anneal, "patterns", patterns(20, 8));
    job = await create(web.anneal, "patterns", { model: "tiny", epochs: 2, warmup_epochs: 0 });
    assert.equal((await ended(web.anneal, job)).status, "completed");
    dataset = (await web.anneal.get("/datasets")).datasets[0].id;
    await web.anneal.api("POST", "/projects", { name: "Flowers", description: "of the garden" });
    const found: string[] = [];
    for (const path of [...opened, `/app/datasets/${dataset}`, `/app/jobs/${job}`]) {
      await web.go(page, path);
      await shots(page, nameOf(path).replace(dataset, "one").replace(job, "one"));
      found.push(...(await axeFinds(page)));
    }
    assert.ok(!found.length, found.join("\n"));
  });

  test("on a phone no page is wider than the screen, in either language", async () => {
    await page.setViewportSize({ width: 360, height: 740 });
    for (const path of [...opened, `/app/datasets/${dataset}`, `/app/jobs/${job}`])
      for (const language of ["en", "ko"] as const) {
        await web.go(page, path);
        await dress(page, "light", language);
        const over = await page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth");
        assert.equal(over, 0, `${path} (${language}) is ${over} pixels wider than a phone`);
      }
    await page.screenshot({ path: join(root, "build/screenshots/last-phone-light-ko.png") });
    await dress(page, "light", "en");
    await page.setViewportSize({ width: 1280, height: 900 });
  });

  test("from the log-in to a started training by keyboard alone", async () => {
    await web.go(page, "/app");
    await page.keyboard.press("Tab");
    assert.equal(await page.evaluate("document.activeElement.textContent"), "Skip to the content");
    await page.keyboard.press("Control+k");
    await page.getByRole("combobox", { name: "Go to anything" }).waitFor();
    await shots(page, "palette");
    await axe(page);
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
    await shots(page, "keys");
    await axe(page);
    await page.keyboard.press("Escape");
    await page.keyboard.press("g");
    await page.keyboard.press("d");
    await page.waitForURL(/\/app\/datasets$/);
  });
});
