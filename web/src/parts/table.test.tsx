import { cleanup, screen, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { expect, test, vi } from "vitest";

import { show } from "../testing";
import { type Column, DataTable, sorted } from "./table";
import { VirtualGrid, VirtualList } from "./virtual";

interface Run { name: string; score: number | null }
const columns: Column<Run>[] = [
  { key: "score", title: "Score", value: (r) => r.score, width: 100, align: "right" },
  { key: "name", title: "Name", value: (r) => r.name, cell: (r) => <b>{r.name}</b>, width: 200, pinned: true },
  { key: "what", title: "What", cell: () => "x", width: 80 },
];

test("numbers are sorted as numbers, names as people do, and what is missing goes last either way", () => {
  const rows: Run[] = [{ name: "run 10", score: null }, { name: "run 9", score: 0.5 }, { name: "run 1", score: 0 }];
  const names = (key: string, down: boolean) => sorted(rows, columns, { key, down }).map((r) => r.name);
  expect(names("score", true)).toEqual(["run 9", "run 1", "run 10"]);
  expect(names("score", false)).toEqual(["run 1", "run 9", "run 10"]);
  expect(names("name", false)).toEqual(["run 1", "run 9", "run 10"]);
  expect(names("what", false)).toEqual(rows.map((r) => r.name));
});

test("of 10,000 rows only those in view exist; heads sort, arrows move, Enter opens", async () => {
  const rows = Array.from({ length: 10_000 }, (_, i) => ({ name: `run ${i}`, score: i / 10_000 }));
  const open = vi.fn();
  await show(<DataTable label="Runs" rows={rows} columns={columns} id={(r) => r.name} onOpen={open} selected={(r) => r.name === "run 1"} />, { session: false });
  const table = screen.getByRole("table", { name: "Runs" });
  expect(table.getAttribute("aria-rowcount")).toBe("10001");
  expect(within(table).getAllByRole("columnheader").map((one) => one.textContent)).toEqual(["Name", "Score", "What"]);
  expect(within(table).getAllByRole("row").length).toBeLessThan(60);
  const sort = within(table).getByRole("button", { name: "Score" });
  await userEvent.click(sort);
  expect(within(table).getByRole("columnheader", { name: "Score" }).getAttribute("aria-sort")).toBe("descending");
  expect(within(table).getAllByRole("row")[1]?.textContent).toContain("run 9999");
  await userEvent.click(within(table).getAllByRole("row")[1] as HTMLElement);
  expect(open).toHaveBeenLastCalledWith(rows[9999]);
  await userEvent.keyboard("{ArrowDown}");
  await vi.waitFor(() => expect(document.activeElement?.textContent).toContain("run 9998"));
  await userEvent.keyboard("{Enter}");
  expect(open).toHaveBeenLastCalledWith(rows[9998]);
});

test("a page that sorts itself is asked to, and an empty table says so", async () => {
  const ask = vi.fn();
  await show(<DataTable label="Runs" rows={[{ name: "b", score: 1 }, { name: "a", score: 2 }]} columns={columns} id={(r) => r.name} sort={{ key: "name", down: false }} onSort={ask} />, { session: false });
  await userEvent.click(screen.getByRole("button", { name: "Name" }));
  expect(ask).toHaveBeenCalledWith({ key: "name", down: true });
  expect(screen.getAllByRole("row")[1]?.textContent).toContain("b");
  cleanup();
  await show(<DataTable label="Runs" rows={[]} columns={columns} id={(r) => r.name} empty={<p>No runs yet.</p>} />, { session: false });
  screen.getByText("No runs yet.");
});

test("a grid of 100,000 tiles makes those of its view, tells the range and the columns", async () => {
  const range = vi.fn(), width = vi.fn();
  await show(<VirtualGrid label="Pictures" count={100_000} tile={100} gap={0} height="400px" item={(i) => `tile ${i}`} onRange={range} onColumns={width} />, { session: false });
  expect(width).toHaveBeenLastCalledWith(6);
  const tiles = screen.getAllByRole("listitem");
  expect(tiles.length).toBeGreaterThanOrEqual(6);
  expect(tiles.length).toBeLessThan(200);
  expect(tiles[0]?.getAttribute("aria-setsize")).toBe("100000");
  expect(range).toHaveBeenLastCalledWith(0, tiles.length - 1);
});

test("a list has its rows, in a box and on the page", async () => {
  await show(<><VirtualList label="Log" count={1000} rowHeight={20} height="400px" item={(i) => `line ${i}`} />
    <VirtualList label="Page" count={3} rowHeight={20} item={(i) => `row ${i}`} /></>, { session: false });
  const rows = within(screen.getByRole("list", { name: "Log" })).getAllByRole("listitem");
  expect(rows.length).toBeLessThan(100);
  expect(rows[0]?.textContent).toBe("line 0");
});
