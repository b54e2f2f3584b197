// Ten thousand runs in the comparison: painted soon after the API's answer, scrolled without a stutter.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { type Page, Web } from "../lib/browser";
import { tell } from "../lib/figures";
import { create, upload } from "../lib/jobs";
import { patterns } from "../lib/pictures";

const RUNS = 10_000, AT_ONCE = 16, ROUNDS = 5;
const FIRST_PAINT_MS = 500, FRAMES = 50;
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
    const paints: number[] = [], rates: number[] = [];
    const cdp = await web.context.newCDPSession(page);
    await cdp.send("Performance.enable", { timeDomain: "threadTicks" });
    const spent = async () => 1000 * ((await cdp.send("Performance.getMetrics")).metrics.find((one) => one.name === "TaskDuration")?.value ?? 0);
    let frames = 0, own = 0;
    for (let i = 0; i < ROUNDS; i++) {
      await web.go(page, "/app/jobs");
      // from the answer's last byte to the frame with the newest run in the table
      await page.evaluate(`(() => {
        window.answered = 0;
        const take = window.fetch;
        window.fetch = async (...of) => {
          const reply = await take(...of);
          if (!String(of[0]).startsWith("/training/runs")) return reply;
          const text = await reply.text();
          window.answered = performance.now();
          return new Response(text, reply);
        };
        window.painted = new Promise((done) => {
          const look = () => document.querySelector("[role=table] [data-row]") ? requestAnimationFrame(() => setTimeout(() => done(performance.now() - window.answered))) : requestAnimationFrame(look);
          look();
        });
      })()`);
      await page.locator('aside nav a[href="/app/compare"]').click();
      paints.push(Number(await page.evaluate("window.painted")));
      await page.getByRole("table", { name: "Compare" }).getByRole("link", { name: `run ${RUNS - 1}`, exact: true }).waitFor();
      const before = await spent();
      const ran = (await page.evaluate(`new Promise((done) => {
        const box = document.querySelector('[role=table]'), began = performance.now();
        let frames = 0;
        const step = () => {
          box.scrollTop += 400;
          frames++;
          const ms = performance.now() - began;
          if (ms < 2000) requestAnimationFrame(step);
          else done({ frames, ms });
        };
        requestAnimationFrame(step);
      })`)) as { frames: number; ms: number };
      own += (await spent()) - before;
      frames += ran.frames;
      rates.push((1000 * ran.frames) / ran.ms);
    }
    await tell([
      { name: "10,000 runs, first rows after the answer", unit: "ms", rounds: paints, aim: FIRST_PAINT_MS },
      { name: "10,000 runs, scrolling", unit: "frames/s", rounds: rates, aim: FRAMES, own: own / frames },
    ]);
    assert.equal(await page.getByRole("table", { name: "Compare" }).getAttribute("aria-rowcount"), String(RUNS + 1));
    assert.ok((await page.locator("[data-row]").count()) < 100, "only rows in view exist");
  });
});
