// A grid of any number of cells that scrolls with the page: only what is near the screen exists.  Arrow keys,
// Home, End and Page keys walk over the cells; the page decides what a cell shows.
import { useWindowVirtualizer } from "@tanstack/react-virtual";
import { type KeyboardEvent, type ReactNode, useCallback, useEffect, useLayoutEffect, useRef, useState } from "react";

const GAP = 8;
const OVERSCAN_ROWS = 3;
const UNMEASURED = 960;

interface GridProps {
  count: number;
  /** Least width of a cell in pixels; there are at least three columns. */
  least: number;
  /** Height of a cell below its square, in pixels. */
  caption: number;
  label: string;
  cell: (index: number) => ReactNode;
  /** What is about to be seen, [first, end); told when scrolling rests. */
  onRange?: (first: number, end: number) => void;
  /** Scrolls there once, and again whenever it changes. */
  at?: number | undefined;
}

const SETTLED_MS = 60;

export function Grid({ count, least, caption, label, cell, onRange, at }: GridProps) {
  const box = useRef<HTMLDivElement>(null);
  const [place, setPlace] = useState({ width: UNMEASURED, top: 0 });
  const [focus, setFocus] = useState(0);
  const wanted = useRef<number>();
  useLayoutEffect(() => {
    const element = box.current;
    if (!element) return undefined;
    const measure = () => setPlace((old) => {
      const now = { width: element.clientWidth || UNMEASURED, top: element.getBoundingClientRect().top + window.scrollY };
      return old.width === now.width && old.top === now.top ? old : now;
    });
    measure();
    const seen = new ResizeObserver(measure);
    seen.observe(element);
    seen.observe(document.body);
    return () => seen.disconnect();
  }, []);
  const columns = Math.max(3, Math.floor((place.width + GAP) / (least + GAP)));
  const side = (place.width - GAP * (columns - 1)) / columns;
  const rows = Math.ceil(count / columns);
  const virtual = useWindowVirtualizer({
    count: rows, estimateSize: useCallback(() => side + caption + GAP, [side, caption]), overscan: OVERSCAN_ROWS, scrollMargin: place.top,
  });
  useEffect(() => virtual.measure(), [virtual, side, caption]);
  const items = virtual.getVirtualItems();
  const first = (items[0]?.index ?? 0) * columns;
  const end = Math.min(count, ((items.at(-1)?.index ?? -1) + 1) * columns);
  const tell = useRef(onRange);
  tell.current = onRange;
  useEffect(() => {
    const timer = setTimeout(() => tell.current?.(first, end), first === 0 ? 0 : SETTLED_MS);
    return () => clearTimeout(timer);
  }, [first, end]);
  useEffect(() => {
    if (at === undefined || at >= count) return;
    virtual.scrollToIndex(Math.floor(at / columns), { align: "center" });
    setFocus(at);
  }, [at, columns, count, virtual]);

  const go = (to: number) => {
    const next = Math.max(0, Math.min(count - 1, to));
    setFocus(next);
    wanted.current = next;
    virtual.scrollToIndex(Math.floor(next / columns), { align: "auto" });
  };
  useEffect(() => {
    if (wanted.current === undefined) return;
    const element = box.current?.querySelector<HTMLElement>(`[data-cell="${wanted.current}"] button, [data-cell="${wanted.current}"] a`);
    if (!element) return;
    wanted.current = undefined;
    element.focus({ preventScroll: true });
  });
  const key = (e: KeyboardEvent) => {
    const page = columns * Math.max(1, Math.floor(window.innerHeight / (side + caption + GAP)));
    const steps: Record<string, number> = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: columns, ArrowUp: -columns, PageDown: page, PageUp: -page };
    const step = steps[e.key];
    const to = step !== undefined ? focus + step : e.key === "Home" ? 0 : e.key === "End" ? count - 1 : undefined;
    if (to === undefined || e.altKey || e.ctrlKey || e.metaKey) return;
    e.preventDefault();
    go(to);
  };
  const cells = [];
  for (const row of items)
    for (let column = 0; column < columns; column++) {
      const index = row.index * columns + column;
      if (index >= count) break;
      cells.push(
        <li key={index} data-cell={index} aria-setsize={count} aria-posinset={index + 1} onFocus={() => setFocus(index)}
          className="absolute left-0 top-0 [contain:strict]"
          style={{ width: side, height: side + caption, transform: `translate(${column * (side + GAP)}px, ${row.start - place.top}px)` }}>
          {cell(index)}
        </li>,
      );
    }
  return (
    <div ref={box} onKeyDown={key}>
      <ul aria-label={label} className="relative" style={{ height: virtual.getTotalSize() }}>{cells}</ul>
    </div>
  );
}
