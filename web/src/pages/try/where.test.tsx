import { screen } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { beforeEach, expect, test, vi } from "vitest";

import { TAB_BYTES_MAX, TabModel } from "../../engine/tab";
import { show } from "../../testing";
import { Bench } from "./bench";
import { type Source, usePlace, type Where, WhereBar } from "./where";

vi.mock("virtual:engine", () => ({ default: "/assets/engine.wasm" }));

const send = vi.fn(() => Promise.resolve(new Response(new Uint8Array(8))));
const change = vi.fn<(to: Where) => void>();
const source: Source = { task: "classification", weights: "/w", bytes: 8, predict: "/predict" };

function Probe({ of, want }: { of: Source; want: Where }) {
  const place = usePlace(of, want, send);
  return <><WhereBar place={place} source={of} onChange={change} /><Bench runner={place.runner} where={place.where} task="classification" name="x" /></>;
}

beforeEach(() => {
  vi.stubGlobal("Worker", class {});
  vi.stubGlobal("OffscreenCanvas", class {});
  send.mockClear();
});

test("in the tab the weights are fetched once, pictures are answered there, and the model is put away at the end", async () => {
  const close = vi.fn();
  const run = vi.fn(() => Promise.resolve({ width: 1, height: 1, ms: 1, marks: [{ class: "rose", class_id: 0, confidence: 0.9 }] }))
    .mockRejectedValueOnce(new Error("this browser cannot read the picture"));
  vi.spyOn(TabModel, "load").mockResolvedValue({ model: { run, close } as unknown as TabModel, info: {} as never });
  const { unmount } = await show(<Probe of={source} want="tab" />, { session: false });
  screen.getByText(/Nothing is sent/);
  const files = ["bad.png", "a.png"].map((name) => new File(["x"], name, { type: "image/png" }));
  await userEvent.upload(screen.getByLabelText<HTMLInputElement>("Choose files"), files);
  await screen.findByText("rose");
  await screen.findByText("this browser cannot read the picture");
  expect(send.mock.calls).toEqual([["/w"]]);
  await userEvent.click(screen.getByLabelText("On the server"));
  expect(change).toHaveBeenCalledWith("server");
  unmount();
  expect(close).toHaveBeenCalled();
});

test("a model that cannot be loaded says why", async () => {
  vi.spyOn(TabModel, "load").mockRejectedValue(new Error("no memory for it"));
  await show(<Probe of={source} want="tab" />, { session: false });
  expect((await screen.findByRole("alert")).textContent).toContain("no memory for it");
});

test("one that is too large is asked on the server, and where nothing may be sent the server cannot be chosen", async () => {
  const { unmount } = await show(<Probe of={{ ...source, bytes: TAB_BYTES_MAX + 1 }} want="tab" />, { session: false });
  expect(screen.getByLabelText<HTMLInputElement>("In this tab").disabled).toBe(true);
  screen.getByText(/too large to run in a tab/);
  unmount();
  vi.spyOn(TabModel, "load").mockReturnValue(new Promise(() => undefined));
  const { predict: _, ...closed } = source;
  await show(<Probe of={closed} want="tab" />, { session: false });
  expect(screen.getByLabelText<HTMLInputElement>("On the server").disabled).toBe(true);
  await screen.findByText(/Loading the model/);
});
