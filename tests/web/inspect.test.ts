// Looking into the mistakes of a detector and of a segmenter in a real browser, down to the drawn boxes, outlines and
// masks; every number on the page is the server's own for the whole split.
import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";

import { Anneal, until } from "../lib/anneal";
import { axe, type Page, settled, shots, SLOW_MS, Web } from "../lib/browser";
import { blocks } from "../lib/blocks";
import { create, ended, upload } from "../lib/jobs";

let anneal: Anneal, web: Web, page: Page;
const jobs: Record<string, string> = {};

before(async () => {
  if (Web.none) return;
  anneal = await Anneal.start(["--jobs-per-trainer", "2"]);
  const shapes = join(anneal.dir, "shapes");
  for (const words of [["sample", "shapes", shapes, "--count", "40", "--size", "64"], ["dataset", "import", shapes, "--name", "shapes"]])
    assert.equal((await anneal.cli(...words)).code, 0, words.join(" "));
  await upload(anneal, "blocks", blocks(32, 12));
  for (const [model, dataset, epochs] of [["detect-tiny", "shapes", 12], ["segment-tiny", "blocks", 12], ["semseg-tiny", "blocks", 4]] as const)
    jobs[model] = await create(anneal, dataset, { model, epochs, image_size: 64, batch_size: 4, threads: 1, seed: 3 }, { name: model });
  web = await Web.open(anneal);
  page = await web.login();
  for (const id of Object.values(jobs)) assert.equal((await ended(anneal, id)).status, "completed");
}, { timeout: 2 * SLOW_MS });
after(async () => {
  await web?.close();
  await anneal?.remove();
});

const dialog = () => page.getByRole("dialog");
const of = (job: string, path: string) => anneal.get(`/training/jobs/${job}/validation/best${path}`);
const figure = async (name: string) => Number(await page.getByText(name, { exact: true }).locator("xpath=following-sibling::dd").textContent());
const drawn = (what: string) => dialog().locator("figure").last().locator(what).count();

/** The page of a job's results, with the fullest cell of the matrix that meets the background opened: its pictures. */
async function nothing(job: string): Promise<any[]> {
  await web.go(page, `/app/jobs/${job}?tab=validation`);
  await page.getByRole("slider", { name: "Confidence threshold" }).waitFor();
  const head = await of(job, ""), ground = head.classes.length, name = (i: number) => head.classes[i] ?? "(nothing)";
  const cells = head.confusion.flatMap((row: number[], label: number) => row.map((n, predicted) => ({ n, label, predicted })));
  const most = cells.filter((c: any) => (c.label === ground) !== (c.predicted === ground)).sort((a: any, b: any) => b.n - a.n)[0];
  assert.ok(most.n > 0, JSON.stringify(head.confusion));
  await page.getByRole("button", { name: `${most.n} × ${name(most.label)}, predicted ${name(most.predicted)}`, exact: true }).click();
  const { total, images } = await of(job, `/images?order=hardest&label=${most.label}&predicted=${most.predicted}`);
  assert.ok(total > 0 && total <= most.n);
  for (const one of images) {
    const [list, cls] = most.predicted === ground ? [one.truths, most.label] : [one.predictions, most.predicted];
    assert.ok(one.score > 0 && list.some((t: any) => t.class_id === cls), JSON.stringify(one));
  }
  await dialog().getByText(`${total} picture${total === 1 ? "" : "s"}`, { exact: true }).waitFor();
  assert.equal(await dialog().getByRole("button", { name: /^Open / }).count(), Math.min(60, total));
  return images;
}

/** In the first picture that has predictions: the threshold takes them away and brings them back. */
async function dragged(images: any[]): Promise<void> {
  const one = images.find((image) => image.predictions.length);
  await dialog().getByRole("button", { name: `Open ${one.name}`, exact: true }).click();
  const slider = dialog().getByRole("slider", { name: "Confidence threshold" });
  await slider.press("End");
  await until("no box is drawn", async () => (await drawn("rect")) === 0);
  await dialog().getByText(`0 found, ${one.truths.length} missed, 0 false`).waitFor();
  await slider.press("Home");
  await until("all boxes are drawn", async () => (await drawn("rect")) === one.predictions.length);
  const hits = one.predictions.filter((p: any) => p.truth !== null).length;
  await dialog().getByText(`${hits} found, ${one.truths.length - hits} missed, ${one.predictions.length - hits} false`).waitFor();
}

