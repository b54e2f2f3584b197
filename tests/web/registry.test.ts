// Journeys in a real Chromium: a training becomes a registered model, is evaluated, approved, published and rolled
// back; it is tried on the server and in the tab with equal answers; a visitor with a link needs no account, and
// nothing goes out once the page has loaded.
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";

import { axe, type Page, settled, shots, SLOW_MS, Web } from "../lib/browser";
import { create, ended, upload } from "../lib/jobs";
import { patterns } from "../lib/pictures";

let web: Web, page: Page, dir: string, files: string[], jobs: string[];
const small = { model: "tiny", epochs: 3, batch_size: 8, threads: 1, learning_rate: 0.02, checkpoint_every: 1 };

before(async () => {
  if (Web.none) return;
  web = await Web.open(undefined, ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]);
  dir = mkdtempSync(join(tmpdir(), "anneal-try-"));
  await upload(web.anneal, "patterns", patterns(24, 6));
  jobs = [await create(web.anneal, "patterns", small, { name: "first" }), await create(web.anneal, "patterns", { ...small, seed: 5, epochs: 6 }, { name: "second" })];
  for (const job of jobs) assert.equal((await ended(web.anneal, job)).status, "completed");
  const list = await web.anneal.get("/datasets/patterns/versions/latest/images?split=val&limit=4");
  files = await Promise.all(list.images.map(async (i: any, k: number) => {
    const path = join(dir, `picture-${k}.png`);
    writeFileSync(path, Buffer.from(await (await web.anneal.api("GET", i.url)).arrayBuffer()));
    return path;
  }));
  page = await web.login("/app/models");
});
after(async () => {
  if (dir) rmSync(dir, { recursive: true, force: true });
  await web?.close();
});

const choose = (p: Page, from: string[]) => p.locator("input[type=file]:not([webkitdirectory])").setInputFiles(from);
const button = (name: string | RegExp) => page.getByRole("button", { name });
const dialog = () => page.locator("[role=dialog], [role=alertdialog]"); // a confirmation is an alertdialog
const version = (n: number) => page.getByRole("listitem", { name: `Version ${n}`, exact: true });
const state = (n: number, text: string) => version(n).getByText(text, { exact: true }).first();

/** What the bench's JSON says, downloaded as a person would. */
async function downloaded(p: Page): Promise<any> {
  const [file] = await Promise.all([p.waitForEvent("download"), p.getByRole("button", { name: "Download JSON" }).click()]);
  return JSON.parse(readFileSync(await file.path(), "utf8"));
}

