// Runs side by side in a real browser: two real trainings, their curves over each other, what differs, a star, a note.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { axe, type Page, settled, shots, SLOW_MS, Web } from "../lib/browser";
import { create, ended, upload } from "../lib/jobs";
import { patterns } from "../lib/pictures";

let web: Web, page: Page;

before(async () => {
  if (Web.none) return;
  web = await Web.open();
  await upload(web.anneal, "patterns", patterns(24, 8));
  for (const [name, learning_rate] of [["gentle", 0.001], ["bold", 0.1]] as const) {
    const job = await create(web.anneal, "patterns", { model: "tiny", epochs: 3, batch_size: 8, learning_rate }, { name });
    assert.equal((await ended(web.anneal, job, SLOW_MS)).status, "completed");
  }
  page = await web.login("/app/compare");
});
after(() => web?.close());

describe("comparing runs", { skip: Web.none }, () => {
  test("two runs are chosen by the keyboard and drawn over each other, with what differs", async () => {
    await page.getByRole("checkbox", { name: "Choose gentle" }).focus();
    await page.keyboard.press("Space");
    await page.getByRole("checkbox", { name: "Choose bold" }).focus();
    await page.keyboard.press("Space");
    await page.getByRole("img", { name: /gentle .*bold|bold .*gentle/ }).waitFor();
    const differs = page.getByRole("row", { name: /^learning_rate/ });
    assert.deepEqual((await differs.getByRole("cell").allTextContents()).sort(), ["0.001", "0.1"]);
    assert.match(page.url(), /runs=/);
    await page.reload();
    await settled(page);
    await page.getByRole("img", { name: /gentle/ }).waitFor();
    await shots(page, "compare");
    await axe(page);
  });

  test("a star and a note are kept by the server", async () => {
    await page.getByRole("button", { name: "Star bold" }).click();
    await page.getByRole("button", { name: "Take the star from bold" }).waitFor();
    await page.getByRole("button", { name: "Notes and tags of bold" }).click();
    await page.getByLabel("Tags, separated by commas").fill("keep, fast");
    await page.getByRole("textbox", { name: "Notes" }).fill("diverged at first");
    await page.getByRole("button", { name: "Save" }).click();
    await page.getByText("keep, fast").waitFor();
    const { jobs } = await web.anneal.get("/training/jobs?starred=true");
    assert.deepEqual(jobs.map((one: any) => [one.name, one.tags, one.notes]), [["bold", ["keep", "fast"], "diverged at first"]]);
  });
});
