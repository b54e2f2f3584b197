// Datasets in a real browser: an upload that is paused, loses its connection and outlives a reload; the gallery by
// keyboard and filter; faults that lead to their pictures; pictures moved between splits; two versions compared; classes
// renamed and removed.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";

import { until } from "../lib/anneal";
import { axe, type Page, settled, shots, SLOW_MS, Web } from "../lib/browser";
import { upload } from "../lib/jobs";
import { noise, png, tar, type TarFile } from "../lib/pictures";

let web: Web, page: Page, dataset: string;

const kinds = ["disc", "square"];
const SIDE = 48;
const picture = (k: number, i: number) => png(SIDE, SIDE, (x, y) => {
  const inside = k ? x > 10 && x < 38 && y > 10 && y < 38 : (x - 24) ** 2 + (y - 24) ** 2 < 196;
  return inside ? [210, 90 + 60 * k, 40] : [30 + 40 * noise(i, x, y), 60, 80];
});
/** Boxes in COCO's form; one lies partly outside, one picture is broken. */
function boxes(n: number, cls = (i: number) => i % 2): TarFile[] {
  const name = (i: number) => `${String(i).padStart(3, "0")}.png`;
  const files = Array.from({ length: n }, (_, i) => ({ name: `images/${name(i)}`, data: picture(i % 2, i) }));
  const coco = {
    images: Array.from({ length: n + 1 }, (_, i) => ({ id: i, file_name: name(i), width: SIDE, height: SIDE })),
    categories: kinds.map((kind, i) => ({ id: i, name: kind })),
    annotations: Array.from({ length: n + 1 }, (_, i) => ({ id: i, image_id: i, category_id: cls(i), bbox: i === 3 ? [30, 30, 40, 40] : [10, 10, 28, 28] })),
  };
  return [...files, { name: `images/${name(n)}`, data: Buffer.from("\x89PNG\r\n\x1a\nbroken", "latin1") },
    { name: "instances.json", data: Buffer.from(JSON.stringify(coco)) }];
}

before(async () => {
  if (Web.none) return;
  web = await Web.open();
  page = await web.login("/app/datasets");
});
after(() => web?.close());

