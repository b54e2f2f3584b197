// How fast the app is under the hands: first contentful paint and interaction to next paint (as the browser measures
// them) with a processor 4 times slower, into build/web-vitals.json (tests/lib/figures.ts).
import { after, before, describe, test } from "node:test";

import { type Figure, held, tell } from "../lib/figures";
import { type Page, settled, Web } from "../lib/browser";

const SLOWER = 4;
const PAINT_MS = 1000, INTERACTION_MS = 100;
const ROUNDS = held ? 11 : 3;

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

describe("the app under a slow processor", { skip: Web.none }, () => {
  test("paints soon and answers soon", async () => {
    const cdp = await web.context.newCDPSession(page);
    await cdp.send("Emulation.setCPUThrottlingRate", { rate: SLOWER });
    const paints: number[] = [], waits: Record<string, number[]> = {};
    for (let round = 0; round < ROUNDS; round++) {
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
    await tell([
      { name: `first contentful paint, processor ${SLOWER} times slower`, unit: "ms", rounds: paints, aim: PAINT_MS },
      ...Object.entries(waits).map(([name, rounds]): Figure => ({ name: `${name}, to the next paint, processor ${SLOWER} times slower`, unit: "ms", rounds, aim: INTERACTION_MS })),
    ]);
  });
});
