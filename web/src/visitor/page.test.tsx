import { screen } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { expect, test, vi } from "vitest";

import { Refusal, serve, show } from "../testing";
import { Visitor } from "./page";

const shown = { title: "Which flower?", model: "flowers", description: "Roses and tulips.", task: "classification", version: 3, network: "resnet18", server: true, weights_bytes: 1000 };

test("a visitor sees what is published, and asks the server where that is allowed, without a cookie", async () => {
  const server = serve({ "GET /public/model": shown,
    "POST /public/model/predict": { results: [{ file: "a.png", width: 1, height: 1, ms: 2, predictions: [{ class: "rose", class_id: 0, confidence: 0.8 }] }] } });
  const asked = vi.spyOn(globalThis, "fetch");
  await show(<Visitor token="try_secret" />, { session: false });
  await screen.findByRole("heading", { level: 1, name: "Which flower?" });
  screen.getByText("Roses and tulips.");
  expect(document.title).toBe("Which flower? - Anneal");
  await userEvent.upload(screen.getByLabelText<HTMLInputElement>("Choose files"), new File(["x"], "a.png", { type: "image/png" }));
  await screen.findByText("rose");
  expect(server.calls.map((c) => c.path)).toEqual(["/public/model", "/public/model/predict"]);
  for (const [, init] of asked.mock.calls) {
    expect(init?.credentials).toBe("omit");
    expect(new Headers(init?.headers).get("authorization")).toBe("Bearer try_secret");
  }
});

test("where neither the tab nor the server may, it says so", async () => {
  serve({ "GET /public/model": { ...shown, server: false } });
  await show(<Visitor token="try_secret" />, { session: false });
  await screen.findByText(/can be tried in the browser only/);
});

test.each([[410, "This link has ended"], [429, "This link is used too often at the moment"], [401, /This link is not whole/]])("a refusal of %i is said in words", async (status, text) => {
  serve({ "GET /public/model": new Refusal(status, "the server's words") });
  await show(<Visitor token="try_secret" />, { session: false });
  await screen.findByRole("heading", { name: text });
  screen.getByText(/the server's words/);
});

test("without a token nothing is asked", async () => {
  const server = serve({});
  await show(<Visitor token="" />, { session: false, language: "ko" });
  await screen.findByText(/링크가 완전하지 않습니다/);
  expect(server.calls).toEqual([]);
});
