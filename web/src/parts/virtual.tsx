// Long lists and grids of which only what is seen exists: 10,000 rows, 100,000 tiles.  They scroll with the page, or
// in a box of their own when `height` is given.  Items may come late: `item(i)` draws what is known of the i-th.
import { useVirtualizer, useWindowVirtualizer, type Virtualizer } from "@tanstack/react-virtual";
import { type ReactNode, type RefObject, useEffect, useLayoutEffect, useRef, useState } from "react";

interface Common {
  label: string;
  count: number;
  /** Draws the i-th item; the list keeps it while it is near. */
  item: (index: number) => ReactNode;
  /** Items of this range are about to be seen: the place to fetch them. */
  onRange?: (first: number, last: number) => void;
  /** Height of an own scroll box, as CSS ("60vh"); without it the page scrolls. */
  height?: string | undefined;
  /** Brings this item into view whenever the number changes. */
  at?: number | undefined;
}

const OVERSCAN = 4; // rows beyond either edge

function useRows(box: RefObject<HTMLDivElement>, count: number, size: number, own: boolean): Virtualizer<any, Element> {
  const [margin, setMargin] = useState(0);
  useLayoutEffect(() => {
    if (own || !box.current) return;
    const top = box.current.getBoundingClientRect().top + window.scrollY;
    setMargin((old) => (Math.abs(old - top) < 1 ? old : top));
  });
  const page = useWindowVirtualizer({ count, estimateSize: () => size, overscan: OVERSCAN, scrollMargin: margin, enabled: !own });
  const inside = useVirtualizer({ count, estimateSize: () => size, overscan: OVERSCAN, getScrollElement: () => box.current, enabled: own });
  const rows = (own ? inside : page) as Virtualizer<any, Element>;
  useLayoutEffect(() => rows.measure(), [rows, size]);
  return rows;
}

function useRange(rows: Virtualizer<any, Element>, columns: number, count: number, onRange: Common["onRange"]) {
  const items = rows.getVirtualItems();
  const first = (items[0]?.index ?? 0) * columns, last = Math.min(count, ((items.at(-1)?.index ?? -1) + 1) * columns) - 1;
  const tell = useRef(onRange);
  tell.current = onRange;
  useEffect(() => {
    if (last >= first) tell.current?.(first, last);
  }, [first, last]);
}

function useAt(rows: Virtualizer<any, Element>, at: number | undefined, columns: number) {
  useEffect(() => {
    if (at !== undefined) rows.scrollToIndex(Math.floor(at / columns));
  }, [rows, at, columns]);
}

/** Rows of one height, in pixels. */
export function VirtualList({ label, count, item, onRange, height, at, rowHeight, className = "" }: Common & { rowHeight: number; className?: string }) {
  const box = useRef<HTMLDivElement>(null);
  const rows = useRows(box, count, rowHeight, height !== undefined);
  useRange(rows, 1, count, onRange);
  useAt(rows, at, 1);
  const margin = height === undefined ? rows.options.scrollMargin : 0;
  return (
    <div ref={box} role="list" aria-label={label} className={`${height === undefined ? "" : "overflow-auto"} ${className}`}
      style={{ height }} tabIndex={height === undefined ? undefined : 0}>
      <div role="presentation" className="relative" style={{ height: rows.getTotalSize() }}>
        {rows.getVirtualItems().map(({ index, start }) => (
          <div key={index} role="listitem" aria-setsize={count} aria-posinset={index + 1} className="absolute inset-x-0 top-0"
            style={{ height: rowHeight, transform: `translateY(${start - margin}px)` }}>
            {item(index)}
          </div>
        ))}
      </div>
    </div>
  );
}

/** Tiles at least `tile` pixels wide, in as many columns as fit; each `tileHeight` high, or square with `extra` pixels below. */
export function VirtualGrid({ label, count, item, onRange, height, at, tile, gap = 8, tileHeight, extra = 0, onColumns }: Common & {
  tile: number; gap?: number; tileHeight?: number; extra?: number;
  /** How many tiles a row has: for moving with the arrow keys. */
  onColumns?: (columns: number) => void;
}) {
  const box = useRef<HTMLDivElement>(null);
  const [width, setWidth] = useState(0);
  useLayoutEffect(() => {
    const one = box.current;
    if (!one) return;
    const measure = () => setWidth(one.clientWidth);
    measure();
    const watch = new ResizeObserver(measure);
    watch.observe(one);
    return () => watch.disconnect();
  }, []);
  const columns = Math.max(1, Math.floor((width + gap) / (tile + gap)));
  const side = (width - gap * (columns - 1)) / columns;
  const rowHeight = Math.max(1, Math.round((tileHeight ?? side + extra) + gap));
  const rows = useRows(box, width ? Math.ceil(count / columns) : 0, rowHeight, height !== undefined);
  useRange(rows, columns, count, onRange);
  useAt(rows, at, columns);
  const told = useRef(onColumns);
  told.current = onColumns;
  useEffect(() => told.current?.(columns), [columns]);
  const margin = height === undefined ? rows.options.scrollMargin : 0;
  return (
    <div ref={box} role="list" aria-label={label} className={height === undefined ? "" : "overflow-auto"} style={{ height }}
      tabIndex={height === undefined ? undefined : 0}>
      <div role="presentation" className="relative" style={{ height: Math.max(0, rows.getTotalSize() - gap) }}>
        {rows.getVirtualItems().map(({ index: row, start }) => (
          <div key={row} role="presentation" className="absolute inset-x-0 top-0 grid"
            style={{ height: rowHeight - gap, transform: `translateY(${start - margin}px)`, gap, gridTemplateColumns: `repeat(${columns}, minmax(0, 1fr))` }}>
            {Array.from({ length: Math.min(columns, count - row * columns) }, (_, k) => (
              <div key={k} role="listitem" aria-setsize={count} aria-posinset={row * columns + k + 1} className="min-w-0">{item(row * columns + k)}</div>
            ))}
          </div>
        ))}
      </div>
    </div>
  );
}
