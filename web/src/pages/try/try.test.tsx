import { act, fireEvent, screen, waitFor } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { afterEach, beforeEach, expect, test, vi } from "vitest";

import type { Answer } from "../../engine/answer";
import { Refusal, serve, show } from "../../testing";
import { Bench } from "./bench";
import { painted } from "../../parts/marks";
import TryPage from "./page";
import { countsOf, csvOf, jsonOf, median, onServer, type Runner, shownOf } from "./runner";

const answer = (marks: Answer["marks"], more: object = {}): Answer => ({ width: 100, height: 50, ms: 4, marks, ...more });
const rose = { class: "rose", class_id: 0, confidence: 0.9 }, tulip = { class: "tulip", class_id: 1, confidence: 0.1 };
const box = (cls: string, id: number, confidence: number, at: number) => ({ class: cls, class_id: id, confidence, box: [at, 2, 30, 40] as [number, number, number, number] });
const file = (name: string) => new File(["x"], name, { type: "image/png" });
const runnerOf = (answers: (names: string[]) => Answer[], where: "server" | "tab" = "server"): Runner & { asked: string[][]; tops: number[] } => {
  const asked: string[][] = [], tops: number[] = [];
  return { where, atOnce: 2, asked, tops, run: (pictures, settings) => {
    asked.push(pictures.map((p) => p.name));
    tops.push(settings.top);
    return Promise.resolve(answers(pictures.map((p) => p.name)));
  } };
};
const choose = (files: File[]) => userEvent.upload(screen.getByLabelText<HTMLInputElement>("Choose files"), files);
let saved: { text: string; name: string }[] = [];

beforeEach(() => {
  saved = [];
  const blobs: Blob[] = [];
  vi.spyOn(URL, "createObjectURL").mockImplementation((blob) => `blob:${blobs.push(blob as Blob)}`);
  vi.spyOn(HTMLAnchorElement.prototype, "click").mockImplementation(function (this: HTMLAnchorElement) {
    const blob = blobs[Number(this.href.split(":").at(-1)) - 1];
    const reader = new FileReader();
    reader.onload = () => saved.push({ name: this.download, text: String(reader.result) });
    if (blob) reader.readAsText(blob);
  });
});
afterEach(() => vi.restoreAllMocks());

test("pictures are asked some at a time, told with their speed, and kept as a table that can be downloaded", async () => {
  const runner = runnerOf((names) => names.map((n) => (n === "bad.png" ? answer([], { error: "this is no picture" }) : answer([rose, tulip]))));
  await show(<Bench runner={runner} where="server" task="classification" name="flowers" />, { session: false });
  await choose([file("a.png"), file("=b.png"), file("bad.png")]);
  await screen.findByText("4.0 ms a picture (median of 2)");
  expect(runner.asked).toEqual([["a.png", "=b.png"], ["bad.png"]]);
  expect((await screen.findByRole("alert")).textContent).toContain("this is no picture");
  await userEvent.click(screen.getByRole("button", { name: "Table" }));
  expect(screen.getAllByRole("row").map((r) => r.textContent)).toContain("a.pngrose90.0\u00a0%4.0 ms");
  await userEvent.click(screen.getByRole("button", { name: "Download CSV" }));
  await userEvent.click(screen.getByRole("button", { name: "Download JSON" }));
  await waitFor(() => expect(saved.length).toBe(2));
  expect(saved[0]?.name).toBe("flowers.csv");
  expect(saved[0]?.text).toContain("'=b.png,100,50,rose,0,0.9");
  expect(JSON.parse(saved[1]?.text ?? "").results.map((r: { file: string }) => r.file).sort()).toEqual(["=b.png", "a.png", "bad.png"]);
  await userEvent.click(screen.getByRole("button", { name: "Clear" }));
  expect(screen.queryByRole("table")).toBeNull();
});

test("the threshold hides objects without asking again; the overlap asks again", async () => {
  const runner = runnerOf((names) => names.map(() => answer([box("cat", 0, 0.8, 1), box("dog", 1, 0.4, 20), box("cat", 0, 0.1, 60)])));
  const { container } = await show(<Bench runner={runner} where="tab" task="detection" name="pets" />, { session: false });
  await choose([file("a.png")]);
  await screen.findByText("cat 1 · dog 1");
  expect(container.querySelectorAll("rect").length).toBe(2);
  fireEvent.change(screen.getByLabelText(/Least confidence/), { target: { value: "0.5" } });
  screen.getByText("cat 1");
  expect(runner.asked.length).toBe(1);
  fireEvent.change(screen.getByLabelText(/Least confidence/), { target: { value: "0.9" } });
  screen.getByText("Nothing above the threshold");
  fireEvent.change(screen.getByLabelText(/Overlap/), { target: { value: "0.4" } });
  fireEvent.keyUp(screen.getByLabelText(/Overlap/), { key: "ArrowLeft" });
  await waitFor(() => expect(runner.asked.length).toBe(2));
});

