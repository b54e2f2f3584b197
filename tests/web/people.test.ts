// People and projects in a real browser: an account with its login link, a project with members, a token, and a
// session that ends in the middle of a form without losing what was typed.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { axe, type Page, settled, shots, Web } from "../lib/browser";

let web: Web, page: Page;

before(async () => {
  if (Web.none) return;
  web = await Web.open();
  page = await web.login("/app/users");
});
after(() => web?.close());

describe("people", { skip: Web.none }, () => {
  test("a user is added and logs in by the link, elsewhere", async () => {
    await page.getByRole("button", { name: "Add a user" }).click();
    await page.getByLabel("E-mail").fill("eve@example.org");
    await page.getByRole("dialog").getByLabel("Name").fill("Eve");
    await page.getByRole("dialog").getByRole("button", { name: "Add a user" }).click();
    await page.getByText("eve@example.org").waitFor();
    await page.getByRole("listitem").filter({ hasText: "eve@example.org" }).getByRole("button", { name: "Login link" }).click();
    const link = await page.getByRole("textbox", { name: "Copy" }).inputValue();
    await shots(page, "users");
    await axe(page);
    const elsewhere = await web.browser.newContext({ locale: "en-GB" });
    const her = await elsewhere.newPage();
    await her.goto(link);
    await her.locator("h1").waitFor();
    await her.goto(`${web.anneal.url}/app/account`);
    await her.getByRole("heading", { name: "Eve", level: 1 }).waitFor();
    await elsewhere.close();
  });

  test("a project gets a member with a role", async () => {
    await web.go(page, "/app/projects");
    await page.getByRole("button", { name: "Make a project" }).click();
    await page.getByRole("dialog").getByLabel("Name").fill("Roof tiles");
    await page.getByRole("dialog").getByRole("button", { name: "Make a project" }).click();
    await page.getByRole("heading", { name: "Roof tiles" }).waitFor();
    await page.getByLabel("E-mail").fill("eve@example.org");
    await page.getByRole("button", { name: "Add or change" }).click();
    await page.getByLabel("Role: eve@example.org").selectOption("viewer");
    await settled(page);
    await shots(page, "project");
    await axe(page);
    const { projects } = await web.anneal.get("/projects");
    const { members } = await web.anneal.get(`/projects/${projects[0].id}/members`);
    assert.deepEqual(members.map((one: any) => [one.email, one.role]).sort(), [["admin@localhost", "owner"], ["eve@example.org", "viewer"]]);
  });

  test("a session that ends in the middle of a form asks for the log-in over the page, and the form goes on", async () => {
    await web.anneal.api("PATCH", "/auth/me", { new_password: "correct horse battery" });
    await web.go(page, "/app/account");
    await page.getByLabel("What it is for").fill("the notebook");
    await web.context.clearCookies();
    await page.getByRole("button", { name: "Make a token" }).click();
    const dialog = page.getByRole("dialog");
    await dialog.getByLabel("Password").fill("correct horse battery");
    await dialog.getByRole("button", { name: "Log in" }).click();
    assert.match(await page.getByRole("textbox", { name: "Copy" }).inputValue(), /^key_/);
    await shots(page, "account");
    await axe(page);
  });
});