describe("the registry in a browser", { skip: Web.none }, () => {
  test("an empty registry says what it is for", async () => {
    await page.getByText("No model is registered yet.").waitFor();
    await shots(page, "models-empty");
    await axe(page);
  });

  test("a training becomes a model with its origin", async () => {
    await button("Register a model").click();
    await dialog().getByLabel("Training").selectOption({ label: "first" });
    await dialog().getByLabel("Name").fill("Patterns!");
    await dialog().getByRole("button", { name: "Register a model" }).click();
    await dialog().getByRole("alert").getByText(/stands in URLs/).waitFor();
    await dialog().getByLabel("Name").fill("patterns");
    await dialog().getByLabel(/What is new/).fill("The first of its kind.");
    await shots(page, "models-register");
    await dialog().getByRole("button", { name: "Register a model" }).click();
    await page.getByRole("heading", { level: 1, name: "patterns" }).waitFor();
    await state(1, "Draft").waitFor();
    await button("Details: Version 1").click();
    await version(1).getByRole("link", { name: "first" }).waitFor();
    await shots(page, "model-draft");
    await axe(page);
  });

  test("it is evaluated, approved and published, each with what changes said before", async () => {
    await button("Evaluate: Version 1").click();
    await dialog().getByLabel("Split").selectOption("val");
    await dialog().getByRole("button", { name: "Evaluate" }).click();
    await state(1, "Evaluated").waitFor({ timeout: SLOW_MS });
    await version(1).getByText(/on Validation of patterns/).waitFor();
    await button("Approve: Version 1").click();
    await dialog().getByText("Nothing that runs now changes.").waitFor();
    await dialog().getByRole("button", { name: "Approve" }).click();
    await state(1, "Approved").waitFor();
    await button("Publish: Version 1").click();
    await dialog().getByText("'production' will answer with version 1.").waitFor();
    await dialog().getByRole("button", { name: "Publish" }).click();
    await state(1, "Live").waitFor();
  });

  test("a second version is published over the first and rolled back in one click", async () => {
    await button("Add a version").click();
    await dialog().getByLabel("Training").selectOption({ label: "second" });
    await dialog().getByRole("button", { name: "Register a model" }).click();
    await button("Evaluate: Version 2").click();
    await dialog().getByLabel("Split").selectOption("val");
    await dialog().getByRole("button", { name: "Evaluate" }).click();
    await button("Approve: Version 2").click({ timeout: SLOW_MS });
    await dialog().getByRole("button", { name: "Approve" }).click();
    await button("Publish: Version 2").click();
    await dialog().getByText("'production' answers with version 1 now and with version 2 from the next request on.").waitFor();
    await shots(page, "model-publish");
    await dialog().getByRole("button", { name: "Publish" }).click();
    await state(2, "Live").waitFor();
    await button("Roll back to version 1").click();
    await dialog().getByText("'production' answers with version 2 now and with version 1 again from the next request on.").waitFor();
    await dialog().getByLabel(/Why/).fill("too many mistakes");
    await dialog().getByRole("button", { name: "Roll back" }).click();
    await state(1, "Live").waitFor();
    await page.getByText("rolled 'production' back to version 1").waitFor();
    await page.getByText("too many mistakes").waitFor();
    await settled(page);
    await shots(page, "model");
    await axe(page);
  });

  test("a version is exported as ONNX, verified, and downloaded", async () => {
    await button("Export: Version 1").click();
    await dialog().getByRole("button", { name: "Export" }).click();
    await dialog().getByText(/Verified on \d+ pictures: largest difference/).waitFor({ timeout: SLOW_MS });
    const [file] = await Promise.all([page.waitForEvent("download"), dialog().getByRole("link", { name: "Download" }).click()]);
    assert.match(file.suggestedFilename(), /\.onnx$/);
    assert.ok(readFileSync(await file.path()).length > 1000);
    await shots(page, "model-export");
    await dialog().getByRole("button", { name: "Close", exact: true }).last().click();
  });

  test("the list shows what is live", async () => {
    await web.go(page, "/app/models");
    await page.getByText("production (version 1)").waitFor();
    await shots(page, "models");
    await axe(page);
  });

  test("a model answers on the server and in the tab alike, and says where", async () => {
    await web.go(page, "/app/try?model=patterns");
    await page.getByText(/Pictures go to the server/).waitFor();
    await choose(page, files);
    await page.getByText(/ms a picture \(median of 4\)/).waitFor({ timeout: SLOW_MS });
    const server = await downloaded(page);
    await shots(page, "try-server");
    await page.getByLabel("In this tab").check();
    await page.getByText(/Nothing is sent/).waitFor();
    await page.getByText(/ms a picture \(median of 4\)/).waitFor({ timeout: SLOW_MS });
    const asked: string[] = [];
    page.on("request", (r) => asked.push(r.url()));
    await button("Clear").click();
    await choose(page, files);
    await page.getByText(/ms a picture \(median of 4\)/).waitFor({ timeout: SLOW_MS });
    const tab = await downloaded(page);
    assert.deepEqual(asked.filter((url) => !url.startsWith("blob:")), [], "in the tab nothing is asked");
    page.removeAllListeners("request");
    assert.equal(tab.results.length, 4);
    for (const [i, here] of tab.results.entries()) {
      const there = server.results[i];
      assert.equal(here.file, there.file);
      assert.deepEqual([here.width, here.height], [there.width, there.height]);
      const surely = (list: any[]) => list.map((p) => p.class).join(" ");
      assert.equal(surely(here.predictions), surely(there.predictions), here.file);
      for (const [k, p] of here.predictions.entries()) assert.ok(Math.abs(p.confidence - there.predictions[k].confidence) < 1e-3, `${here.file}: ${p.confidence}`);
    }
    await button("Table").click();
    await page.getByRole("cell", { name: "picture-0.png" }).waitFor();
    await settled(page);
    await shots(page, "try-table");
    await axe(page);
  });

  test("the camera is watched in the tab, and a picture of it is kept", async () => {
    await button("Use the camera").click();
    await page.getByText(/pictures a second/).waitFor({ timeout: SLOW_MS });
    await button("Keep this picture").click();
    await page.getByRole("cell", { name: /^camera \d+\.jpg$/ }).waitFor();
    await button("Stop the camera").click();
  });

  test("a visitor with a link tries the model without an account, and nothing is sent after loading", async () => {
    await web.go(page, "/app/models/patterns");
    await button("Make a link").click();
    await dialog().getByLabel("Title that visitors read").fill("Which pattern is it?");
    await shots(page, "model-link");
    await dialog().getByRole("button", { name: "Make a link" }).click();
    const url = await dialog().getByLabel("Copy", { exact: true }).inputValue();
    assert.match(url, /\/try#try_[\w-]{43}$/);
    await dialog().getByRole("button", { name: "Close", exact: true }).last().click();
    const context = await web.browser.newContext({ locale: "en-GB", viewport: { width: 1280, height: 900 } });
    context.setDefaultTimeout(20_000);
    const visitor = await context.newPage();
    const before: string[] = [];
    visitor.on("request", (r) => r.url().startsWith("blob:") || before.push(new URL(r.url()).pathname)); // blob: is memory of the tab
    await visitor.goto(url);
    await visitor.getByRole("heading", { level: 1, name: "Which pattern is it?" }).waitFor();
    await visitor.getByText("Drop pictures, or paste one").waitFor({ timeout: SLOW_MS });
    await settled(visitor); // the model is there
    assert.ok(before.includes("/public/model/weights"), before.join(" "));
    assert.ok(!before.some((path) => path.startsWith("/auth") || path.startsWith("/registry")), before.join(" "));
    assert.ok(await visitor.getByLabel("On the server").isDisabled(), "the link does not allow it");
    assert.deepEqual(await context.cookies(), []);
    before.length = 0;
    await choose(visitor, files);
    await visitor.getByText(/ms a picture \(median of 4\)/).waitFor({ timeout: SLOW_MS });
    assert.equal((await downloaded(visitor)).results.length, 4);
    await visitor.waitForLoadState("networkidle");
    assert.deepEqual(before, [], "nothing goes out after loading");
    await shots(visitor, "visitor");
    await axe(visitor);
    await visitor.setViewportSize({ width: 390, height: 844 });
    await shots(visitor, "visitor-phone");
    await button("Revoke: Which pattern is it?").click();
    await dialog().getByRole("button", { name: "Revoke" }).click();
    await page.getByText("revoked", { exact: true }).waitFor();
    await visitor.reload();
    await visitor.getByRole("heading", { name: "This link has ended" }).waitFor();
    await shots(visitor, "visitor-ended");
    await context.close();
  });

  test("all of it fits a phone", async () => {
    await page.setViewportSize({ width: 390, height: 844 });
    for (const [path, name] of [["/app/models", "models-phone"], ["/app/models/patterns", "model-phone"], ["/app/try?model=patterns", "try-phone"]] as const) {
      await web.go(page, path);
      await settled(page);
      await shots(page, name);
    }
  });
});
