// From the form to the mistakes, in a real browser with a real training: check, train, watch, pause, go on, stop and
// keep, inspect picture by picture; and a queue that is put into another order by the mouse and by the keyboard.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { until } from "../lib/anneal";
import { axe, type Page, settled, shots, SLOW_MS, Web } from "../lib/browser";
import { create, upload } from "../lib/jobs";
import { patterns } from "../lib/pictures";

let web: Web, page: Page, job = "";
const get = (path = "") => web.anneal.get(`/training/jobs/${job}${path}`);
const tab = (name: string) => page.getByRole("tab", { name, exact: true }).click();

before(async () => {
  if (Web.none) return;
  web = await Web.open();
  await upload(web.anneal, "patterns", patterns(40, 12));
  page = await web.login("/app/train");
});
after(() => web?.close());

describe("a run from its form to its mistakes", { skip: Web.none }, () => {
  test("the form fills by a preset, explains what is doubtful, and says how long it will take", async () => {
    await page.getByRole("radio", { name: /^tiny/i }).check();
    await page.getByRole("radio", { name: /^Quick/ }).check();
    assert.equal(await page.getByLabel("Epochs", { exact: true }).inputValue(), "5");
    await page.getByLabel("Batch size").fill("500");
    await page.getByText(/larger than the \d+ training pictures/).waitFor();
    await page.getByText(/^About/).waitFor({ timeout: SLOW_MS });
    await page.getByText("by a measurement on this machine").waitFor();
    await page.getByText("Own settings").waitFor();
    await settled(page);
    await shots(page, "train");
    await axe(page);
    await page.getByLabel("Batch size").fill("8");
    await page.getByLabel("Epochs", { exact: true }).fill("400");
    await page.getByLabel("Name of the job (optional)").fill("long run");
    await page.getByRole("button", { name: "Start training" }).click();
    await page.getByRole("heading", { name: "long run" }).waitFor();
    job = new URL(page.url()).pathname.split("/").at(-1) ?? "";
  });

  test("it is watched live: curves over steps, load, samples, log", { timeout: 2 * SLOW_MS }, async () => {
    await page.getByRole("img", { name: /^Loss: train\/loss/ }).waitFor({ timeout: SLOW_MS });
    await until("some epochs", async () => (await get()).epoch >= 4, SLOW_MS);
    await page.getByLabel("Axis").selectOption("step");
    await page.getByRole("switch", { name: "Log scale" }).click();
    await page.getByRole("slider", { name: "Smoothing" }).press("PageUp");
    await page.getByRole("img", { name: /^Loss: train\/loss/ }).waitFor();
    await shots(page, "watch");
    await axe(page);
    await tab("What it learns from");
    await until("all 16 pictures stand there", async () => (await page.getByRole("tabpanel").getByRole("img").count()) === 16);
    await until("the sheet is there", () => page.evaluate("[...document.querySelectorAll('[role=tabpanel] img')].every((i) => i.naturalWidth > 0)").then(Boolean));
    await shots(page, "watch-samples");
    await tab("System load");
    await page.getByRole("img", { name: /^Processors busy/ }).waitFor();
    await shots(page, "watch-system");
    await tab("Log");
    await page.getByRole("switch", { name: "Follow the end" }).waitFor();
    await page.getByLabel("Level").selectOption("warning");
  });

  test("it is paused, keeps its state over a reload, goes on, and is stopped early and kept", { timeout: 2 * SLOW_MS }, async () => {
    await page.getByRole("button", { name: "Pause", exact: true }).click();
    await page.getByText("Paused", { exact: true }).waitFor({ timeout: SLOW_MS });
    await page.reload();
    await page.getByText("Paused", { exact: true }).waitFor();
    const before = await get();
    await shots(page, "watch-paused");
    await page.getByRole("button", { name: "Go on" }).click();
    await until("it has gone on", async () => (await get()).epoch > before.epoch, SLOW_MS);
    await page.getByRole("button", { name: "Stop and keep" }).click();
    await page.getByRole("button", { name: "After this epoch" }).click();
    await page.getByText("Completed", { exact: true }).waitFor({ timeout: SLOW_MS });
    assert.match((await get()).message, /stopped early on request/);
  });

  test("its validation opens down to a picture, the hardest first, with keys and a threshold", { timeout: SLOW_MS }, async () => {
    await web.go(page, `/app/jobs/${job}?tab=validation`);
    await page.getByRole("slider", { name: "Confidence threshold" }).waitFor();
    const left = page.getByText("Left to a person").locator("xpath=following-sibling::dd");
    const few = Number(await left.textContent());
    await page.getByRole("slider", { name: "Confidence threshold" }).press("End");
    assert.ok(Number(await left.textContent()) >= few);
    await shots(page, "inspect");
    await axe(page);
    await page.getByRole("button", { name: "All pictures" }).click();
    const dialog = page.getByRole("dialog");
    await dialog.getByRole("button", { name: /^Open / }).first().click();
    await dialog.getByText("Picture 1 of 36").waitFor();
    await page.keyboard.press("ArrowRight");
    await dialog.getByText("Picture 2 of 36").waitFor();
    await shots(page, "inspect-picture");
    await axe(page);
    await page.keyboard.press("Escape");
    await page.getByRole("button", { name: /^\d+ × disc, predicted/ }).first().click();
    await dialog.getByRole("button", { name: /^Open / }).first().waitFor();
    await page.keyboard.press("Escape");
  });

  test("another run is laid over its curves", async () => {
    const other = await create(web.anneal, "patterns", { model: "tiny", epochs: 3, batch_size: 8 }, { name: "other" });
    await until("it has ended", async () => (await web.anneal.get(`/training/jobs/${other}`)).status === "completed", SLOW_MS);
    await web.go(page, `/app/jobs/${job}`);
    await page.getByLabel("Lay over").selectOption(other);
    await page.getByRole("img", { name: /long run · train\/loss.*other · train\/loss/ }).waitFor();
    assert.match(page.url(), new RegExp(`with=${other}`));
    await shots(page, "watch-overlay");
  });

  test("all of it fits on a phone", { timeout: SLOW_MS }, async () => {
    const desk = page.viewportSize() ?? { width: 1280, height: 900 };
    await page.setViewportSize({ width: 390, height: 844 });
    for (const path of ["/app/train", ...["charts", "validation", "samples", "system", "log", "details"].map((one) => `/app/jobs/${job}?tab=${one}`)]) {
      await web.go(page, path);
      assert.equal(await page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth"), 0, `${path} is wider than a phone`);
    }
    await page.setViewportSize(desk);
  });

  test("the queue takes another order by the mouse and by the keyboard, and the server keeps it", { timeout: SLOW_MS }, async () => {
    const config = { model: "tiny", epochs: 900, batch_size: 8 };
    const busy = await create(web.anneal, "patterns", config, { name: "busy" });
    await until("it runs", async () => (await web.anneal.get(`/training/jobs/${busy}`)).status === "running", SLOW_MS);
    for (const name of ["one", "two", "three"]) await create(web.anneal, "patterns", config, { name });
    await web.go(page, "/app/jobs?sort=queue");
    const order = async () => (await web.anneal.get("/training/jobs?status=queued&sort=queue")).jobs.map((one: any) => one.name);
    await page.getByRole("button", { name: "Move three" }).focus();
    await page.keyboard.press("ArrowUp");
    await until("three goes before two", async () => (await order()).join() === "one,three,two");
    const from = await page.getByRole("button", { name: "Move two" }).boundingBox(), to = await page.getByRole("button", { name: "Move one" }).boundingBox();
    assert.ok(from && to);
    await page.mouse.move(from.x + from.width / 2, from.y + from.height / 2);
    await page.mouse.down();
    await page.mouse.move(to.x + to.width / 2, to.y + to.height / 2 + 4, { steps: 8 });
    await page.mouse.move(to.x + to.width / 2, to.y + to.height / 2, { steps: 2 });
    await page.mouse.up();
    await until("two goes first", async () => (await order()).join() === "two,one,three");
    await settled(page);
    await shots(page, "queue");
    await axe(page);
  });
});
