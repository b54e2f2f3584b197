// A table of any number of rows: only those in view exist.  Columns are sorted by a click on their head, pinned ones
// stay at the left while the rest scrolls; the head stays above.
import { useVirtualizer } from "@tanstack/react-virtual";
import { type CSSProperties, memo, type ReactNode, useCallback, useMemo, useRef, useState } from "react";

import { useTexts } from "../i18n";
import { Icon } from "./button";
import { icons } from "./icons";

export interface Column<T> {
  key: string;
  title: string;
  /** What is sorted by; without it the column cannot be.  Empty values go last, either way. */
  value?: (row: T) => string | number | null | undefined;
  cell?: (row: T) => ReactNode;
  /** In pixels. */
  width: number;
  pinned?: boolean;
  align?: "left" | "right";
}
export interface Sort { key: string; down: boolean }

const ROW = 40, HEAD = 40, OVERSCAN = 8;

function compare(a: string | number | null | undefined, b: string | number | null | undefined, down: boolean): number {
  const none = (v: typeof a) => v === null || v === undefined || v === "" || Number.isNaN(v);
  if (none(a) || none(b)) return Number(none(a)) - Number(none(b));
  const order = typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b), undefined, { numeric: true });
  return down ? -order : order;
}

export function sorted<T>(rows: T[], columns: Column<T>[], sort: Sort | undefined): T[] {
  const value = columns.find((one) => one.key === sort?.key)?.value;
  if (!sort || !value) return rows;
  return rows.map((row) => [row, value(row)] as const).sort((a, b) => compare(a[1], b[1], sort.down)).map(([row]) => row);
}

const cellLook = <T,>(one: Column<T>) => `flex shrink-0 items-center px-3 ${one.align === "right" ? "justify-end text-right" : ""} ${one.pinned ? "sticky z-[1] bg-inherit" : ""}`;

interface RowOf<T> {
  row: T; index: number; start: number; columns: Column<T>[]; place: CSSProperties[]; tabIndex: number; selected: boolean | undefined;
  onFocus: (index: number) => void; onOpen: ((row: T) => void) | undefined;
}

/** Made anew only when something of its own has changed: while one scrolls, the rows that stay cost nothing. */
const Row = memo(function Row<T>({ row, index, start, columns, place, tabIndex, selected, onFocus, onOpen }: RowOf<T>) {
  return (
    <div role="row" aria-rowindex={index + 2} data-row={index} tabIndex={tabIndex}
      onFocus={() => onFocus(index)} onClick={onOpen && (() => onOpen(row))} {...(selected !== undefined && { "aria-selected": selected })}
      className={`absolute left-0 top-0 flex w-full border-b border-border focus-visible:!outline-offset-[-2px] ${selected ? "bg-raised" : "bg-surface"} ${onOpen ? "cursor-pointer hover:bg-raised" : ""}`}
      style={{ height: ROW, transform: `translateY(${start}px)` }}>
      {columns.map((one, i) => (
        <div key={one.key} role="cell" style={place[i]} className={`${cellLook(one)} ${one.align === "right" ? "numbers" : ""}`}>
          <span className="min-w-0 truncate">{one.cell ? one.cell(row) : (one.value?.(row) ?? "")}</span>
        </div>
      ))}
    </div>
  );
}) as <T>(of: RowOf<T>) => ReactNode;

