// Trying models that find objects and areas in a real Chromium: boxes and masks on the server and in the tab are
// the same, as far as the kernels of both are; what is drawn lies over the picture.
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";

import { block, blocks } from "../lib/blocks";
import { axe, type Page, settled, shots, SLOW_MS, Web } from "../lib/browser";
import { create, ended, upload } from "../lib/jobs";

let web: Web, page: Page, dir: string, files: string[];
const jobs: Record<string, string> = {};

before(async () => {
  if (Web.none) return;
  web = await Web.open();
  dir = mkdtempSync(join(tmpdir(), "anneal-objects-"));
  assert.equal((await upload(web.anneal, "blocks", blocks(60, 12))).state, "done");
  files = [60, 61, 62].map((i) => {
    const path = join(dir, `${String(i).padStart(3, "0")}.png`);
    writeFileSync(path, block(i).data);
    return path;
  });
  for (const model of ["segment-tiny", "semseg-tiny"])
    jobs[model] = await create(web.anneal, "blocks", { model, epochs: 12, batch_size: 8, image_size: 64, threads: 1 }, { name: model });
  for (const id of Object.values(jobs)) {
    const job = await ended(web.anneal, id);
    assert.equal(job.status, "completed", JSON.stringify(job.error));
  }
  page = await web.login("/app/try");
});
after(async () => {
  if (dir) rmSync(dir, { recursive: true, force: true });
  await web?.close();
});

async function results(): Promise<any[]> {
  await page.getByText(/ms a picture \(median of 3\)/).waitFor({ timeout: SLOW_MS });
  const [file] = await Promise.all([page.waitForEvent("download"), page.getByRole("button", { name: "Download JSON" }).click()]);
  return JSON.parse(readFileSync(await file.path(), "utf8")).results;
}

/** Both places' answers to the same pictures. */
async function both(job: string): Promise<[any[], any[]]> {
  await web.go(page, `/app/try?job=${job}`);
  await page.getByLabel("On the server").check();
  const least = page.getByLabel(/Least confidence/);
  if (await least.count()) await least.fill("0.05");
  await page.locator("input[type=file]:not([webkitdirectory])").setInputFiles(files);
  const server = await results();
  await page.getByLabel("In this tab").check();
  return [server, await results()];
}

describe("objects in a browser", { skip: Web.none }, () => {
  test("boxes with masks are found alike on the server and in the tab", async () => {
    const [server, tab] = await both(jobs["segment-tiny"]!);
    let compared = 0;
    for (const [i, here] of tab.entries()) {
      const there = server[i];
      assert.deepEqual([here.file, here.width, here.height, here.error], [there.file, there.width, there.height, there.error]);
      for (const p of here.predictions.filter((one: any) => one.confidence > 0.06)) { // at the edge either may miss one
        const twin = there.predictions.find((q: any) => q.class === p.class && Math.abs(q.confidence - p.confidence) < 2e-3 &&
          q.box.every((v: number, k: number) => Math.abs(v - p.box[k]) < 1));
        assert.ok(twin, `${here.file}: ${JSON.stringify(p)} of ${JSON.stringify(there.predictions.slice(0, 4))}`);
        compared++;
      }
    }
    assert.ok(compared > 0, `nothing was found: ${JSON.stringify(server[0])}`);
    await settled(page);
    await shots(page, "try-objects");
    await axe(page);
  });

  test("areas have the same shares, and each picture its mask", async () => {
    const [server, tab] = await both(jobs["semseg-tiny"]!);
    for (const [i, here] of tab.entries())
      for (const p of here.predictions) {
        const twin = server[i].predictions.find((q: any) => q.class === p.class);
        assert.ok(p.share < 0.01 || Math.abs((twin?.share ?? 0) - p.share) < 0.01, `${here.file} ${p.class}: ${p.share} and ${twin?.share}`);
      }
    const drawn = await page.evaluate(`[...document.querySelectorAll("li canvas")].map((c) =>
      c.getContext("2d").getImageData(0, 0, c.width, c.height).data.some((v, i) => i % 4 === 3 && v > 0))`);
    assert.deepEqual(drawn, [true, true, true]);
    await shots(page, "try-areas");
  });
});
