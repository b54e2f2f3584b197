// The first run: from nothing to a model that is tried, on one screen, with a real training.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { axe, type Page, settled, shots, SLOW_MS, Web } from "../lib/browser";

let web: Web, page: Page;

before(async () => {
  if (Web.none) return;
  web = await Web.open(undefined, ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]);
  page = await web.login();
});
after(() => web?.close());

describe("the first run", { skip: Web.none }, () => {
  const step = (name: string) => page.locator("main li", { has: page.getByRole("heading", { level: 2, name }) });

  test("an empty installation offers sample pictures and a place to drop one's own", async () => {
    await page.getByRole("heading", { level: 1, name: "A model in a minute" }).waitFor();
    await shots(page, "home-first");
    await axe(page);
  });

  test("sample data is drawn, imported and shown", async () => {
    await page.getByRole("button", { name: /Sample: letters/ }).click();
    await step("Pictures to learn from").getByRole("list", { name: "Pictures" }).locator("img").nth(11).waitFor({ timeout: SLOW_MS });
    assert.equal((await web.anneal.get("/datasets")).datasets[0].images, 1800);
    await page.getByRole("button", { name: "Start training" }).waitFor();
    await shots(page, "home-pictures");
  });

  test("one click trains; what goes on is told until it has ended", async () => {
    await page.getByRole("button", { name: "Start training" }).click();
    await step("Training").getByText(/Epoch \d+ of 12/).waitFor({ timeout: SLOW_MS });
    await step("Training").getByText(/Best: accuracy/i).waitFor({ timeout: SLOW_MS });
    await shots(page, "home-training");
    await page.reload(); // the address holds what is under way
    await step("Training").getByText("Completed").waitFor({ timeout: SLOW_MS });
  });

  test("the model is tried on pictures that it has not learned from, most of them rightly", async () => {
    const unseen = step("Try it").getByRole("list", { name: /not learned/ }).locator("li");
    await unseen.filter({ hasText: "%" }).nth(7).waitFor({ timeout: SLOW_MS });
    const wrong = await unseen.filter({ hasText: "It is" }).count();
    assert.ok(wrong <= 4, `${wrong} of 8 are wrong`);
    await settled(page);
    await shots(page, "home-try");
    await axe(page);
  });

  test("the webcam's picture is looked at too", async () => {
    await page.getByRole("button", { name: /camera/i }).first().click();
    await step("Try it").getByText("%").nth(8).waitFor({ timeout: SLOW_MS });
    await page.getByRole("button", { name: /stop|close/i }).first().click();
  });

  test("with a model the page shows what came last, and leads back to the guided run", async () => {
    await page.getByRole("button", { name: "Overview" }).click();
    await page.getByRole("heading", { level: 2, name: "Latest jobs" }).waitFor();
    await settled(page);
    await shots(page, "home");
    await axe(page);
    await page.getByRole("button", { name: "Guided run" }).click();
    await page.getByRole("heading", { level: 1, name: "A model in a minute" }).waitFor();
  });
});