test("how many classes are shown is asked of the engine", async () => {
  const runner = runnerOf((names) => names.map(() => answer([rose])));
  await show(<Bench runner={runner} where="server" task="classification" name="flowers" />, { session: false });
  await choose([file("a.png")]);
  await screen.findByText(/median of 1/);
  fireEvent.change(screen.getByLabelText(/Classes shown/), { target: { value: "3" } });
  fireEvent.keyUp(screen.getByLabelText(/Classes shown/), { key: "ArrowLeft" });
  await waitFor(() => expect(runner.tops).toEqual([5, 3]));
});

test("a picture that is pasted is tried; text is left to the page", async () => {
  const runner = runnerOf((names) => names.map(() => answer([rose])));
  await show(<Bench runner={runner} where="server" task="classification" name="flowers" />, { session: false });
  const paste = (files: File[]) => act(() => void document.dispatchEvent(Object.assign(new Event("paste", { cancelable: true }), { clipboardData: { files } })));
  paste([new File(["t"], "a.txt", { type: "text/plain" })]);
  expect(runner.asked).toEqual([]);
  paste([file("image.png")]);
  await screen.findByText(/^pasted picture \d+\.png$/);
  await waitFor(() => expect(runner.asked.length).toBe(1));
});

test("a request that fails is said at each of its pictures, and others go on", async () => {
  let n = 0;
  const runner: Runner = { where: "server", atOnce: 1, run: () => (n++ ? Promise.resolve([answer([rose])]) : Promise.reject(new Error("the trainer is away"))) };
  await show(<Bench runner={runner} where="server" task="classification" name="flowers" />, { session: false });
  await choose([file("a.png"), file("b.png")]);
  expect((await screen.findByRole("alert")).textContent).toContain("the trainer is away");
  await screen.findByText("rose");
});

test("pictures wait for a runner that is being made, and another one is asked anew", async () => {
  const first = runnerOf((names) => names.map(() => answer([rose]))), second = runnerOf((names) => names.map(() => answer([tulip])), "tab");
  const { rerender } = await show(<Bench runner={undefined} where="tab" task="classification" name="x" />, { session: false });
  await choose([file("a.png")]);
  screen.getByText("Looking at it…");
  const { LanguageProvider } = await import("../../i18n");
  const { QueryClient, QueryClientProvider } = await import("@tanstack/react-query");
  const client = new QueryClient();
  const tree = (runner: Runner) => (
    <QueryClientProvider client={client}><LanguageProvider><Bench runner={runner} where={runner.where} task="classification" name="x" /></LanguageProvider></QueryClientProvider>
  );
  rerender(tree(first));
  await choose([file("b.png")]);
  await screen.findAllByText("rose");
  rerender(tree(second));
  await screen.findAllByText("tulip");
  expect(second.asked.flat().length).toBeGreaterThan(0);
});

test("masks are painted in the colours of their classes, the surest on top", () => {
  const grid = (inside: number[]) => ({ width: 2, height: 1, inside: Uint8Array.from(inside) });
  const area = painted([{ ...rose, mask: grid([1, 0]) }, { ...tulip, mask: grid([1, 1]) }], [[1, 2, 3], [4, 5, 6]]);
  expect([...(area?.data ?? [])]).toEqual([1, 2, 3, 110, 4, 5, 6, 110]);
  expect(painted([rose], [[0, 0, 0]])).toBeUndefined();
  const ground = painted([{ class: "background", class_id: 0, share: 0.5, mask: grid([1, 0]) }, { ...tulip, mask: grid([0, 1]) }], [[1, 2, 3], [4, 5, 6]]);
  expect([...(ground?.data ?? [])]).toEqual([0, 0, 0, 0, 4, 5, 6, 110]);
});

test("the camera's pictures are answered one after another and can be kept", async () => {
  const stop = vi.fn();
  vi.stubGlobal("navigator", Object.assign(Object.create(navigator), { mediaDevices: { getUserMedia: () => Promise.resolve({ getTracks: () => [{ stop }] }) } }));
  vi.spyOn(HTMLMediaElement.prototype, "play").mockResolvedValue();
  vi.spyOn(HTMLCanvasElement.prototype, "getContext").mockReturnValue(null);
  vi.spyOn(HTMLCanvasElement.prototype, "toBlob").mockImplementation((done) => done(new Blob(["x"])));
  let left = 3;
  const runner: Runner = { where: "tab", atOnce: 1, run: async () => (left-- > 0 ? [answer([rose])] : new Promise(() => undefined)) };
  await show(<Bench runner={runner} where="tab" task="classification" name="flowers" />, { session: false });
  await userEvent.click(screen.getByRole("button", { name: "Use the camera" }));
  await screen.findByText(/pictures a second/);
  await userEvent.click(screen.getByRole("button", { name: "Keep this picture" }));
  await screen.findByText(/^camera \d+\.jpg$/);
  await userEvent.click(screen.getByRole("button", { name: "Stop the camera" }));
  expect(stop).toHaveBeenCalled();
});

