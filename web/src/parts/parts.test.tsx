import { act, fireEvent, screen, waitFor, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { useState } from "react";
import { expect, test, vi } from "vitest";

import { Problem } from "../api";
import { keep } from "../kept";
import { show } from "../testing";
import { Checkbox, Choice, Slider, Switch } from "./controls";
import { Confirm, Dialog } from "./dialog";
import { icons } from "./icons";
import { Menu, Popover, Tooltip } from "./menu";
import { Tabs } from "./tabs";
import { toast, Toasts } from "./toast";
import { Button, ErrorNote, IconButton, Input } from "./ui";

const bare = { session: false };

test("a dialog holds the focus, says its title, and closes by Escape; one without an end does not", async () => {
  const close = vi.fn();
  const { unmount } = await show(<Dialog title="Rename" onClose={close}><Input aria-label="Name" /></Dialog>, bare);
  const dialog = screen.getByRole("dialog", { name: "Rename" });
  expect(dialog.contains(document.activeElement)).toBe(true);
  await userEvent.keyboard("{Escape}");
  expect(close).toHaveBeenCalledTimes(1);
  unmount();
  await show(<Dialog title="Log in again"><Input aria-label="Password" /></Dialog>, bare);
  await userEvent.keyboard("{Escape}");
  screen.getByRole("dialog", { name: "Log in again" });
});

test("a confirmation names what is lost, begins on the harmless button, and says why it failed", async () => {
  const yes = vi.fn(), no = vi.fn();
  await show(<Confirm title="Delete?" text="It has two versions." lost={["version 1", "version 2"]} action="Delete" error={new Error("it is in use")}
    onConfirm={yes} onClose={no} />, bare);
  const dialog = screen.getByRole("alertdialog", { name: "Delete?" });
  expect(within(dialog).getAllByRole("listitem").map((one) => one.textContent)).toEqual(["version 1", "version 2"]);
  expect(document.activeElement?.textContent).toBe("Back");
  expect(within(dialog).getByRole("alert").textContent).toContain("it is in use");
  await userEvent.click(within(dialog).getByRole("button", { name: "Delete" }));
  expect(yes).toHaveBeenCalledTimes(1);
  expect(no).not.toHaveBeenCalled();
  await userEvent.keyboard("{Escape}");
  expect(no).toHaveBeenCalledTimes(1);
});

test("a menu opens and acts by keyboard alone; what is disabled does not", async () => {
  const act = vi.fn(), never = vi.fn();
  await show(<Menu label="Actions" trigger={<IconButton label="Actions" d={icons.more} />}
    items={[{ text: "Cancel", disabled: true, onSelect: never }, { text: "Restart", note: "as a new job", icon: "redo", onSelect: act }, "-",
      { text: "Starred", checked: true, onSelect: act }, { text: "Open", href: "/app/jobs", keys: "g j" }]} />, bare);
  screen.getByRole("button", { name: "Actions" }).focus();
  await userEvent.keyboard("{Enter}");
  await screen.findByRole("menu");
  expect(screen.getByRole("menuitemcheckbox", { name: "Starred" }).getAttribute("aria-checked")).toBe("true");
  await userEvent.keyboard("{Enter}");
  expect(act).toHaveBeenCalledTimes(1);
  await userEvent.keyboard("{Enter}");
  await userEvent.click(await screen.findByRole("menuitem", { name: /Open/ }));
  expect(window.location.pathname).toBe("/app/jobs");
  expect(never).not.toHaveBeenCalled();
});

test("a popover shows what it holds, a tooltip what is pointed at", async () => {
  await show(<><Popover label="Filter" trigger={<Button>Filter</Button>}><p>inside</p></Popover><Tooltip text="more of it"><Button>Why</Button></Tooltip></>, bare);
  await userEvent.click(screen.getByRole("button", { name: "Filter" }));
  await screen.findByText("inside");
  await userEvent.keyboard("{Escape}");
  act(() => screen.getByRole("button", { name: "Why" }).focus());
  expect((await screen.findByRole("tooltip")).textContent).toBe("more of it");
});

test("arrows move between tabs, and the panel belongs to its tab", async () => {
  function Two() {
    const [tab, setTab] = useState<"a" | "b">("a");
    return <Tabs label="Views" tabs={[["a", "First"], ["b", "Second"]]} value={tab} onChange={setTab}><p>{tab === "a" ? "one" : "two"}</p></Tabs>;
  }
  await show(<Two />, bare);
  screen.getByRole("tab", { name: "First" }).focus();
  await userEvent.keyboard("{ArrowRight}");
  await screen.findByText("two");
  expect(screen.getByRole("tabpanel", { name: "Second" }).textContent).toBe("two");
  expect(document.activeElement?.textContent).toBe("Second");
});

test("a slider moves by keys within its ends and says its value in words", async () => {
  const end = vi.fn();
  function One() {
    const [value, setValue] = useState(0.95);
    return <Slider label="Confidence" value={value} step={0.05} format={(v) => `${Math.round(v * 100)} %`} onChange={setValue} onCommit={end} />;
  }
  await show(<One />, bare);
  const thumb = screen.getByRole("slider", { name: "Confidence" });
  act(() => thumb.focus());
  await userEvent.keyboard("{ArrowRight}{ArrowRight}{ArrowRight}");
  expect(thumb.getAttribute("aria-valuetext")).toBe("100 %");
  expect(end).toHaveBeenCalled();
});

test("switch and checkbox are tied to their words; some of a whole is the third state", async () => {
  const on = vi.fn(), all = vi.fn();
  await show(<><Switch label="Approval" help="by someone else" checked={false} onChange={on} /><Checkbox label="All rows" checked="some" onChange={all} />
    <Checkbox label="Row" hideLabel checked onChange={all} /></>, bare);
  await userEvent.click(screen.getByRole("switch", { name: "Approval", description: "by someone else" }));
  expect(on).toHaveBeenCalledWith(true);
  const some = screen.getByRole("checkbox", { name: "All rows" });
  expect(some.getAttribute("aria-checked")).toBe("mixed");
  await userEvent.click(some);
  expect(all).toHaveBeenCalledWith(true);
  await userEvent.click(screen.getByRole("checkbox", { name: "Row" }));
  expect(all).toHaveBeenLastCalledWith(false);
});

test("a choice with notes is made by keyboard", async () => {
  const choose = vi.fn();
  await show(<Choice label="Preset" value="quick" onChange={choose} options={[{ value: "quick", text: "Quick" }, { value: "thorough", text: "Thorough", note: "takes hours" }]} />, bare);
  const box = screen.getByRole("combobox", { name: "Preset" });
  act(() => box.focus());
  await userEvent.keyboard("{Enter}");
  fireEvent.keyDown(await screen.findByRole("option", { name: /Quick/ }), { key: "ArrowDown" });
  await userEvent.keyboard("{Enter}");
  await waitFor(() => expect(choose).toHaveBeenCalledWith("thorough"));
});

test("a toast says what was done, offers a way back, and goes when it is closed", async () => {
  const back = vi.fn();
  await show(<Toasts />, bare);
  act(() => void toast({ title: "Deleted", action: { text: "Undo", onSelect: back } }));
  act(() => void toast({ title: "Not saved", error: new Error("the disk is full") }));
  expect((await screen.findAllByText("the disk is full")).length).toBeGreaterThan(0);
  await userEvent.click(screen.getByRole("button", { name: "Undo" }));
  expect(back).toHaveBeenCalledTimes(1);
  await userEvent.click(screen.getByRole("button", { name: "Close" }));
  await waitFor(() => expect(screen.queryByText("Not saved")).toBeNull());
});

test("a refusal is named in the reader's language, with what the server says in detail", async () => {
  await show(<ErrorNote error={new Problem(409, "conflict", "the draft is being committed")} />, bare);
  act(() => keep("anneal-language", "ko"));
  const note = screen.getByRole("alert");
  await waitFor(() => expect(note.textContent).toContain("지금 상태에서는 할 수 없습니다"));
  expect(within(note).getByText("the draft is being committed").getAttribute("lang")).toBe("en");
});
