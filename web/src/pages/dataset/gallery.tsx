// The pictures of a version, however many: previews with labels, filters, selection, and one in full size.
import { type KeyboardEvent, memo, type ReactNode, useCallback, useDeferredValue, useEffect, useMemo, useRef, useState } from "react";

import { useTexts } from "../../i18n";
import type { Colours } from "../../parts/colours";
import { Overlay, Thumb } from "../../parts/picture";
import { Button, Empty, ErrorNote, Input, Loading, Select } from "../../parts/ui";
import { VirtualGrid } from "../../parts/virtual";
import { setQuery, useQueryParams } from "../../router";
import { useMay } from "../../session";
import { splits, type Picture, type Version } from "../../types";
import { MoveBar } from "./splits";
import { Viewer } from "./viewer";
import { type Filter, isFiltered, noFilter, useWindows } from "./windows";

const TILE = 128;
const TILE_PHONE = 96;
const CAPTION = 24;
const SETTLED_MS = 60; // so long must scrolling rest before pictures are asked for
const SHAPES_DRAWN = 60; // in a preview; more are a blur

/** Few enough shapes to draw hundreds of previews. */
function few(picture: Picture): Picture["shapes"] {
  const { boxes, polygons, quads } = picture.shapes;
  return {
    ...(boxes && { boxes: boxes.slice(0, SHAPES_DRAWN) }), ...(polygons && { polygons: polygons.slice(0, SHAPES_DRAWN) }),
    ...(quads && { quads: quads.slice(0, SHAPES_DRAWN) }),
  };
}

const Cell = memo(function Cell({ picture, rank, classes, colours, marking, marked, onOpen }: {
  picture: Picture | undefined; rank: number; classes: string[]; colours: Colours | null; marking: boolean; marked: boolean;
  onOpen: (rank: number, picture: Picture, range: boolean) => void;
}) {
  if (!picture) return <div className="aspect-square rounded bg-raised" />;
  return (
    <button type="button" onClick={(e) => onOpen(rank, picture, e.shiftKey)} className="block w-full text-left" title={picture.name}
      aria-pressed={marking ? marked : undefined}>
      <span className={`relative block rounded ${marked ? "outline outline-2 outline-offset-1 outline-primary" : ""}`}>
        <Thumb src={picture.thumb_url} alt={picture.label ?? picture.name}>
          <Overlay shapes={few(picture)} width={picture.width} height={picture.height} classes={classes} colours={colours} />
        </Thumb>
        {marking && (
          <span aria-hidden="true" className={`absolute right-1 top-1 grid h-5 w-5 place-items-center rounded border text-xs ${marked ? "border-primary bg-primary text-primary-foreground" : "border-border bg-surface"}`}>
            {marked ? "✓" : ""}
          </span>
        )}
      </span>
      <span aria-hidden="true" className="mt-1 block truncate text-xs text-muted">{picture.label ?? picture.name.split("/").at(-1)}</span>
    </button>
  );
});

/** Tiles that the arrow keys, Home, End and the Page keys walk over; pictures are asked for when scrolling rests. */
function Walk({ count, at, label, cell, onRange }: {
  count: number; at: number | undefined; label: string; cell: (i: number) => ReactNode; onRange: (first: number, end: number) => void;
}) {
  const box = useRef<HTMLDivElement>(null);
  const timer = useRef<ReturnType<typeof setTimeout>>();
  const wanted = useRef<number>();
  const [columns, setColumns] = useState(1);
  const [focus, setFocus] = useState<number>();
  useEffect(() => () => clearTimeout(timer.current), []);
  useEffect(() => {
    if (wanted.current === undefined) return;
    const element = box.current?.querySelector<HTMLElement>(`[data-tile="${wanted.current}"] button`);
    if (element) wanted.current = void element.focus({ preventScroll: true });
  });
  const key = (e: KeyboardEvent) => {
    const from = Number((e.target as HTMLElement).closest<HTMLElement>("[data-tile]")?.dataset["tile"] ?? 0);
    const page = columns * 4;
    const steps: Record<string, number> = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: columns, ArrowUp: -columns, PageDown: page, PageUp: -page };
    const step = steps[e.key];
    const to = step !== undefined ? from + step : e.key === "Home" ? 0 : e.key === "End" ? count - 1 : undefined;
    if (to === undefined || e.altKey || e.ctrlKey || e.metaKey) return;
    e.preventDefault();
    wanted.current = Math.max(0, Math.min(count - 1, to));
    setFocus(wanted.current);
  };
  const range = (first: number, last: number) => {
    clearTimeout(timer.current);
    timer.current = setTimeout(() => onRange(first, last + 1), SETTLED_MS);
  };
  return (
    <div ref={box} onKeyDown={key}>
      <VirtualGrid count={count} tile={window.innerWidth < 640 ? TILE_PHONE : TILE} extra={CAPTION} label={label} at={focus ?? at} onColumns={setColumns}
        onRange={range} item={(i) => <div data-tile={i}>{cell(i)}</div>} />
    </div>
  );
}