test("no camera says why, and over plain http what is needed", async () => {
  vi.stubGlobal("navigator", Object.assign(Object.create(navigator), { mediaDevices: undefined }));
  await show(<Bench runner={runnerOf(() => [])} where="tab" task="classification" name="flowers" />, { session: false });
  await userEvent.click(screen.getByRole("button", { name: "Use the camera" }));
  expect((await screen.findByRole("alert")).textContent).toContain("HTTPS");
});

test("the server's answer becomes marks with masks; its path keeps its own query", async () => {
  const calls: string[] = [];
  const runner = onServer("/models/m/predict?version=2", "segmentation", (path) => {
    calls.push(path);
    return Promise.resolve(new Response(JSON.stringify({ results: [{ file: "a", width: 3, height: 4, ms: 2, error: null,
      predictions: [{ class: "cat", class_id: 1, confidence: 0.5, share: null, box: [0, 0, 1, 1], mask: { size: [4, 3], counts: "<" } }] }] })));
  });
  const [said] = await runner.run([{ name: "a", picture: new Blob(["x"]) }], { top: 5, confidence: 0.3, iou: 0.5 });
  expect(calls[0]).toBe("/models/m/predict?version=2&top_k=5&confidence=0.05&iou=0.5&max=300&masks=true");
  expect(said?.marks[0]).toMatchObject({ class: "cat", box: [0, 0, 1, 1], mask: { width: 3, height: 4 } });
  expect(said?.marks[0]).not.toHaveProperty("share");
});

test("counts, files and the median at their edges", () => {
  const one = answer([box("cat", 0, 0.8, 1), box("cat", 0, 0.1, 60)]);
  expect(countsOf(one.marks)).toEqual([["cat", 2]]);
  expect(shownOf(one, "semantic", 0.5).length).toBe(2);
  expect(csvOf([{ file: 'a "b",c.png', answer: answer([]) }], "detection", 0.5).split("\r\n")[1]).toBe('"a ""b"",c.png",100,50,,,,,,,,,4,');
  expect(JSON.parse(jsonOf([{ file: "a", answer: one }], "detection", 0.5)).results[0].predictions.length).toBe(1);
  expect([median([]), median([3]), median([1, 9, 2]), median([1, 2, 3, 4])]).toEqual([0, 3, 2, 2.5]);
});

// ---- the page

const model = { id: "m1", project_id: null, name: "flowers", task: "classification", versions: 2, version_last: 2, aliases: [{ alias: "production", version: 1, since: 1 }] };
const version = (n: number, aliases: string[]) => ({ model_id: "m1", version: n, state: aliases.length ? "live" : "draft", aliases, weights_bytes: 1000 * n });
const job = { job: "j1", name: "first", kind: "train", model: "detect-tiny", status: "completed" };
const rows = {
  "GET /registry/models": { models: [model] }, "GET /registry/models/:m/versions": { versions: [version(2, []), version(1, ["production"])] },
  "GET /training/jobs": { jobs: [job] }, "GET /training/jobs/:j/checkpoints/best": { weights_bytes: 10 },
};

test("a registered model is asked as it is live; another version, or a training, can be chosen", async () => {
  const server = serve({ ...rows, "POST /models/m1/predict": { results: [{ file: "a", width: 1, height: 1, ms: 1, predictions: [rose] }] },
    "POST /training/jobs/j1/predict": { results: [{ file: "a", width: 9, height: 9, ms: 1, predictions: [] }] } });
  await show(<TryPage />, { path: "/app/try" });
  expect((await screen.findByLabelText<HTMLSelectElement>("Version")).selectedOptions[0]?.textContent).toBe("production (version 1)");
  await choose([file("a.png")]);
  await screen.findByText("rose");
  expect(server.calls.at(-1)).toMatchObject({ path: "/models/m1/predict" });
  expect(server.calls.at(-1)?.query).toContain("version=1&");
  await userEvent.selectOptions(screen.getByLabelText("Version"), "2");
  expect(window.location.search).toBe("?version=2");
  await userEvent.selectOptions(screen.getByLabelText("Model"), "j:j1");
  await screen.findByLabelText(/Least confidence/);
  await choose([file("b.png")]);
  await screen.findByText("Nothing above the threshold");
  expect(server.calls.at(-1)?.path).toBe("/training/jobs/j1/predict");
});

test("without an engine in the build the tab cannot be chosen, and the page says so", async () => {
  serve(rows);
  await show(<TryPage />, { path: "/app/try?model=flowers&version=2", language: "en" });
  const tab = await screen.findByLabelText<HTMLInputElement>("In this tab");
  expect(tab.disabled).toBe(true);
  screen.getByText(/built without the engine for browsers/);
});

test("nothing trained leads to training; a model that is gone asks to choose", async () => {
  serve({ ...rows, "GET /registry/models": { models: [] }, "GET /training/jobs": { jobs: [] } });
  const { unmount } = await show(<TryPage />, { path: "/app/try" });
  expect((await screen.findByRole("link", { name: "Train a model" })).getAttribute("href")).toBe("/app/train");
  unmount();
  serve({ ...rows, "GET /registry/models": new Refusal(503, "starting") });
  await show(<TryPage />, { path: "/app/try" });
  expect((await screen.findByRole("alert")).textContent).toContain("starting");
});
