import { fireEvent, screen, waitFor, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { expect, test } from "vitest";

import { type Call, Refusal, serve, show } from "../../testing";
import type { Picture } from "../../types";
import DatasetPage from "./page";
import { namesOf } from "./splits";

const COUNT = 250;
const hash = (n: number) => String(n).repeat(64).slice(0, 64);
const picture = (index: number): Picture => ({
  index, name: `cat/${index}.png`, split: index % 2 ? "val" : "train", sha256: hash(1), bytes: 900, width: 40, height: 30, type: "png",
  label: index % 2 ? "cat" : null, label_id: index % 2 ? 0 : -1, shapes: index % 2 ? {} : { boxes: [[0, 1, 1, 9, 9]] }, url: `/b/${index}`, thumb_url: `/t/${index}`,
});
const version = (number: number) => ({
  dataset: "x", version: hash(number), number, task: "detection", format: "coco", images: COUNT, train: 125, val: 125, test: 0, none: 0, bytes: 5000,
  faults: 2, classes: ["cat"], split: {}, created_at: "2026-01-01T00:00:00Z", kind: number === 1 ? "archive" : "draft", base_version: number === 1 ? null : hash(1),
  message: number === 1 ? "" : "more cats", manifest_bytes: 9, s3_uri: "", created_by: null,
  stats: { classes: [{ name: "cat", images: 250, shapes: 250, train: 125, val: 125, test: 0, none: 0 }], width: { min: 40, max: 40 }, height: { min: 30, max: 30 },
    sizes: [], types: { png: 250 }, duplicates: 0, other_files: 1, fault_counts: { bad_line: 1, corrupt_image: 1 } },
});

function world(more: Record<string, unknown> = {}) {
  return serve({
    "GET /datasets/x": { id: "x", name: "cats", description: "", versions: 2, version: hash(2), images: COUNT, colours: { cat: 3 }, project_id: null },
    "GET /datasets/x/versions": { versions: [version(2), version(1)] },
    "GET /datasets/x/imports": { imports: [] },
    "GET /datasets/x/versions/:v/anchors": (call: Call) => call.query.includes("q=none") ? { count: 0, every: 100, anchors: [] }
      : call.query.includes("class=cat") ? { count: 125, every: 100, anchors: [1, 201] } : { count: COUNT, every: 100, anchors: [0, 100, 200] },
    "GET /datasets/x/versions/:v/images": (call: Call) => {
      const from = Number(new URLSearchParams(call.query).get("from"));
      return { images: Array.from({ length: Math.min(100, COUNT - from) }, (_, i) => picture(from + i)), next: null };
    },
    "GET /datasets/x/versions/:v/faults": (call: Call) => ({ total: 2, next: null, faults: call.query.includes("corrupt") ? [] : [
      { n: 0, severity: "error", code: "bad_line", file: "labels/7.txt", line: 3, image: "cat/7.png", message: "not a number", action: "dropped", index: 7 },
      { n: 1, severity: "error", code: "corrupt_image", file: "cat/9.png", line: 0, image: "", message: "broken", action: "left out", index: -1 }] }),
    "GET /datasets/x/versions/:v/diff/:o": { from: hash(1), to: hash(2), added: { count: 1, first: [] }, removed: { count: 0, first: [] }, changed: { count: 0, first: [] },
      relabelled: { count: 1, first: [] }, moved: { count: 0, first: [] }, classes: [{ name: "cat", from: 3, to: 5 }, { name: "dog", from: null, to: 1 }] },
    "GET /datasets/x/versions/:v/diff/:o/:k": (call: Call) => ({ next: null, pictures: call.path.endsWith("added")
      ? [{ name: "cat/1.png", from: null, to: picture(1) }] : [{ name: "cat/2.png", from: picture(2), to: picture(2) }] }),
    "GET /datasets/x/versions/:v": (call: Call) => version(call.path.endsWith(hash(1)) ? 1 : 2),
    "POST /datasets/x/versions/:v/split": { import: "i", state: "queued" },
    ...more,
  });
}

test("only the tiles near the screen exist, and their pictures come by the hundred", async () => {
  const { calls } = world();
  await show(<DatasetPage id="x" />, { path: "/app/datasets/x" });
  await screen.findByRole("img", { name: "cat/0.png" });
  expect(document.querySelectorAll("[data-tile]").length).toBeLessThan(COUNT);
  expect(calls.filter((one) => one.path.endsWith("/images")).length).toBeLessThanOrEqual(2);
  await userEvent.selectOptions(screen.getByLabelText("Class"), "cat");
  await screen.findByText("125 pictures");
  expect(location.search).toContain("class=cat");
  await userEvent.type(screen.getByRole("searchbox"), "none");
  await userEvent.click(await screen.findByRole("button", { name: "Clear the filters" }));
  await screen.findAllByText("250 pictures");
});

test("the keys walk over the tiles; a picture opens and goes on to its neighbours", async () => {
  world();
  await show(<DatasetPage id="x" />, { path: "/app/datasets/x" });
  const first = (await screen.findByRole("img", { name: "cat/0.png" })).closest("button") as HTMLButtonElement;
  first.focus();
  await userEvent.keyboard("{ArrowRight}");
  await waitFor(() => expect(document.activeElement?.closest("[data-tile]")?.getAttribute("data-tile")).toBe("1"));
  await userEvent.keyboard("{Home}{Enter}");
  const dialog = await screen.findByRole("dialog", { name: "cat/0.png" });
  within(dialog).getByText("1 / 250");
  await userEvent.click(within(dialog).getByRole("button", { name: "Next" }));
  await screen.findByRole("dialog", { name: "cat/1.png" });
  await userEvent.keyboard("{ArrowRight}");
  await screen.findByRole("dialog", { name: "cat/2.png" });
  await userEvent.click(screen.getByRole("checkbox", { name: "Labels" }));
  await userEvent.click(screen.getByRole("button", { name: "Close" }));
  expect(screen.queryByRole("dialog")).toBeNull();
});

test("a link names a picture, wherever it is", async () => {
  world();
  await show(<DatasetPage id="x" />, { path: "/app/datasets/x?picture=230" });
  await screen.findByRole("dialog", { name: "cat/230.png" });
});

test("selected pictures are moved, or left out after a word", async () => {
  const { calls } = world();
  await show(<DatasetPage id="x" />, { path: "/app/datasets/x" });
  await screen.findByRole("img", { name: "cat/0.png" });
  await userEvent.click(screen.getByRole("button", { name: "Select" }));
  const tile = (i: number) => document.querySelector(`[data-tile="${i}"] button`) as HTMLElement;
  await userEvent.click(tile(1));
  fireEvent.click(tile(3), { shiftKey: true });
  await screen.findByText("3 selected");
  await userEvent.click(tile(2));
  await screen.findByText("2 selected");
  await userEvent.click(screen.getByRole("button", { name: "Leave out" }));
  await userEvent.click(within(await screen.findByRole("alertdialog")).getByRole("button", { name: "Leave out" }));
  await waitFor(() => expect(calls).toContainEqual(expect.objectContaining({ method: "POST", body: { method: "moves", exclude: ["cat/1.png", "cat/3.png"] } })));
  await userEvent.click(await screen.findByRole("button", { name: "Select" }));
  await userEvent.click(tile(0));
  await userEvent.click(screen.getByRole("button", { name: "To: Test" }));
  await waitFor(() => expect(calls).toContainEqual(expect.objectContaining({ body: { method: "moves", test_files: ["cat/0.png"] } })));
});

test("shares stay at a hundred; lists are names by line", async () => {
  const { calls } = world();
  await show(<DatasetPage id="x" />, { path: "/app/datasets/x" });
  await userEvent.click(await screen.findByRole("button", { name: "Split anew" }));
  const dialog = await screen.findByRole("dialog");
  await userEvent.click(within(dialog).getByRole("button", { name: "Make the version" }));
  await waitFor(() => expect(calls).toContainEqual(expect.objectContaining({ body: { method: "ratio", train: 0.8, val: 0.2, test: 0, seed: 42 } })));
  await userEvent.click(screen.getByRole("button", { name: "Split anew" }));
  await userEvent.click(await screen.findByRole("radio", { name: "By lists of names" }));
  await userEvent.type(screen.getByRole("textbox", { name: /Training/ }), "cat/1.png,\n cat/2.png ");
  await userEvent.upload(screen.getByLabelText("Choose files: Validation"), Object.assign(new File(["cat/3.png\n"], "val.txt", { type: "text/plain" }), { text: async () => "cat/3.png\n" }));
  await screen.findByText("Validation (1)");
  await userEvent.click(screen.getByRole("button", { name: "Make the version" }));
  await waitFor(() => expect(calls).toContainEqual(expect.objectContaining({
    body: { method: "lists", train_files: ["cat/1.png", "cat/2.png"], val_files: ["cat/3.png"], test_files: [] } })));
  expect(namesOf("\n a \nb,\n")).toEqual(["a", "b"]);
});

test("a fault leads to its picture, a kind of fault to its pictures", async () => {
  world();
  await show(<DatasetPage id="x" />, { path: "/app/datasets/x?tab=faults" });
  await screen.findByText("labels/7.txt:3");
  await userEvent.selectOptions(screen.getByLabelText("Kind of fault"), "corrupt_image");
  await screen.findByText(/Nothing/);
  await userEvent.selectOptions(screen.getByLabelText("Kind of fault"), "bad_line");
  const link = await screen.findByRole("link", { name: "Show the picture" });
  expect(link.getAttribute("href")).toBe("/app/datasets/x?version=2&picture=7");
  await userEvent.click(screen.getByRole("button", { name: "Show these pictures in the gallery" }));
  expect(location.search).toContain("fault=bad_line");
});

test("two versions are compared by kind, picture and class", async () => {
  world();
  await show(<DatasetPage id="x" />, { path: "/app/datasets/x?tab=versions" });
  await screen.findByText("more cats");
  await screen.findByText("from version 1");
  await screen.findByRole("button", { name: "Added 1" });
  await screen.findByTitle("cat/1.png");
  await userEvent.click(screen.getByRole("button", { name: "Relabelled 1" }));
  await screen.findByText("cat/2.png");
  await screen.findByText("+2");
  await screen.findByText("new");
  await userEvent.selectOptions(screen.getByLabelText("Before"), "2");
  await screen.findByText("Choose two different versions.");
});

test("a server that fails says why and is asked again", async () => {
  world({ "GET /datasets/x/versions/:v/anchors": new Refusal(503, "the store rests") });
  await show(<DatasetPage id="x" />, { path: "/app/datasets/x" });
  await screen.findByText(/the store rests/);
  await userEvent.click(screen.getAllByRole("button", { name: "Try again" })[0] as HTMLElement);
  await screen.findByText(/the store rests/);
});

const classed = { ...version(2), classes: ["cat", "dog", "cow"], stats: { ...version(2).stats, classes: ["cat", "dog", "cow"].map((name, i) => ({ ...version(2).stats.classes[0], name, shapes: 10 * (i + 1) })) } };
const withClasses = (more: Record<string, unknown> = {}) => world({ "GET /datasets/x/versions/:v": classed, "GET /datasets/x/versions": { versions: [classed] }, ...more });
async function editClasses() {
  await userEvent.click(await screen.findByRole("button", { name: "More actions" }));
  await userEvent.click(await screen.findByRole("menuitem", { name: "Change classes" }));
  return screen.findByRole("dialog", { name: "Rename, merge or remove classes" });
}

test("a class is renamed without a question; the version is asked for", async () => {
  const { calls } = withClasses({ "POST /datasets/x/versions/:v/classes/check": { classes: [], labels: 0, pictures: 0, emptied: 0 }, "POST /datasets/x/versions/:v/classes": { import: "i" } });
  await show(<DatasetPage id="x" />, { path: "/app/datasets/x" });
  const dialog = await editClasses();
  expect((within(dialog).getByRole("button", { name: "Make the version" }) as HTMLButtonElement).disabled).toBe(true);
  const name = within(dialog).getByRole("textbox", { name: "New name of dog" });
  await userEvent.clear(name);
  within(dialog).getByText("removed");
  await userEvent.type(name, "hound ");
  within(dialog).getByText("renamed");
  await userEvent.type(within(dialog).getByRole("textbox", { name: "Message" }), "hounds{Enter}");
  await waitFor(() => expect(screen.queryByRole("dialog")).toBeNull());
  expect(calls).toContainEqual(expect.objectContaining({ method: "POST", path: `/datasets/x/versions/${hash(2)}/classes`, body: { to: ["cat", "hound", "cow"], message: "hounds" } }));
});

test("what a removal and a merger cost is named first; one can go back", async () => {
  const { calls } = withClasses({ "POST /datasets/x/versions/:v/classes/check": { classes: ["pet"], labels: 30, pictures: 12, emptied: 5 }, "POST /datasets/x/versions/:v/classes": new Refusal(409, "a draft of this dataset is open", "conflict") });
  await show(<DatasetPage id="x" />, { path: "/app/datasets/x" });
  const dialog = await editClasses();
  const choose = (...names: string[]) => Promise.all(names.map((name) => userEvent.click(within(dialog).getByRole("checkbox", { name: `Choose ${name}` }))));
  await choose("cat", "dog");
  await userEvent.click(within(dialog).getByRole("button", { name: "Merge the chosen" }));
  expect(within(dialog).getAllByText("merged")).toHaveLength(2);
  await userEvent.click(within(dialog).getByRole("button", { name: "As they were" }));
  await choose("cat", "dog");
  await userEvent.click(within(dialog).getByRole("button", { name: "Merge the chosen" }));
  await choose("cow");
  await userEvent.click(within(dialog).getByRole("button", { name: "Remove the chosen" }));
  await userEvent.click(within(dialog).getByRole("button", { name: "Make the version" }));
  let ask = await screen.findByRole("alertdialog");
  for (const text of ["the class cow", "30 labels in 12 pictures", "every object of 5 pictures, which then show nothing", "the difference between cat, dog → cat"]) within(ask).getByText(text);
  await userEvent.click(within(ask).getByRole("button", { name: "Back" }));
  await screen.findByRole("dialog", { name: "Rename, merge or remove classes" });
  await userEvent.click(screen.getByRole("button", { name: "Make the version" }));
  ask = await screen.findByRole("alertdialog");
  await userEvent.click(within(ask).getByRole("button", { name: "Make the version" }));
  await within(ask).findByText(/a draft of this dataset is open/);
  expect(calls.filter((one) => one.path.endsWith("/classes"))[0]?.body).toEqual({ to: ["cat", "cat", ""], message: "" });
});