describe("datasets", { skip: Web.none }, () => {
  test("an upload is paused, loses its connection, outlives a reload and goes on with what is missing", async () => {
    const dir = mkdtempSync(join(tmpdir(), "anneal-upload-"));
    const file = join(dir, "large.zip");
    writeFileSync(file, Buffer.alloc(96 << 20, 7)); // no archive: it is what arrives that matters
    const input = () => page.locator("input[type=file]:not([webkitdirectory])").first();
    const parts: number[] = [];
    page.on("request", (r) => r.method() === "PUT" && parts.push(Number(new URL(r.url()).pathname.split("/").at(-1))));
    const first = page.waitForResponse((r) => r.url().endsWith("/parts/1"));
    await input().setInputFiles(file);
    await first;
    await web.context.setOffline(true);
    await page.locator("[data-phase=waiting]").getByText(/No connection/).waitFor();
    await page.getByRole("button", { name: "Pause" }).click();
    await page.locator("[data-phase=paused]").getByText(/Paused at \d/).waitFor();
    await web.context.setOffline(false);
    await shots(page, "upload-paused");
    page.once("dialog", (d) => void d.accept());
    await page.reload();
    await settled(page);
    await page.locator("[data-phase=interrupted]").getByText(/choose the same files again/).waitFor();
    await shots(page, "upload-interrupted");
    const [one] = JSON.parse(String(await page.evaluate("localStorage.getItem('anneal-uploads')"))) as { upload: string }[];
    const { received, parts: all } = await web.anneal.get(`/datasets/uploads/${one?.upload}`);
    assert.ok(received.includes(1) && received.length < all, `${received} of ${all}`);
    parts.length = 0;
    await input().setInputFiles(file);
    await page.locator("[data-phase=failed]").waitFor({ timeout: SLOW_MS }); // not an archive, as the server says
    assert.deepEqual(parts, Array.from({ length: all }, (_, i) => i + 1).filter((n) => !received.includes(n)));
    assert.equal(await page.locator("[data-phase=interrupted]").count(), 0);
    await page.getByRole("button", { name: "Dismiss" }).click();
    rmSync(dir, { recursive: true });
  });

  test("the gallery shows pictures with boxes; the keys walk over it", async () => {
    const done = await upload(web.anneal, "shapes", tar(boxes(60)));
    assert.equal(done.state, "done", done.error);
    dataset = done.dataset;
    await web.go(page, `/app/datasets/${dataset}`);
    await page.locator("[data-tile] img").first().waitFor();
    await page.getByText("60 pictures", { exact: true }).first().waitFor();
    await shots(page, "dataset-gallery");
    await axe(page);
    await page.locator("[data-tile='0'] button").focus();
    await page.keyboard.press("End");
    await until("the last tile has the focus", () => page.evaluate("document.activeElement?.closest('[data-tile]')?.dataset.tile === '59'").then(Boolean));
    await page.keyboard.press("Enter");
    await page.getByRole("dialog").getByText("60 / 60").waitFor();
    await page.keyboard.press("ArrowLeft");
    await page.getByRole("dialog").getByText("59 / 60").waitFor();
    await shots(page, "dataset-picture");
    await axe(page);
    await page.keyboard.press("Escape");
    await page.getByLabel("Class").selectOption("disc");
    await page.getByText("30 pictures", { exact: true }).waitFor();
    await page.getByRole("searchbox", { name: "Search by name" }).fill("002");
    await page.getByText("1 picture", { exact: true }).waitFor();
    await page.getByRole("searchbox", { name: "Search by name" }).fill("nowhere");
    await page.getByRole("button", { name: "Clear the filters" }).click();
    await page.getByText("60 pictures", { exact: true }).first().waitFor();
  });

  test("a fault names file and kind, and leads to its picture", async () => {
    await page.getByRole("tab", { name: /Faults/ }).click();
    await page.getByText("images/060.png").first().waitFor();
    await shots(page, "dataset-faults");
    await axe(page);
    await page.getByLabel("Kind of fault").selectOption("box_outside_image");
    await page.getByRole("link", { name: "Show the picture" }).click();
    await page.getByRole("dialog", { name: "003.png" }).waitFor();
    await page.keyboard.press("Escape");
    await page.getByRole("tab", { name: /Faults/ }).click();
    await page.getByLabel("Kind of fault").selectOption("box_outside_image");
    await page.getByRole("button", { name: "Show these pictures in the gallery" }).click();
    await page.getByText("1 picture", { exact: true }).waitFor();
  });

  test("selected pictures move to another split: a further version", async () => {
    await web.go(page, `/app/datasets/${dataset}`);
    await page.getByRole("button", { name: "Select", exact: true }).click();
    await page.locator("[data-tile='1'] button").click();
    await page.locator("[data-tile='4'] button").click({ modifiers: ["Shift"] });
    await page.getByText("4 selected").waitFor();
    await shots(page, "dataset-select");
    await axe(page);
    await page.getByRole("button", { name: "To: test" }).click();
    await page.getByRole("tab", { name: "Versions (2)" }).waitFor({ timeout: SLOW_MS });
    assert.equal((await web.anneal.get(`/datasets/${dataset}/versions/2`)).test, 4);
  });

  test("the split editor keeps the shares at a hundred and makes a version", async () => {
    await page.getByRole("button", { name: "Split anew" }).click();
    await page.getByRole("dialog").getByLabel("Validation").fill("30");
    await page.getByRole("dialog").getByText("70 %").waitFor();
    await shots(page, "dataset-split");
    await axe(page);
    await page.getByRole("dialog").getByRole("button", { name: "Make the version" }).click();
    await page.getByRole("tab", { name: "Versions (3)" }).waitFor({ timeout: SLOW_MS });
    assert.equal((await web.anneal.get(`/datasets/${dataset}/versions/3`)).val, 18);
  });

  test("two versions are compared: kinds, pictures side by side, classes", async () => {
    const again = await upload(web.anneal, "shapes", tar(boxes(66, (i) => (i < 5 ? 1 : i % 2))));
    assert.equal(again.state, "done", again.error);
    await web.go(page, `/app/datasets/${dataset}?tab=versions&from=1&to=4`);
    await page.getByRole("button", { name: /^Relabelled 3/ }).click();
    await page.getByText("000.png").waitFor();
    await page.getByRole("button", { name: /^Added 6/ }).waitFor();
    await page.getByRole("heading", { name: "Pictures of each class" }).waitFor();
    await shots(page, "dataset-versions");
    await axe(page);
  });

  test("classes are renamed, then one is removed after a word on what goes; the version before stays", async () => {
    await web.go(page, `/app/datasets/${dataset}`);
    const editor = async () => {
      await page.getByRole("button", { name: "More actions" }).focus();
      await page.keyboard.press("Enter");
      await page.getByRole("menuitem", { name: "Change classes" }).press("Enter");
      await page.getByRole("dialog", { name: "Rename, merge or remove classes" }).waitFor();
    };
    await editor();
    await page.getByRole("textbox", { name: "New name of disc" }).fill("round");
    await page.keyboard.press("Enter"); // nothing is lost, so nothing is asked
    await page.getByRole("tab", { name: "Versions (5)" }).waitFor({ timeout: SLOW_MS });
    const before = await web.anneal.get(`/datasets/${dataset}/versions/5`);
    assert.deepEqual(before.classes, ["round", "square"]);
    await settled(page);
    await editor();
    await page.getByRole("checkbox", { name: "Choose square" }).check();
    await page.getByRole("button", { name: "Remove the chosen" }).click();
    await shots(page, "dataset-classes");
    await axe(page);
    await page.getByRole("button", { name: "Make the version" }).click();
    const ask = page.getByRole("alertdialog"), squares = before.stats.classes[1];
    await ask.getByText("the class square").waitFor();
    await ask.getByText(`${squares.shapes} labels in ${squares.images} pictures`).waitFor();
    await shots(page, "dataset-classes-lost");
    await axe(page);
    await ask.getByRole("button", { name: "Make the version" }).click();
    await page.getByRole("tab", { name: "Versions (6)" }).waitFor({ timeout: SLOW_MS });
    const now = await web.anneal.get(`/datasets/${dataset}/versions/6`);
    assert.deepEqual([now.classes, now.images, now.kind], [["round"], before.images, "classes"]);
    assert.deepEqual(await web.anneal.get(`/datasets/${dataset}/versions/5`), before);
  });

  test("a phone shows the gallery, too", async () => {
    await page.setViewportSize({ width: 360, height: 740 });
    await web.go(page, `/app/datasets/${dataset}`);
    await page.locator("[data-tile] img").first().waitFor();
    await shots(page, "dataset-phone");
    await page.setViewportSize({ width: 1280, height: 900 });
  });
});
