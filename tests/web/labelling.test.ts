// From loose pictures to a trained model in a real browser: dropped, labelled by the keyboard alone, committed,
// trained on; boxes and outlines drawn, moved and undone with the pointer and by keys; what somebody else changed meanwhile is not lost.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { until } from "../lib/anneal";
import { axe, type Page, settled, shots, SLOW_MS, Web } from "../lib/browser";
import { noise, png } from "../lib/pictures";

let web: Web, page: Page, dataset: string;

/** Left dark and right light, or the other way round. */
const halves = (k: number, i: number) => png(64, 48, (x, y) => {
  const v = (x < 32) === (k === 0) ? 40 : 210;
  return [v + 20 * noise(i, x, y), v, v];
});
const files = Array.from({ length: 12 }, (_, i) => ({ name: `${String(i).padStart(2, "0")}.png`, mimeType: "image/png", buffer: halves(i % 2, i) }));
const here = (index: number) => page.locator(`[data-picture="${index}"] image`).waitFor();
/** The picture's labels on the server, once they are as they should be. */
const saved = (index: number, as: (one: any) => boolean) => until(`picture ${index} is saved`, async () => {
  const one = await web.anneal.get(`/datasets/${dataset}/draft/images/${index}`);
  return as(one) && one;
}, 30_000);
const canvas = () => page.locator("[data-canvas]");
const boxes = () => page.locator("[data-box]").count();

before(async () => {
  if (Web.none) return;
  web = await Web.open();
  page = await web.login("/app/datasets");
});
after(() => web?.close());