export function DataTable<T>({ label, rows, columns, id, sort: given, onSort, onOpen, selected, height = "70vh", empty }: {
  label: string; rows: T[]; columns: Column<T>[]; id: (row: T) => string;
  /** With onSort the page (or the server) sorts; else the table does. */
  sort?: Sort | undefined; onSort?: (to: Sort) => void;
  /** A row is opened by a click or by Enter. */
  onOpen?: (row: T) => void; selected?: (row: T) => boolean; height?: string; empty?: ReactNode;
}) {
  const { t } = useTexts();
  const box = useRef<HTMLDivElement>(null);
  const [own, setOwn] = useState<Sort | undefined>(given);
  const [at, setAt] = useState(0); // the row that arrows move
  const sort = onSort ? given : own;
  const order = useMemo(() => [...columns.filter((one) => one.pinned), ...columns.filter((one) => !one.pinned)], [columns]);
  const shown = useMemo(() => (onSort ? rows : sorted(rows, order, sort)), [rows, order, sort, onSort]);
  const virtual = useVirtualizer({ count: shown.length, estimateSize: () => ROW, overscan: OVERSCAN, getScrollElement: () => box.current, scrollPaddingStart: HEAD });
  const width = order.reduce((sum, one) => sum + one.width, 0);
  const place = useMemo(() => {
    let left = 0;
    return order.map((one): CSSProperties => {
      const here = { width: one.width, ...(one.pinned && { left }) };
      left += one.pinned ? one.width : 0;
      return here;
    });
  }, [order]);
  const open = useRef(onOpen);
  open.current = onOpen;
  const onRow = useCallback((row: T) => open.current?.(row), []);
  const turn = (one: Column<T>) => {
    const to = { key: one.key, down: sort?.key === one.key ? !sort.down : typeof (rows[0] && one.value?.(rows[0])) === "number" };
    if (onSort) onSort(to);
    else setOwn(to);
  };
  const go = (to: number) => {
    const next = Math.max(0, Math.min(shown.length - 1, to));
    setAt(next);
    virtual.scrollToIndex(next);
    requestAnimationFrame(() => box.current?.querySelector<HTMLElement>(`[data-row="${next}"]`)?.focus({ preventScroll: true }));
  };
  const onKey = (e: React.KeyboardEvent) => {
    if (!(e.target as HTMLElement).matches("[data-row]")) return;
    const row = shown[at];
    const steps: Record<string, number> = { ArrowDown: at + 1, ArrowUp: at - 1, PageDown: at + 10, PageUp: at - 10, Home: 0, End: shown.length - 1 };
    const to = steps[e.key];
    if (to !== undefined) go(to);
    else if (e.key === "Enter" && row && onOpen) onOpen(row);
    else return;
    e.preventDefault();
  };
  if (!rows.length && empty) return <>{empty}</>;
  return (
    <div ref={box} role="table" aria-label={label} aria-rowcount={shown.length + 1} aria-colcount={order.length} onKeyDown={onKey}
      tabIndex={shown.length ? undefined : 0} className="overflow-auto rounded border border-border bg-surface text-sm" style={{ maxHeight: height }}>
      <div role="rowgroup" className="sticky top-0 z-[2] bg-surface" style={{ width, minWidth: "100%" }}>
        <div role="row" aria-rowindex={1} className="flex border-b border-border bg-inherit" style={{ height: HEAD }}>
          {order.map((one, i) => (
            <div key={one.key} role="columnheader" style={place[i]} className={`${cellLook(one)} !px-0 text-xs font-medium text-muted`}
              aria-sort={sort?.key !== one.key ? undefined : sort.down ? "descending" : "ascending"}>
              {one.value ? (
                <button type="button" onClick={() => turn(one)} title={t("table.sort", { column: one.title })}
                  className={`flex h-full w-full min-w-0 items-center gap-1 px-3 hover:text-foreground focus-visible:!outline-offset-[-2px] ${one.align === "right" ? "flex-row-reverse" : ""} ${sort?.key === one.key ? "text-foreground" : ""}`}>
                  <span className="truncate">{one.title}</span>
                  {sort?.key === one.key && <Icon d={sort.down ? icons.sortDown : icons.sortUp} size={14} />}
                </button>
              ) : <span className="truncate px-3">{one.title}</span>}
            </div>
          ))}
        </div>
      </div>
      <div role="rowgroup" className="relative bg-surface" style={{ height: virtual.getTotalSize(), width, minWidth: "100%" }}>
        {virtual.getVirtualItems().map(({ index, start }) => {
          const row = shown[index] as T;
          return <Row key={id(row)} row={row} index={index} start={start} columns={order} place={place} tabIndex={index === Math.min(at, shown.length - 1) ? 0 : -1}
            selected={selected?.(row)} onFocus={setAt} onOpen={onOpen && onRow} />;
        })}
      </div>
    </div>
  );
}
