// Ten thousand runs in the comparison: painted soon after the API's answer, scrolled without a stutter.  The figures
// are printed; what is asserted is generous, because machines differ.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { type Page, Web } from "../lib/browser";
import { create, upload } from "../lib/jobs";
import { patterns } from "../lib/pictures";

const RUNS = 10_000, AT_ONCE = 16;
let web: Web, page: Page;

before(async () => {
  if (Web.none) return;
  web = await Web.open();
  await upload(web.anneal, "patterns", patterns(12, 4));
  for (let i = 0; i < RUNS; i += AT_ONCE)
    await Promise.all(Array.from({ length: Math.min(AT_ONCE, RUNS - i) }, (_, k) =>
      create(web.anneal, "patterns", { model: "tiny", epochs: 1 + ((i + k) % 50), learning_rate: ((i + k) % 997) / 1000 + 0.001 }, { name: `run ${i + k}`, start: false })));
  page = await web.login();
});
after(() => web?.close());

describe("ten thousand runs", { skip: Web.none }, () => {
  test("are painted soon after the answer and scroll", async () => {
    await page.evaluate(`window.answered = 0; const real = fetch; window.fetch = async (...of) => {
      const reply = await real(...of);
      if (String(of[0]).startsWith("/training/runs")) { const text = await reply.text(); window.answered = performance.now(); return new Response(text, reply); }
      return reply;
    }`);
    await page.locator('aside nav a[href="/app/compare"]').click();
    await page.getByRole("table", { name: "Compare" }).getByRole("link", { name: `run ${RUNS - 1}`, exact: true }).waitFor();
    const painted = (await page.evaluate(`new Promise((done) => requestAnimationFrame(() => setTimeout(() => done(performance.now() - window.answered))))`)) as number;
    const frames = (await page.evaluate(`new Promise((done) => {
      const box = document.querySelector('[role=table]');
      const began = performance.now();
      let frames = 0;
      const step = () => {
        box.scrollTop += 400;
        frames++;
        if (performance.now() - began < 2000) requestAnimationFrame(step);
        else done(frames / ((performance.now() - began) / 1000));
      };
      requestAnimationFrame(step);
    })`)) as number;
    console.log(`10,000 runs: painted ${painted.toFixed(0)} ms after the answer, ${frames.toFixed(0)} frames a second`);
    assert.ok(painted < 5000, `${painted} ms`);
    assert.ok(frames > 10, `${frames} frames a second`);
    assert.equal(await page.getByRole("table", { name: "Compare" }).getAttribute("aria-rowcount"), String(RUNS + 1));
    assert.ok((await page.locator("[data-row]").count()) < 100, "only rows in view exist");
  });
});