describe("labelling", { skip: Web.none }, () => {
  test("loose pictures become a dataset without labels", async () => {
    await page.locator("input[type=file]:not([webkitdirectory])").first().setInputFiles(files);
    const line = page.locator("[data-phase=done]");
    await line.waitFor({ timeout: SLOW_MS });
    await line.getByRole("link", { name: "Look at it" }).click();
    await page.getByText("These pictures have no labels yet").waitFor();
    dataset = new URL(page.url()).pathname.split("/").at(-1) ?? "";
    assert.equal((await web.anneal.get(`/datasets/${dataset}`)).classes, 0);
  });

  test("classes are given by the keyboard alone, and every key is saved", async () => {
    const label = page.getByRole("link", { name: "Label", exact: true });
    await label.focus();
    await page.keyboard.press("Enter");
    await page.getByRole("button", { name: /One class for each picture/ }).focus();
    await shots(page, "label-begin");
    await page.keyboard.press("Enter");
    const field = page.getByRole("textbox", { name: "New class" });
    await field.focus();
    for (const name of ["left dark", "right dark"]) {
      await page.keyboard.type(name);
      await page.keyboard.press("Enter");
      await page.getByRole("button", { name: new RegExp(`^${name}`) }).waitFor();
    }
    await canvas().focus();
    for (let i = 0; i < 10; i++) {
      await here(i);
      await page.keyboard.press(i % 2 ? "2" : "1");
    }
    await page.getByText("10 of 12 labelled").waitFor();
    await saved(9, (one) => one.label_id === 1);
    const edits = (await web.anneal.get(`/datasets/${dataset}/draft/edits`)).edits;
    assert.deepEqual(edits.map((one: any) => one.label_id), [0, 1, 0, 1, 0, 1, 0, 1, 0, 1]);
    await here(10);
    await page.keyboard.press("ArrowLeft");
    await here(9);
    await page.keyboard.press("Delete");
    await saved(9, (one) => one.label === null);
    await page.keyboard.press("Control+z");
    await saved(9, (one) => one.label === "right dark");
    await shots(page, "label-classes");
    await axe(page);
  });

  test("a commit makes a version that is trained on", async () => {
    await page.getByRole("button", { name: "Commit" }).focus();
    await page.keyboard.press("Enter");
    await page.getByRole("textbox", { name: "Message" }).waitFor();
    await page.keyboard.type("first ten");
    await page.getByRole("dialog").getByRole("button", { name: "Commit" }).click();
    await page.getByText("The version is there").waitFor({ timeout: SLOW_MS });
    const version = await web.anneal.get(`/datasets/${dataset}/versions/2`);
    assert.deepEqual([version.message, version.none, version.train + version.val], ["first ten", 2, 10]);
    await page.getByRole("dialog").getByRole("link", { name: "Start training" }).click();
    await settled(page);
    const reply = await web.anneal.api("POST", "/training/jobs", { dataset, config: { model: "tiny", epochs: 1 }, start: true });
    assert.equal(reply.status, 201);
    const { job } = (await reply.json()) as { job: string };
    const end = await until("the job has ended", async () => {
      const state = await web.anneal.get(`/training/jobs/${job}`);
      return ["completed", "failed"].includes(state.status) && state;
    }, SLOW_MS);
    assert.equal(end.status, "completed", end.error?.text);
  });

  test("the model suggests labels for the rest; a person accepts them", async () => {
    await web.go(page, `/app/datasets/${dataset}/label?walk=unlabelled`);
    await page.getByRole("slider").focus();
    await page.keyboard.press("Home"); // one epoch makes no certain model
    await page.getByRole("button", { name: "For 2 without labels" }).click();
    await page.getByRole("button", { name: "Accept all 2" }).waitFor({ timeout: SLOW_MS });
    await page.locator("main select").first().selectOption("suggested");
    await page.getByText("Suggested by a model").waitFor();
    await shots(page, "label-suggested");
    await page.getByRole("button", { name: "Accept all 2" }).click();
    await page.getByText("12 of 12 labelled").waitFor();
    assert.equal((await web.anneal.get(`/datasets/${dataset}/draft`)).suggested, 0);
  });

  test("boxes are drawn, resized, copied, deleted and undone; the draft follows", async () => {
    await web.anneal.api("DELETE", `/datasets/${dataset}/draft`);
    const draft = await web.anneal.api("POST", `/datasets/${dataset}/draft`, { task: "detection" });
    assert.equal(draft.status, 201);
    await web.go(page, `/app/datasets/${dataset}/label`);
    await canvas().waitFor();
    const area = await canvas().boundingBox();
    assert.ok(area);
    const drag = async (x1: number, y1: number, x2: number, y2: number) => {
      const at = (x: number, y: number) => [area.x + area.width * x, area.y + area.height * y] as const;
      await page.mouse.move(...at(x1, y1));
      await page.mouse.down();
      await page.mouse.move(...at((x1 + x2) / 2, (y1 + y2) / 2), { steps: 3 });
      await page.mouse.move(...at(x2, y2), { steps: 3 });
      await page.mouse.up();
    };
    await drag(0.3, 0.3, 0.5, 0.6);
    assert.equal(await boxes(), 1);
    const first = (await saved(0, (one) => one.shapes.boxes?.length === 1)).shapes.boxes[0];
    assert.ok(first[3] > 4 && first[4] > 4);
    await page.keyboard.press("2"); // the chosen box gets the second class
    await drag(0.4, 0.45, 0.5, 0.55); // within it: it moves
    assert.equal(await boxes(), 1);
    const moved = (await saved(0, (one) => one.shapes.boxes[0][0] === 1 && one.shapes.boxes[0][1] !== first[1])).shapes.boxes[0];
    assert.ok(moved[1] > first[1] && moved[3] === first[3]);
    await page.keyboard.press("Control+z");
    await page.keyboard.press("Control+z");
    await saved(0, (one) => one.shapes.boxes[0].join() === first.join());
    await page.keyboard.press("Control+y");
    await page.keyboard.press("[");
    await page.keyboard.press("Control+c");
    await page.keyboard.press("Control+v");
    assert.equal(await boxes(), 2);
    await shots(page, "label-boxes");
    await axe(page);
    await page.keyboard.press("Delete");
    assert.equal(await boxes(), 1);
    await page.keyboard.press("Escape");
    await page.keyboard.press("ArrowRight");
    await here(1);
    await page.keyboard.press("n");
    await page.keyboard.press("Control+ArrowRight");
    await page.keyboard.press("Shift+ArrowDown");
    await saved(1, (one) => one.shapes.boxes?.[0].slice(1).map(Math.round).join() === "22,27,20,14");
  });

  test("somebody else's change of the same picture is shown, not overwritten", async () => {
    const path = `/datasets/${dataset}/draft/images/1`;
    const { revision } = await web.anneal.get(path);
    const theirs = { revision, shapes: { boxes: [[0, 1, 1, 5, 5]] } };
    assert.equal((await web.anneal.api("PUT", path, theirs)).status, 200);
    await page.keyboard.press("ArrowDown");
    await page.getByText("Somebody else has changed this picture's labels").waitFor();
    assert.deepEqual((await web.anneal.get(path)).shapes, theirs.shapes);
    await shots(page, "label-conflict");
    await page.getByRole("button", { name: "Keep mine" }).click();
    await saved(1, (one) => one.shapes.boxes[0][1] > 20);
  });

  test("outlines are clicked, bent, drawn by keys, undone, and make a version to segment", async () => {
    await web.anneal.api("DELETE", `/datasets/${dataset}/draft`);
    assert.equal((await web.anneal.api("POST", `/datasets/${dataset}/draft`, { task: "segmentation" })).status, 201);
    await web.go(page, `/app/datasets/${dataset}/label`);
    await canvas().waitFor();
    const area = await canvas().boundingBox();
    assert.ok(area);
    const at = (x: number, y: number) => [area.x + area.width * x, area.y + area.height * y] as const;
    for (const [x, y] of [[0.3, 0.3], [0.55, 0.3], [0.55, 0.6], [0.35, 0.7]] as const) await page.mouse.click(...at(x, y));
    assert.equal(await page.locator("[data-open]").getAttribute("data-open"), "4");
    await shots(page, "label-outline-open");
    await page.mouse.click(...at(0.3, 0.3)); // the first corner again: closed
    const outlines = (n: number) => saved(0, (one) => (one.shapes.polygons?.length ?? 0) === n);
    const [first] = (await outlines(1)).shapes.polygons;
    assert.equal(first.length, 9);
    await page.mouse.move(...at(0.55, 0.6)); // a corner is dragged out
    await page.mouse.down();
    await page.mouse.move(...at(0.65, 0.65), { steps: 4 });
    await page.mouse.up();
    const bent = (await saved(0, (one) => one.shapes.polygons[0][5] > first[5] + 2)).shapes.polygons[0];
    assert.deepEqual([...bent.slice(0, 5), ...bent.slice(7)], [...first.slice(0, 5), ...first.slice(7)]);
    await page.locator("[data-middle='0']").click(); // and one inserted
    await saved(0, (one) => one.shapes.polygons[0].length === 11);
    await page.keyboard.press("Control+z");
    await page.keyboard.press("Control+z");
    await saved(0, (one) => one.shapes.polygons[0].join() === first.join());
    await page.keyboard.press("Control+y");
    await saved(0, (one) => one.shapes.polygons[0].join() === bent.join());
    await page.keyboard.press("Escape");
    await page.keyboard.press("n"); // a second one, by keys alone
    for (const keys of [["Space"], ["Shift+ArrowRight", "Space"], ["Shift+ArrowDown", "Space"], ["Enter"]])
      for (const key of keys) await page.keyboard.press(key);
    await page.keyboard.press("2");
    await saved(0, (one) => one.shapes.polygons[1]?.join() === "1,32,24,42,24,42,34");
    await shots(page, "label-outlines");
    await axe(page);
    await page.getByRole("button", { name: "Commit" }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Commit" }).click();
    await page.getByText("The version is there").waitFor({ timeout: SLOW_MS });
    assert.equal((await web.anneal.get(`/datasets/${dataset}/versions/latest`)).task, "segmentation");
    await page.getByRole("button", { name: "Go on labelling" }).click();
    await canvas().waitFor();
  });

  test("a phone can label, too", async () => {
    await page.setViewportSize({ width: 360, height: 740 });
    await shots(page, "label-phone");
    await page.setViewportSize({ width: 1280, height: 900 });
  });
});