describe("mistakes of boxes and segments", { skip: Web.none }, () => {
  test("a detector: curves, a threshold that counts the whole split, a cell with background, boxes", { timeout: SLOW_MS }, async () => {
    const job = jobs["detect-tiny"]!, counts = await of(job, "/counts"), head = await of(job, "");
    assert.equal(counts.objects, head.per_class.reduce((n: number, row: any) => n + row.support, 0));
    await web.go(page, `/app/jobs/${job}?tab=validation`);
    await page.getByRole("img", { name: "By confidence" }).waitFor();
    await page.getByRole("img", { name: "Precision by recall, IoU 0.5" }).waitFor();
    const slider = page.getByRole("slider", { name: "Confidence threshold" });
    for (const [key, at] of [["End", 100], ["Home", 0]] as const) {
      await slider.press(key);
      assert.deepEqual([await figure("Found"), await figure("Missed"), await figure("False")], [counts.hits[at], counts.objects - counts.hits[at], counts.false[at]]);
    }
    assert.ok(counts.false[0] > 0);
    await shots(page, "inspect-boxes");
    await axe(page);
    const images = await nothing(job);
    await dialog().getByRole("combobox", { name: "Order" }).waitFor();
    await shots(page, "inspect-cell");
    await dragged(images);
    await shots(page, "inspect-found");
    await axe(page);
    await page.keyboard.press("Escape");
  });

  test("the hardest of a kind of mistake and a class come first, as the server ranks them", { timeout: SLOW_MS }, async () => {
    const job = jobs["detect-tiny"]!;
    await page.getByRole("button", { name: "All pictures" }).click();
    const names = () => dialog().getByRole("button", { name: /^Open / }).evaluateAll((all) => all.map((b) => b.getAttribute("aria-label")));
    await dialog().getByText(/^\d+ pictures?$/).waitFor();
    for (const [kind, query] of [["False positive", "mistake=false"], ["Missed", "mistake=missed"]]) {
      await dialog().getByRole("combobox", { name: "Mistake" }).selectOption({ label: kind! });
      const { images } = await of(job, `/images?order=hardest&limit=60&${query}`);
      await until(`the page shows ${kind}`, async () => (await names()).join() === images.map((one: any) => `Open ${one.name}`).join());
    }
    await page.keyboard.press("Escape");
  });

  test("a segmenter: outlines beside masks, and both in one", { timeout: SLOW_MS }, async () => {
    await dragged(await nothing(jobs["segment-tiny"]!));
    const truth = dialog().locator("figure").first();
    await truth.locator("polygon").first().waitFor();
    await until("masks are painted", () => page.evaluate(`[...document.querySelectorAll("[role=dialog] figure canvas")].some((c) =>
      c.getContext("2d").getImageData(0, 0, c.width, c.height).data.some((v, i) => i % 4 === 3 && v > 0))`).then(Boolean));
    await settled(page);
    await shots(page, "inspect-masks");
    await axe(page);
    await dialog().getByRole("button", { name: "Overlaid" }).click();
    assert.equal(await dialog().locator("figure").count(), 1);
    assert.ok(await drawn("polygon") > 0 && await drawn("canvas") === 1);
    await page.setViewportSize({ width: 390, height: 844 });
    await shots(page, "inspect-phone");
    await page.setViewportSize({ width: 1280, height: 900 });
    await page.keyboard.press("Escape");
  });

  test("areas: a cell of pixels opens its pictures by the part that is wrong, said and true in one", { timeout: SLOW_MS }, async () => {
    const job = jobs["semseg-tiny"]!, head = await of(job, "");
    await web.go(page, `/app/jobs/${job}?tab=validation`);
    const cells = head.confusion.flatMap((row: number[], label: number) => row.map((n, predicted) => ({ n, label, predicted })));
    const most = cells.filter((c: any) => c.label !== c.predicted).sort((a: any, b: any) => b.n - a.n)[0];
    const { images, total } = await of(job, `/images?order=hardest&label=${most.label}&predicted=${most.predicted}`);
    const part = (one: any) => one.confused.find((c: number[]) => c[0] === most.label && c[1] === most.predicted)[2] / one.pixels;
    assert.ok(total > 0 && images.every((one: any) => Math.abs(one.score - part(one)) < 1e-5), JSON.stringify(images[0]));
    assert.equal(images.reduce((n: number, one: any) => n + Math.round(part(one) * one.pixels), 0), most.n);
    await page.locator("table button:not([disabled])").nth(cells.filter((c: any) => c.n > 0).indexOf(most)).click();
    await dialog().getByRole("button", { name: `Open ${images[0].name}`, exact: true }).click();
    await dialog().getByRole("button", { name: "Overlaid" }).click();
    assert.ok(await drawn("canvas") === 1);
    await dialog().locator("figure polygon").first().waitFor();
    await shots(page, "inspect-areas");
    await page.keyboard.press("Escape");
  });
});
