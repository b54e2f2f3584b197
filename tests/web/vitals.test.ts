// How fast the app is under the hands: first contentful paint and interaction to next paint (as the browser measures
// them) with a processor 4 times slower.  The figures go into build/web-vitals.json; a machine that is busy says little
// about milliseconds, so only what no noise explains fails here.
import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";

import { root } from "../lib/anneal";
import { type Page, settled, Web } from "../lib/browser";

const SLOWER = 4;
const PAINT_MS = 1000, INTERACTION_MS = 100; // what is aimed at, on a machine that does nothing else
const FAR = 10; // times that: something is broken

let web: Web, page: Page;
before(async () => {
  if (Web.none) return;
  web = await Web.open();
  page = await web.login();
  await web.context.addInitScript(`window.__slow = 0;
    new PerformanceObserver((list) => {
      for (const one of list.getEntries()) if (one.interactionId) window.__slow = Math.max(window.__slow, one.duration);
    }).observe({ type: "event", buffered: true, durationThreshold: 16 });`);
});
after(() => web?.close());

const median = (all: number[]) => [...all].sort((a, b) => a - b)[Math.floor(all.length / 2)] ?? Number.NaN;

describe("the app under a slow processor", { skip: Web.none }, () => {
  test("paints soon and answers soon", async () => {
    const cdp = await web.context.newCDPSession(page);
    await cdp.send("Emulation.setCPUThrottlingRate", { rate: SLOWER });
    const paints: number[] = [], waits: Record<string, number[]> = {};
    for (let round = 0; round < 5; round++) {
      await web.go(page, "/app/jobs");
      paints.push((await page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime")) as number);
      const doing: [string, () => Promise<void>][] = [
        ["open a page", () => page.locator('aside nav a[href="/app/datasets"]').click()],
        ["type in a search", () => page.getByRole("searchbox").first().pressSequentially("abc")],
        ["open the palette", () => page.keyboard.press("Control+k")],
        ["type in the palette", () => page.keyboard.type("comp")],
        ["choose in the palette", () => page.keyboard.press("Enter")],
      ];
      for (const [name, act] of doing) {
        await page.evaluate("window.__slow = 0");
        await act();
        await settled(page);
        await page.evaluate("new Promise((done) => requestAnimationFrame(() => setTimeout(done, 50)))");
        (waits[name] ??= []).push((await page.evaluate("window.__slow")) as number);
      }
      await page.waitForURL(/\/app\/compare/);
    }
    await cdp.send("Emulation.setCPUThrottlingRate", { rate: 1 });
    const transfer = (await page.evaluate(`performance.getEntriesByType("resource").filter((r) => r.name.includes("/assets/"))
      .reduce((sum, r) => sum + r.encodedBodySize, 0)`)) as number;
    const vitals = {
      cpu_slowdown: SLOWER, rounds: paints.length, first_contentful_paint_ms: { median: median(paints), aim: PAINT_MS },
      interaction_to_next_paint_ms: { median: Object.fromEntries(Object.entries(waits).map(([name, all]) => [name, median(all)])), aim: INTERACTION_MS },
      assets_of_the_last_page_kb: Math.round(transfer / 102.4) / 10,
    };
    mkdirSync(join(root, "build"), { recursive: true });
    writeFileSync(join(root, "build/web-vitals.json"), `${JSON.stringify(vitals, null, 2)}\n`);
    assert.ok(median(paints) < PAINT_MS * FAR, JSON.stringify(vitals));
    for (const [name, all] of Object.entries(waits)) assert.ok(median(all) < INTERACTION_MS * FAR, `${name}: ${JSON.stringify(vitals)}`);
  });
});