function useFilter(): [Filter, (change: Partial<Filter>) => void] {
  const query = useQueryParams();
  const filter = useMemo(() => Object.fromEntries(Object.keys(noFilter).map((key) => [key, query.get(key) ?? ""])) as unknown as Filter, [query.toString()]);
  return [filter, (change) => setQuery({ ...change, picture: "" })];
}

function Filters({ version, filter, setFilter }: { version: Version; filter: Filter; setFilter: (change: Partial<Filter>) => void }) {
  const { t, of } = useTexts();
  const faults = Object.keys(version.stats?.fault_counts ?? {});
  const any: [string, string] = ["", t("all")];
  return (
    <>
      <Select label={t("split")} value={filter.split} onChange={(split) => setFilter({ split })}
        options={[any, ...splits.filter((s) => version[s] > 0).map((s): [string, string] => [s, `${of("split", s)} (${version[s]})`])]} />
      {version.classes.length > 0 && (
        <Select label={t("class")} value={filter.class} onChange={(cls) => setFilter({ class: cls })}
          options={[any, ...version.classes.map((c): [string, string] => [c, c])]} />
      )}
      <Select label={t("picture.labels")} value={filter.labelled} onChange={(labelled) => setFilter({ labelled })}
        options={[any, ["yes", t("picture.labelled")], ["no", t("picture.unlabelled")]]} />
      {faults.length > 0 && (
        <Select label={t("fault")} value={filter.fault} onChange={(fault) => setFilter({ fault })}
          options={[any, ["any", t("fault.any")], ...faults.map((f): [string, string] => [f, of("faultCode", f)])]} />
      )}
      <div className="min-w-40 flex-1 sm:max-w-64">
        <Input type="search" aria-label={t("searchName")} placeholder={t("searchName")} value={filter.q} onChange={(e) => setFilter({ q: e.target.value })} />
      </div>
    </>
  );
}

export function Gallery({ version, colours }: { version: Version; colours: Colours | null }) {
  const { t } = useTexts();
  const [filter, setFilter] = useFilter();
  const [rank, setRank] = useState<number>();
  const windows = useWindows(version.dataset, version.version, { ...filter, q: useDeferredValue(filter.q.trim()) }, rank);
  const query = useQueryParams();
  const shown = query.get("picture");
  const [marking, setMarking] = useState(false);
  const [marked, setMarked] = useState<ReadonlyMap<number, string>>(new Map());
  const last = useRef<number>();
  const at = useRef(windows.at);
  at.current = windows.at;
  const may = useMay("engineer");
  const count = windows.count ?? 0;
  useEffect(() => { // a link to a picture: without a filter its index is its rank
    if (shown !== null && !isFiltered(filter)) setRank(Number(shown));
  }, [shown, filter]);
  useEffect(() => setMarked(new Map()), [filter, version.version, marking]);
  const open = useCallback((to: number, picture: Picture, range: boolean) => {
    if (!marking) return setRank(to);
    setMarked((old) => {
      const next = new Map(old);
      const from = range && last.current !== undefined ? last.current : to;
      const on = !old.has(to);
      for (let i = Math.min(from, to); i <= Math.max(from, to); i++) {
        const one = i === to ? picture : at.current(i);
        if (one && on) next.set(i, one.name);
        else if (one) next.delete(i);
      }
      last.current = to;
      return next;
    });
  }, [marking]);
  const move = useCallback((to: number) => setRank(to), []);
  const close = () => {
    setRank(undefined);
    if (shown !== null) setQuery({ picture: "" });
  };
  const look = rank !== undefined && rank < count ? rank : undefined;
  return (
    <div className="space-y-4">
      <div className="flex flex-wrap items-end gap-3">
        <Filters version={version} filter={filter} setFilter={setFilter} />
        {may && version.images > 0 && (
          <Button className="ml-auto" aria-pressed={marking} onClick={() => setMarking(!marking)}>{marking ? t("select.end") : t("select.begin")}</Button>
        )}
      </div>
      <p className="numbers text-sm text-muted" role="status">{windows.count !== undefined && t("pictures", { n: count })}</p>
      {windows.error && <ErrorNote error={windows.error} retry={windows.retry} />}
      {windows.isPending ? <Loading lines={6} /> : count === 0 && !windows.error ? (
        <Empty title={t("picture.none")}>
          {isFiltered(filter) && <Button onClick={() => setFilter(noFilter)}>{t("filter.clear")}</Button>}
        </Empty>
      ) : (
        <Walk count={count} label={t("picturesWord")} at={look} onRange={windows.want}
          cell={(i) => (
            <Cell picture={windows.at(i)} rank={i} classes={version.classes} colours={colours} marking={marking} marked={marked.has(i)} onOpen={open} />
          )} />
      )}
      {marking && <MoveBar version={version} names={[...marked.values()]} onClear={() => setMarked(new Map())} onDone={() => setMarking(false)} />}
      {look !== undefined && (
        <Viewer picture={windows.at(look)} rank={look} count={count} version={version} colours={colours} onMove={move} onClose={close} />
      )}
    </div>
  );
}
