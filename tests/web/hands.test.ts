// Runs are compared by the keyboard alone, from the first page to a saved note; and what somebody else does meanwhile
// is seen without loading anything anew.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { until } from "../lib/anneal";
import { type Page, settled, SLOW_MS, Web } from "../lib/browser";
import { create, ended, upload } from "../lib/jobs";
import { patterns } from "../lib/pictures";
import { person } from "../lib/people";

let web: Web, page: Page;
before(async () => {
  if (Web.none) return;
  web = await Web.open();
  await upload(web.anneal, "patterns", patterns(24, 8));
  for (const [name, learning_rate] of [["gentle", 0.001], ["bold", 0.1]] as const) {
    const job = await create(web.anneal, "patterns", { model: "tiny", epochs: 3, batch_size: 8, threads: 1, learning_rate }, { name });
    assert.equal((await ended(web.anneal, job, SLOW_MS)).status, "completed");
  }
  page = await web.login();
});
after(() => web?.close());

const focused = () => page.evaluate("(document.activeElement.getAttribute('aria-label') ?? document.activeElement.textContent ?? '').trim()") as Promise<string>;
/** Tab until something with this name has the focus, and that it is seen to have it. */
async function tabTo(name: string | RegExp, most = 60): Promise<void> {
  const is = (text: string) => (typeof name === "string" ? text === name : name.test(text));
  const passed: string[] = [];
  for (let i = 0; i < most; i++) {
    await page.keyboard.press("Tab");
    const at = await focused();
    if (!is(at)) {
      passed.push(at);
      continue;
    }
    const style = await page.evaluate("getComputedStyle(document.activeElement).outlineStyle");
    assert.equal(style, "solid", `the focus on "${at}" is not seen`);
    return;
  }
  assert.fail(`Tab never reaches ${name}; it went over ${passed.join(" | ")}`);
}

describe("with the hands on the keyboard", { skip: Web.none }, () => {
  test("runs are found, sorted, chosen, compared, starred and annotated", async () => {
    await page.keyboard.press("g");
    await page.keyboard.press("c");
    await page.getByRole("heading", { level: 1, name: "Compare" }).waitFor();
    await settled(page);
    await page.getByRole("table", { name: "Compare" }).getByRole("link", { name: "bold", exact: true }).waitFor();

    await tabTo("Columns");
    await page.keyboard.press("Enter");
    await page.getByRole("dialog", { name: "Columns" }).waitFor();
    const epochs = page.getByRole("checkbox", { name: "epochs", exact: true });
    for (let i = 0; i < 80 && !(await epochs.evaluate((e) => e === e.ownerDocument.activeElement)); i++) await page.keyboard.press("Tab");
    await page.keyboard.press("Space");
    assert.equal(await epochs.isChecked(), true);
    await page.keyboard.press("Escape");
    await until("the focus is back on what opened the choice", async () => (await focused()) === "Columns");
    await page.getByRole("columnheader", { name: "epochs" }).waitFor();

    await tabTo(/^Name/);
    await page.keyboard.press("Enter");
    await until("sorted by the name", async () => (await page.getByRole("columnheader", { name: /^Name/ }).getAttribute("aria-sort")) === "ascending");
    await tabTo(/^Choose /);
    await page.keyboard.press("Space");
    await tabTo("Star bold");
    await page.keyboard.press("Enter");
    await page.getByRole("button", { name: "Take the star from bold" }).waitFor();
    await tabTo("Notes and tags of bold");
    await page.keyboard.press("Enter");
    const dialog = page.getByRole("dialog", { name: "bold" });
    await dialog.waitFor();
    await tabTo(/^$/); // into the first field: it has no text of its own
    await page.keyboard.type("keep");
    await page.keyboard.press("Tab");
    await page.keyboard.type("diverged at first");
    await tabTo("Save");
    await page.keyboard.press("Enter");
    await dialog.waitFor({ state: "detached" });
    await tabTo("Choose gentle");
    await page.keyboard.press("Space");
    await page.getByRole("img", { name: /gentle .*bold|bold .*gentle/ }).waitFor();
    const { jobs } = await web.anneal.get("/training/jobs?starred=true");
    assert.deepEqual(jobs.map((one: any) => [one.name, one.tags, one.notes]), [["bold", ["keep"], "diverged at first"]]);
  });

  test("what somebody else does to a job is seen without loading it anew", { timeout: 2 * SLOW_MS }, async () => {
    const other = await person(web.anneal, "engineer", "eve");
    const job = await create(web.anneal, "patterns", { model: "tiny", epochs: 900, batch_size: 8, threads: 1 }, { name: "mine" });
    await web.go(page, "/app/jobs");
    await page.getByRole("link", { name: "mine", exact: true }).click();
    await page.getByText("Running", { exact: true }).first().waitFor({ timeout: SLOW_MS });
    await page.evaluate("window.same_page = true");
    await web.anneal.api("PATCH", `/training/jobs/${job}`, { name: "renamed by another" });
    await page.getByRole("heading", { level: 1, name: "renamed by another" }).waitFor();
    await web.anneal.api("POST", `/training/jobs/${job}/pause`, { now: true });
    await page.getByText("Paused", { exact: true }).first().waitFor({ timeout: SLOW_MS });
    await page.getByRole("button", { name: "Go on" }).waitFor();
    await page.locator('aside nav a[href="/app/jobs"]').click();
    await page.getByRole("listitem").filter({ hasText: "renamed by another" }).getByText("Paused", { exact: true }).waitFor();
    const theirs = await other.call("POST", "/training/jobs", { dataset: "patterns", config: { model: "tiny", epochs: 1 }, name: "theirs" });
    assert.equal(theirs.status, 201, JSON.stringify(theirs.body));
    await page.getByRole("link", { name: "theirs", exact: true }).waitFor();
    await web.anneal.api("DELETE", `/training/jobs/${job}`);
    await page.getByRole("listitem").filter({ hasText: "renamed by another" }).getByText("Cancelled", { exact: true }).waitFor();
    assert.equal(await page.evaluate("window.same_page"), true);
  });
});
