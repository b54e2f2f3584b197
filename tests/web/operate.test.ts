// Operating the program in a real browser: health, quotas, a webhook to a real receiver, the audit log, settings.
import assert from "node:assert/strict";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { after, before, describe, test } from "node:test";

import { until } from "../lib/anneal";
import { axe, type Page, settled, shots, Web } from "../lib/browser";
import { person } from "../lib/people";

let web: Web, page: Page, receiver: Server;
const received: string[] = [];

before(async () => {
  if (Web.none) return;
  receiver = createServer((request, reply) => {
    received.push(String(request.headers["webhook-id"]));
    request.resume().on("end", () => reply.writeHead(204).end());
  });
  await new Promise<void>((done) => receiver.listen(0, "127.0.0.1", done));
  web = await Web.open();
  const viewer = await person(web.anneal, "viewer", "val");
  await viewer.call("POST", "/projects", { name: "not allowed" });
  page = await web.login("/app/operate");
});
after(async () => {
  await web?.close();
  receiver?.close();
});

const tab = async (name: string) => {
  await page.getByRole("tab", { name }).click();
  await settled(page);
};

describe("operating", { skip: Web.none }, () => {
  test("health shows database, store and trainer", async () => {
    for (const name of ["Database", "Object store", "anneal"]) await page.getByText(name, { exact: true }).waitFor();
    await shots(page, "operate-health");
    await axe(page);
  });

  test("a quota is set in a dialog and stands in the table", async () => {
    await tab("Use and quotas");
    await page.getByRole("button", { name: "Quota of val@example.org" }).click();
    await page.getByLabel("Jobs at once").fill("3");
    await page.getByLabel("Storage limit in GiB").fill("2");
    await page.getByRole("dialog").getByRole("button", { name: "Change the quota" }).click();
    await page.getByRole("cell", { name: "2.0 GiB" }).waitFor();
    await shots(page, "operate-use");
    await axe(page);
  });

  test("a webhook is added, tried and its delivery seen", async () => {
    await tab("Webhooks");
    await page.getByRole("button", { name: "Add a webhook" }).click();
    await page.getByLabel("URL").fill(`http://127.0.0.1:${(receiver.address() as AddressInfo).port}/hook`);
    await page.getByRole("dialog").getByRole("button", { name: "Add a webhook" }).click();
    assert.match(await page.getByRole("dialog").getByRole("textbox", { name: "Copy" }).inputValue(), /^whsec_/);
    await page.getByRole("dialog").getByRole("button", { name: "Close" }).last().click();
    await page.getByRole("button", { name: "Send a ping" }).click();
    await until("the receiver was told", async () => received.length > 0);
    await page.getByText("Deliveries").click();
    await page.getByText("delivered").waitFor();
    await shots(page, "operate-webhooks");
    await axe(page);
  });

  test("the audit log shows what was refused", async () => {
    await tab("Audit log");
    await page.getByRole("switch", { name: "Refused only" }).click();
    await page.getByRole("cell", { name: "403" }).waitFor();
    await until("what went well is gone", async () => !(await page.getByRole("cell", { name: "200" }).count()));
    await shots(page, "operate-audit");
    await axe(page);
  });

  test("storage shows the bucket, its size and that nothing is damaged", async () => {
    await tab("Storage");
    await page.getByRole("cell", { name: "anneal", exact: true }).waitFor();
    await page.getByText("No damage is known").waitFor();
    await shots(page, "operate-storage");
    await axe(page);
  });

  test("settings say where each value came from", async () => {
    await tab("Settings");
    await page.getByText("jobs_per_user", { exact: true }).waitFor();
    await shots(page, "operate-settings");
    await axe(page);
  });
});
