import { act, screen, waitFor } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { expect, test } from "vitest";

import { api, Problem } from "./api";
import { App } from "./app";
import { Refusal, account, serve, show } from "./testing";

const empty = { "GET /datasets": { datasets: [], next: null }, "GET /training/jobs": { jobs: [], next: null } };

test("a session that ends is renewed over the page: what is typed stays, and the call goes through", async () => {
  let open = true, renamed = 0;
  const guarded = (answer: unknown) => () => (open ? answer : new Refusal(401, "no session", "unauthorised"));
  serve({ ...empty, "GET /auth/me": guarded(account), "POST /auth/refresh": new Refusal(401, "no"),
    "POST /auth/login": () => {
      open = true;
      return {};
    }, "PUT /thing": () => (open ? { n: ++renamed } : new Refusal(401, "no session", "unauthorised")) });
  await show(<App />, { path: "/app/datasets", session: false });
  const search = await screen.findByRole("searchbox");
  await userEvent.type(search, "half a word");
  open = false;
  let done: unknown;
  act(() => void api.put("/thing", { a: 1 }).then((reply) => (done = reply)));
  await screen.findByRole("dialog", { name: "Log in again" });
  await userEvent.type(screen.getByLabelText("Password"), "secret secret");
  await userEvent.click(screen.getByRole("button", { name: "Log in" }));
  await waitFor(() => expect(done).toEqual({ n: 1 }));
  expect(screen.queryByRole("dialog")).toBeNull();
  expect((search as HTMLInputElement).value).toBe("half a word");
});

test("a server that cannot be reached is said over the page until it answers again", async () => {
  let up = true;
  serve({ ...empty, "GET /health": () => {
    if (!up) throw new TypeError("down");
    return {};
  }, "GET /thing": () => {
    if (!up) throw new TypeError("down");
    return {};
  } });
  await show(<App />, { path: "/app/jobs", session: false });
  await screen.findByRole("heading", { level: 1, name: "Jobs" });
  up = false;
  await act(async () => {
    await expect(api.get("/thing")).rejects.toBeInstanceOf(Problem);
  });
  await screen.findByText(/What you see may be old/);
  up = true;
  await waitFor(() => expect(screen.queryByText(/What you see may be old/)).toBeNull());
  expect((await screen.findAllByText("The connection is back.")).length).toBeGreaterThan(0);
});
