import { screen, waitFor, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { expect, test, vi } from "vitest";

import { account, Refusal, serve, show } from "../../testing";
import ProjectsPage from "../projects/page";
import UsersPage from "../users/page";
import AccountPage from "./page";

const token = { id: "t1", name: "the lab's script", scopes: "jobs:read", created_at: "2026-01-01T00:00:00Z", expires_at: null, last_used_at: null };
const bob = { ...account, id: "u2", name: "", email: "bob@example.org", role: "engineer", last_login_at: null };
const project = { id: "p1", name: "Roof tiles", description: "from the air", created_by: "u1", my_role: "owner", created_at: "2026-01-01T00:00:00Z" };
const member = { user_id: "u2", email: "bob@example.org", name: "Bob", role: "engineer", created_at: "2026-01-01T00:00:00Z" };

test("the name is saved, a wrong password is said at its field", async () => {
  const { calls } = serve({
    "GET /auth/tokens": { tokens: [] },
    "PATCH /auth/me": ({ body }: { body: any }) => (body.new_password ? new Refusal(401, "that is not your password", "unauthenticated", "old_password") : { ...account, name: body.name }),
    "POST /auth/refresh": new Refusal(401, "no", "unauthenticated"),
  });
  await show(<AccountPage />, { path: "/app/account" });
  const name = await screen.findByLabelText("Name");
  await userEvent.clear(name);
  await userEvent.type(name, "Ada L.");
  await userEvent.click(screen.getByRole("button", { name: "Save" }));
  await screen.findByText("Saved");
  expect(calls).toContainEqual({ method: "PATCH", path: "/auth/me", query: "", body: { name: "Ada L." } });
  await screen.findByText("No tokens yet.");
});

test("a password that is refused says why at the field", async () => {
  serve({ "GET /auth/tokens": { tokens: [] }, "PATCH /auth/me": new Refusal(400, "it is one of the common ones", "invalid_request", "new_password") });
  await show(<AccountPage />, { path: "/app/account" });
  await userEvent.type(await screen.findByLabelText("Current password"), "old password");
  await userEvent.type(screen.getByLabelText("New password"), "password123");
  await userEvent.click(screen.getByRole("button", { name: "Change the password" }));
  await screen.findByText("it is one of the common ones");
  expect((screen.getByLabelText("New password") as HTMLInputElement).value).toBe("password123");
});

test("a token is shown once, and revoked after a question", async () => {
  const { calls } = serve({ "GET /auth/tokens": { tokens: [token, { ...token, id: "t2", name: "old", last_used_at: "2026-01-02T00:00:00Z" }] }, "POST /auth/tokens": { ...token, token: "key_secret" }, "DELETE /auth/tokens/:id": undefined });
  await show(<AccountPage />, { path: "/app/account" });
  await userEvent.type(await screen.findByLabelText("What it is for"), "notebook");
  await userEvent.click(screen.getByRole("button", { name: "Make a token" }));
  await screen.findByDisplayValue("key_secret");
  await userEvent.click(screen.getAllByRole("button", { name: "Revoke" })[0] as HTMLElement);
  await userEvent.click(within(await screen.findByRole("alertdialog")).getByRole("button", { name: "Revoke" }));
  await waitFor(() => expect(calls.some((one) => one.method === "DELETE" && one.path === "/auth/tokens/t1")).toBe(true));
});

test("logging out ends the session and leaves", async () => {
  const { calls } = serve({ "GET /auth/tokens": { tokens: [] }, "POST /auth/logout": undefined });
  const went = vi.fn();
  vi.stubGlobal("location", { ...window.location, assign: went, pathname: "/app/account", search: "" });
  await show(<AccountPage />, { path: "/app/account" });
  await userEvent.click(await screen.findByRole("button", { name: "Log out" }));
  await waitFor(() => expect(went).toHaveBeenCalledWith("/"));
  expect(calls.some((one) => one.path === "/auth/logout")).toBe(true);
  vi.unstubAllGlobals();
});

test("users are added with a fault at its field, changed, and given a link", async () => {
  let answer: unknown = new Refusal(409, "there is an account of 'eve@example.org' already", "conflict", "email");
  const { calls } = serve({
    "GET /users": { users: [account, bob] }, "POST /users": () => answer, "PATCH /users/:id": bob,
    "POST /users/:id/login-link": { link: "http://127.0.0.1/#login=lnk_x", minutes: 60 },
  });
  await show(<UsersPage />, { path: "/app/users" });
  await screen.findAllByText("bob@example.org");
  await userEvent.click(screen.getByRole("button", { name: "Add a user" }));
  const dialog = await screen.findByRole("dialog");
  await userEvent.type(within(dialog).getByLabelText("E-mail"), "eve@example.org");
  await userEvent.click(within(dialog).getByRole("button", { name: "Add a user" }));
  await within(dialog).findByText(/there is an account/);
  answer = bob;
  await userEvent.click(within(dialog).getByRole("button", { name: "Add a user" }));
  await waitFor(() => expect(screen.queryByRole("dialog")).toBeNull());
  await userEvent.selectOptions(screen.getByLabelText("Role: bob@example.org"), "manager");
  await waitFor(() => expect(calls).toContainEqual({ method: "PATCH", path: "/users/u2", query: "", body: { role: "manager" } }));
  await userEvent.click(screen.getAllByRole("button", { name: "Login link" })[1] as HTMLElement);
  await screen.findByDisplayValue("http://127.0.0.1/#login=lnk_x");
  await userEvent.click(screen.getAllByRole("button", { name: "Deactivate" })[1] as HTMLElement);
  await waitFor(() => expect(calls).toContainEqual({ method: "PATCH", path: "/users/u2", query: "", body: { active: false } }));
});

test("users are no business of an engineer's", async () => {
  serve({ "GET /auth/me": { ...account, role: "engineer" } });
  await show(<UsersPage />, { path: "/app/users" });
  await screen.findByText("Your role does not allow this. Ask a manager.");
});

test("a project is made and opened", async () => {
  const { calls } = serve({ "GET /projects": { projects: [] }, "POST /projects": project });
  await show(<ProjectsPage />, { path: "/app/projects" });
  await screen.findByText(/You belong to no project/);
  await userEvent.click(screen.getByRole("button", { name: "Make a project" }));
  const dialog = await screen.findByRole("dialog");
  await userEvent.type(within(dialog).getByLabelText("Name"), "Roof tiles");
  await userEvent.type(within(dialog).getByLabelText("Description"), "from the air");
  await userEvent.click(within(dialog).getByRole("button", { name: "Make a project" }));
  await waitFor(() => expect(window.location.pathname).toBe("/app/projects/p1"));
  expect(calls).toContainEqual({ method: "POST", path: "/projects", query: "", body: { name: "Roof tiles", description: "from the air" } });
});

test("members are added, changed and removed; a project that is not empty says so", async () => {
  const { calls } = serve({
    "GET /projects": { projects: [project] }, "GET /projects/p1": project, "GET /projects/p1/members": { members: [member] }, "POST /projects/p1/members": { members: [] },
    "DELETE /projects/p1/members/:user": undefined, "DELETE /projects/p1": new Refusal(409, "the project holds 2 datasets", "conflict"),
  });
  await show(<ProjectsPage open="p1" />, { path: "/app/projects/p1" });
  await screen.findByRole("heading", { name: "Roof tiles" });
  await userEvent.selectOptions(await screen.findByLabelText("Role: bob@example.org"), "manager");
  await waitFor(() => expect(calls).toContainEqual({ method: "POST", path: "/projects/p1/members", query: "", body: { email: "bob@example.org", role: "manager" } }));
  await userEvent.type(screen.getByLabelText("E-mail"), "eve@example.org");
  await userEvent.click(screen.getByRole("button", { name: "Add or change" }));
  await waitFor(() => expect(calls).toContainEqual({ method: "POST", path: "/projects/p1/members", query: "", body: { email: "eve@example.org", role: "engineer" } }));
  await userEvent.click(screen.getByRole("button", { name: "Remove" }));
  await waitFor(() => expect(calls.some((one) => one.path === "/projects/p1/members/u2")).toBe(true));
  await userEvent.click(screen.getByRole("button", { name: "Delete" }));
  await userEvent.click(within(await screen.findByRole("alertdialog")).getByRole("button", { name: "Delete" }));
  await screen.findByText(/the project holds 2 datasets/);
});
