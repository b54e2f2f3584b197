import { screen, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { expect, test, vi } from "vitest";

import { App } from "./app";
import { find, match, navigation, routes } from "./routes";
import { account, Refusal, serve, show } from "./testing";

const empty = { "GET /datasets": { datasets: [], next: null }, "GET /training/jobs": { jobs: [], next: null }, "GET /projects": { projects: [], next: null } };

test("the navigation leads to every page of one's role and says where one is", async () => {
  serve(empty);
  await show(<App />, { path: "/app/datasets", session: false });
  const [nav] = await screen.findAllByRole("navigation", { name: "Navigation" });
  const links = within(nav as HTMLElement).getAllByRole("link");
  expect(links.map((one) => one.getAttribute("href"))).toEqual(
    [...navigation.filter((one) => one.nav.section === "work"), ...navigation.filter((one) => one.nav.section === "manage")].map((one) => one.path));
  expect(within(nav as HTMLElement).getByRole("link", { current: "page" }).textContent).toBe("Datasets");
  await screen.findByRole("heading", { level: 1, name: "Datasets" });
});

test("a viewer is not offered what only a manager may", async () => {
  serve({ ...empty, "GET /auth/me": { ...account, role: "viewer" } });
  await show(<App />, { path: "/app/jobs", session: false });
  await screen.findAllByRole("link", { name: "Jobs" });
  expect(screen.queryByRole("link", { name: "Users" })).toBeNull();
});

test("a phone has all pages behind the bar's last place", async () => {
  serve(empty);
  await show(<App />, { path: "/app/jobs", session: false });
  await userEvent.click(await screen.findByRole("button", { name: "More" }));
  const sheet = await screen.findByRole("dialog");
  await userEvent.click(within(sheet).getByRole("link", { name: "Projects" }));
  expect(window.location.pathname).toBe("/app/projects");
  expect(screen.queryByRole("dialog")).toBeNull();
});

test("an address without a page says so and leads home", async () => {
  serve(empty);
  await show(<App />, { path: "/app/nowhere", session: false });
  await screen.findByText("There is no such page.");
});

test("without a session there is the log-in form, and a wrong password is said beside it", async () => {
  serve({ "GET /auth/me": new Refusal(401, "no session"), "POST /auth/refresh": new Refusal(401, "no session"),
    "POST /auth/login": new Refusal(401, "e-mail or password is wrong") });
  await show(<App />, { session: false });
  await userEvent.type(await screen.findByLabelText("E-mail"), "ada@example.org");
  await userEvent.type(screen.getByLabelText("Password"), "wrong");
  await userEvent.click(screen.getByRole("button", { name: "Log in" }));
  expect((await screen.findByRole("alert")).textContent).toContain("e-mail or password is wrong");
});

test("paths are matched part by part, and a fixed one goes before a parameter", () => {
  expect(match("/app/jobs/:id", "/app/jobs/a%20b/")).toEqual({ id: "a b" });
  expect(match("/app/jobs/:id", "/app/jobs")).toBeUndefined();
  expect(match("/app/jobs/:id", "/app/jobs/%")).toBeUndefined();
  const load = routes[0]?.load as (typeof routes)[0]["load"];
  expect(find("/app/x/new", [{ path: "/app/x/:id", load }, { path: "/app/x/new", load }])?.route.path).toBe("/app/x/new");
  expect(find("/")?.route.path).toBe("/app");
});

test("a page that fails says so and takes nothing else with it", async () => {
  const quiet = vi.spyOn(console, "error").mockImplementation(() => undefined);
  serve({ ...empty, "GET /datasets": { datasets: [{ id: "d", name: "flowers", versions: 1, task: "classification", created_at: "not a time" }], next: null } });
  await show(<App />, { path: "/app/datasets", session: false });
  await screen.findByRole("heading", { name: "This page has failed." });
  screen.getAllByRole("link", { name: "Jobs" });
  await userEvent.click(screen.getAllByRole("link", { name: "Projects" })[0] as HTMLElement);
  await screen.findByRole("heading", { level: 1, name: "Projects" });
  quiet.mockRestore();
});
