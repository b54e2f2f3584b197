import { QueryClient } from "@tanstack/react-query";
import { screen, waitFor } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { beforeEach, expect, test, vi } from "vitest";

import { Uploads } from "./parts/upload";
import { type Call, serve, show } from "./testing";
import { dismissUpload, startUpload, type Upload } from "./uploads";

const client = new QueryClient();
const PART = 4;
let received: number[], sent: string[], lost: number, hold: boolean, waiting: (() => void)[];

/** jsdom's own asks the network; this one sends to the test, and fails as often as it says. */
class Sender {
  upload: { onprogress?: (e: { loaded: number; total: number }) => void } = {};
  status = 200;
  responseText = "{}";
  statusText = "";
  onerror?: () => void;
  onload?: () => void;
  onabort?: () => void;
  private path = "";
  private aborted = false;
  open(_method: string, path: string) {
    this.path = path;
  }
  setRequestHeader() {}
  send(body: Blob) {
    this.upload.onprogress?.({ loaded: 1, total: body.size });
    const end = () => {
      if (this.aborted) return;
      if (lost-- > 0) return this.onerror?.();
      received.push(Number(this.path.split("/").at(-1)));
      sent.push(`${this.path}:${body.size}`);
      this.onload?.();
    };
    if (hold) waiting.push(end);
    else setTimeout(end, 0);
  }
  abort() {
    this.aborted = true;
    this.onabort?.();
  }
}

function world() {
  received = [];
  sent = [];
  waiting = [];
  lost = 0;
  hold = false;
  vi.stubGlobal("XMLHttpRequest", Sender);
  return serve({
    "POST /datasets/uploads": (call: Call) => ({ upload: "u1", state: "open", part_bytes: PART, parts: Math.ceil((call.body as { size: number }).size / PART), received }),
    "GET /datasets/uploads/u1": () => ({ upload: "u1", state: "open", part_bytes: PART, parts: 3, received }),
    "DELETE /datasets/uploads/u1": undefined,
    "GET /datasets/d1": { id: "d1", name: "cats", classes: 0 },
    "POST /datasets/uploads/u1/complete": { import: "i1", dataset: "d1", state: "queued" },
    "GET /datasets/imports/i1": { import: "i1", dataset: "d1", state: "done", images: 7, faults: 1, progress: 1 },
  });
}

const files = () => [{ path: "cats.zip", file: new File(["0123456789"], "cats.zip", { lastModified: 5 }) }];
const left = (): Upload["phase"][] => [...document.querySelectorAll("[data-phase]")].map((one) => one.getAttribute("data-phase") as Upload["phase"]);
beforeEach(async () => {
  for (let i = 0; i < 20; i++) dismissUpload(`local-${i}`);
  dismissUpload("u1");
});

test("a file goes in parts, then is imported", async () => {
  world();
  await show(<Uploads />);
  await startUpload(client, files());
  await screen.findByText("Imported: 7 pictures, 1 fault");
  await screen.findByRole("link", { name: "Label" });
  expect(sent).toEqual(["/datasets/uploads/u1/parts/1:4", "/datasets/uploads/u1/parts/2:4", "/datasets/uploads/u1/parts/3:2"]);
  expect(localStorage.getItem("anneal-uploads")).toBeNull();
  await userEvent.click(screen.getByRole("button", { name: "Dismiss" }));
  expect(left()).toEqual([]);
});

test("a lost connection is waited for, a pause holds, and what is missing is sent", async () => {
  world();
  await show(<Uploads />);
  lost = 1;
  const done = startUpload(client, files());
  await screen.findByText(/No connection/);
  window.dispatchEvent(new Event("online"));
  await done;
  await screen.findByText(/Imported/);
  expect(received).toEqual([1, 2, 3]);
  hold = true;
  received = [];
  void startUpload(client, files(), "again");
  await waitFor(() => expect(waiting.length).toBe(1));
  await userEvent.click(screen.getByRole("button", { name: "Pause" }));
  await screen.findByText(/Paused/);
  hold = false;
  await userEvent.click(screen.getByRole("button", { name: "Go on" }));
  await waitFor(() => expect(received).toEqual([1, 2, 3]));
  await waitFor(() => expect(left()).toEqual(["done", "done"]));
});

test("after a reload the same files go on where they were; others can be given up", async () => {
  const { calls } = world();
  hold = true;
  void startUpload(client, files());
  await waitFor(() => expect(waiting.length).toBe(1));
  const before = localStorage.getItem("anneal-uploads") ?? "";
  expect(JSON.parse(before)).toHaveLength(1);
  const { rerender } = await show(<Uploads />);
  await userEvent.click(await screen.findByRole("button", { name: "Cancel" }));
  expect(calls).toContainEqual(expect.objectContaining({ method: "DELETE", path: "/datasets/uploads/u1" }));
  expect(localStorage.getItem("anneal-uploads")).toBeNull();
  rerender(<p />);
  localStorage.setItem("anneal-uploads", before); // as another page left it
  received = [1];
  hold = false;
  await show(<Uploads />);
  await screen.findByText(/choose the same files again/);
  sent = [];
  await startUpload(client, files());
  await screen.findByText(/Imported/);
  expect(sent.map((one) => one.split("/").at(-1))).toEqual(["2:4", "3:2"]);
  expect(left()).toEqual(["done"]);
});

test("the server's refusal ends it with its words", async () => {
  world();
  serve({ "POST /datasets/uploads": () => new Response(JSON.stringify({ code: "storage_full", detail: "no room" }), { status: 507 }) });
  await show(<Uploads />);
  await startUpload(client, files());
  await screen.findByText(/no room/);
  await startUpload(client, []);
  expect(left()).toEqual(["failed"]);
});
