// The frame around the pages in a real browser: log-in by the printed link, navigation, themes and languages.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { axe, dress, type Page, settled, shots, Web } from "../lib/browser";

let web: Web, page: Page;

before(async () => {
  if (Web.none) return;
  web = await Web.open();
  page = await web.login();
});
after(() => web?.close());

describe("the shell", { skip: Web.none }, () => {
  test("the link logs in and its secret leaves the address bar", async () => {
    await page.getByRole("heading", { level: 1 }).waitFor();
    assert.equal(page.url(), `${web.anneal.url}/`);
  });

  test("every page of the navigation opens by a click, with one heading and its place marked", async () => {
    const links = await page.locator("aside nav a").evaluateAll((all) => all.map((a) => a.getAttribute("href") ?? ""));
    assert.ok(links.length >= 5);
    for (const href of links) {
      await page.locator(`aside nav a[href="${href}"]`).click();
      await settled(page);
      assert.equal(await page.locator("h1").count(), 1, href);
      assert.equal(await page.locator("aside nav a[aria-current=page]").getAttribute("href"), href);
    }
  });

  test("theme and language change without loading anew, and are kept", async () => {
    await web.go(page, "/app/jobs");
    await dress(page, "dark", "ko");
    await page.getByRole("heading", { name: "작업", level: 1 }).waitFor();
    await page.reload();
    await page.getByRole("heading", { name: "작업", level: 1 }).waitFor();
    assert.equal(await page.locator("html").getAttribute("data-theme"), "dark");
    await dress(page, "light", "en");
  });

  test("the first page is without a violation, light and dark, in both languages", async () => {
    await web.go(page, "/app");
    await shots(page, "home-empty");
    await axe(page);
  });

  test("a phone has the bar below and every page behind its last place", async () => {
    await page.setViewportSize({ width: 360, height: 740 });
    await page.getByRole("button", { name: "More" }).click();
    await page.getByRole("dialog").getByRole("link", { name: "Projects" }).waitFor();
    await shots(page, "menu-phone");
    await page.getByRole("dialog").getByRole("link", { name: "Projects" }).click();
    await page.getByRole("heading", { name: "Projects", level: 1 }).waitFor();
    await page.setViewportSize({ width: 1280, height: 900 });
  });
});
