// The labelling view: one picture after the other, by pointer or by keys alone, saved as one goes.
import { useQueryClient } from "@tanstack/react-query";
import { useCallback, useEffect, useMemo, useReducer, useRef, useState, useSyncExternalStore } from "react";

import { api } from "../../api";
import { useTexts } from "../../i18n";
import { Switch } from "../../parts/controls";
import { Menu } from "../../parts/menu";
import { toast } from "../../parts/toast";
import { Badge, Button, Card, Dialog, Empty, ErrorNote, Icon, IconButton, icons, Loading, PageHead, Select, Show } from "../../parts/ui";
import { Link, setQuery, useQueryParams, useTitle } from "../../router";
import type { Dataset, Draft, DraftPicture, Version } from "../../types";
import { useDataset, useVersion } from "../datasets/queries";
import { Canvas } from "./canvas";
import { Commit, Discard } from "./commit";
import {
  type Action, begin, type Box, boxOf, classOf, clip, edit, type Editor, isLabelled, labelsOf, moved, nudged, objects, polygonOf, resized, type View, zoom,
} from "./editor";
import { commandOf, shortcuts } from "./keys";
import { type Outline, shifted } from "./outline";
import { Classes, Objects } from "./panel";
import {
  draftPath, type EditState, getPicture, neighbour, pictureKey, useDraft, useEdits, useOpenDraft, usePicture, useUnlabelled, useWalk, type Walk, walks,
} from "./queries";
import { Saver } from "./saver";
import { Suggest } from "./suggest";

const NEW_SHARE = 0.3; // of the picture's sides: a box made by key
const PASTE = 8; // so far a copy lies beside its original, in pixels
let copied: { box: Box } | { outline: Outline } | undefined; // also for the next picture

function Keys({ onClose }: { onClose: () => void }) {
  const { t } = useTexts();
  return (
    <Dialog title={t("label.keys")} onClose={onClose}>
      <dl className="grid grid-cols-[auto_1fr] items-center gap-x-5 gap-y-2 text-sm">
        {shortcuts.map(([keys, text]) => (
          <div key={keys} className="contents">
            <dt><kbd className="whitespace-nowrap rounded border border-border bg-raised px-1.5 py-0.5 text-xs">{keys}</kbd></dt>
            <dd>{t(text)}</dd>
          </div>
        ))}
      </dl>
    </Dialog>
  );
}

const typing = (e: KeyboardEvent) => {
  const at = e.target as HTMLElement;
  return at.closest("input:not([type=checkbox]):not([type=range]), textarea, select, [contenteditable=true], [role=dialog], [role=alertdialog], [role=menu], [role=slider]") !== null;
};
/** Enter and Space press what has the focus. */
const presses = (e: KeyboardEvent) => (e.key === "Enter" || e.key === " ") && (e.target as HTMLElement).closest("button, a, [role=switch]") !== null;

function useSaver(id: string, draft: Draft, onSaved: (picture: DraftPicture) => void) {
  const saved = useRef(onSaved);
  saved.current = onSaved;
  const saver = useMemo(() => new Saver(draftPath(id), (picture) => saved.current(picture)), [id, draft.id]);
  const state = useSyncExternalStore(saver.subscribe, saver.snapshot);
  useEffect(() => {
    const leave = (e: BeforeUnloadEvent) => {
      saver.flush();
      if (saver.state !== "saved") e.preventDefault();
    };
    window.addEventListener("beforeunload", leave);
    return () => {
      window.removeEventListener("beforeunload", leave);
      saver.flush();
    };
  }, [saver]);
  return { saver, state };
}

function Labelling({ dataset, draft, version }: { dataset: Dataset; draft: Draft; version: Version }) {
  const { t, of, number } = useTexts();
  const client = useQueryClient();
  const query = useQueryParams();
  const edits = useEdits(dataset.id, draft);
  const unlabelled = useUnlabelled(dataset.id, draft);
  const walk = walks.find((one) => one === query.get("walk")) ?? "all";
  const list = useWalk(walk, edits.data, unlabelled.data);
  const index = Math.max(0, Math.min(version.images - 1, Number(query.get("picture") ?? list?.[0] ?? 0) || 0));
  const picture = usePicture(dataset.id, draft, index);
  const one = picture.data;
  const drawing = draft.task !== "classification", outlines = draft.task === "segmentation";
  const [editor, dispatch] = useReducer((e: Editor, a: Action) => edit(e, a), undefined, () => begin({ label: -1, boxes: [], polygons: [], quads: [] }));
  const [cls, setClass] = useState(0);
  const [view, setView] = useState<View>();
  const [threshold, setThreshold] = useState(0.5);
  const [advance, setAdvance] = useState(true);
  const [dialog, setDialog] = useState<"keys" | "commit" | "discard">();
  const [note, setNote] = useState("");
  const loaded = useRef(-1);
  const suggest = useRef<() => void>();

  const setEdit = useCallback((at: number, state: EditState | undefined) =>
    client.setQueryData<Map<number, EditState>>(["dataset", dataset.id, "draft", "edits", draft.id], (old) => {
      const next = new Map(old);
      state ? next.set(at, state) : next.delete(at);
      return next;
    }), [client, dataset.id, draft.id]);
  const onSaved = useCallback((p: DraftPicture) => {
    client.setQueryData(pictureKey(dataset.id, draft, p.index), p);
    setEdit(p.index, p.state === "base" ? undefined : p.state);
  }, [client, dataset.id, draft, setEdit]);
  const { saver, state } = useSaver(dataset.id, draft, onSaved);

  /** Labels into the editor: those held back, else the server's; of a suggestion what is certain enough. */
  const load = useCallback((p: DraftPicture, held?: Editor["now"]) => {
    const labels = held ?? labelsOf(p), n = labels.boxes.length;
    if (!held && p.state === "suggested" && objects(labels)) {
      labels.boxes = labels.boxes.filter((_, i) => (p.scores[i] ?? 1) >= threshold);
      labels.polygons = labels.polygons.filter((_, i) => (p.scores[n + i] ?? 1) >= threshold);
    }
    dispatch({ do: "load", labels });
  }, [threshold]);
  useEffect(() => {
    if (!one) return;
    const untouched = editor.past.length === 0 && one.state === "suggested";
    if (loaded.current === index && !untouched) return;
    loaded.current = index;
    load(one, saver.held(index));
  }, [one, index, load, saver]);
  useEffect(() => setView(undefined), [index]);
  useEffect(() => { // the neighbours are there before one asks for them
    for (const by of [1, -1] as const) {
      const next = neighbour(list, version.images, index, by);
      if (next === undefined) continue;
      void client.prefetchQuery({ queryKey: pictureKey(dataset.id, draft, next), queryFn: () => getPicture(dataset.id, next), staleTime: Infinity })
        .then(() => {
          const p = client.getQueryData<DraftPicture>(pictureKey(dataset.id, draft, next));
          if (p) new Image().src = p.url;
        });
    }
  }, [index, list, version.images, client, dataset.id, draft]);

  const keep = useCallback((labels: Editor["now"], now = false) => {
    if (!one) return;
    saver.save(index, one.revision, labels, now);
    setEdit(index, "edited");
  }, [one, saver, index, setEdit]);
  const act = useCallback((action: Action) => {
    const next = edit(editor, action);
    if (next === editor) return;
    dispatch(action);
    if (next.now !== editor.now) keep(next.now);
  }, [editor, keep]);
  const to = useCallback((next: number | undefined) => {
    saver.flush();
    if (next === undefined) return setNote(t("label.end"));
    setNote("");
    setQuery({ picture: String(next) });
  }, [saver, t]);
  const go = useCallback((by: 1 | -1) => to(neighbour(list, version.images, index, by)), [to, list, version.images, index]);
  const accept = useCallback(() => {
    if (!one) return;
    keep(editor.now, true);
    go(1);
  }, [one, keep, editor.now, go]);
  const pick = useCallback((c: number) => {
    if (c >= draft.classes.length) return;
    setClass(c);
    if (drawing && editor.selected !== undefined) act({ do: "class", at: editor.selected, cls: c });
    else if (!drawing && one) {
      keep({ ...editor.now, label: c }, true);
      dispatch({ do: "label", cls: c });
      if (advance) go(1);
    }
  }, [draft.classes.length, drawing, editor, act, one, keep, advance, go]);

  const key = (e: KeyboardEvent) => {
    if (typing(e) || presses(e) || dialog || !one) return;
    const command = commandOf(e, drawing && editor.selected !== undefined, editor.open !== undefined);
    if (!command) return;
    const { selected, now, open, corner } = editor, { width, height } = one;
    const chosen = boxOf(now, selected), outline = polygonOf(now, selected);
    const add = (box: Box) => act({ do: "add", boxes: [clip(box, width, height)] });
    const cursor = open?.cursor ?? open?.points.at(-1) ?? { x: width / 2, y: height / 2 };
    switch (command.do) {
      case "class": pick(command.cls); break;
      case "go": go(command.by); break;
      case "accept": accept(); break;
      case "undo": act({ do: "undo" }); break;
      case "redo": act({ do: "redo" }); break;
      case "fit": setView(undefined); break;
      case "zoom": zoomBy(command.by); break;
      case "help": setDialog("keys"); break;
      case "suggest": suggest.current?.(); break;
      case "leave": act({ do: "leave" }); break;
      case "next-box": act({ do: "step", by: 1 }); break;
      case "last-box": act({ do: "step", by: -1 }); break;
      case "next-corner": act({ do: "corner-step", by: 1 }); break;
      case "last-corner": act({ do: "corner-step", by: -1 }); break;
      case "corner-add": act({ do: "corner-add" }); break;
      case "cursor":
        act({ do: "cursor", to: { x: Math.max(0, Math.min(width, cursor.x + command.dx)), y: Math.max(0, Math.min(height, cursor.y + command.dy)) } });
        break;
      case "point": act({ do: "point", at: cursor }); break;
      case "close": act({ do: "close", cls }); break;
      case "delete":
        if (corner !== undefined) act({ do: "corner-remove" });
        else if (selected !== undefined) act({ do: "remove", at: selected });
        else if (!drawing) act({ do: "label", cls: -1 });
        break;
      case "new":
        if (outlines && draft.classes.length) {
          act({ do: "open", cursor: { x: Math.round(width / 2), y: Math.round(height / 2) } });
          document.querySelector<HTMLElement>("[data-canvas]")?.focus({ preventScroll: true }); // Enter and Space are the outline's now
        } else if (drawing && draft.classes.length) {
          const w = width * NEW_SHARE, h = height * NEW_SHARE;
          add([cls, (width - w) / 2, (height - h) / 2, w, h]);
        }
        break;
      case "nudge":
        if (chosen && selected !== undefined)
          act({ do: "put", at: selected, merge: command.grow ? "grow" : "move",
            box: command.grow ? resized(chosen, "se", command.dx, command.dy, width, height) : moved(chosen, command.dx, command.dy, width, height) });
        else if (outline && selected !== undefined)
          act({ do: "bend", at: selected, merge: "move", corner,
            outline: corner === undefined ? shifted(outline, command.dx, command.dy, width, height) : nudged(outline, corner, command.dx, command.dy, width, height) });
        break;
      case "copy":
        if (!chosen && !outline) return;
        copied = chosen ? { box: chosen } : outline && { outline };
        break;
      case "paste": {
        if (!copied || !drawing) return;
        const text = ("box" in copied ? copied.box : copied.outline).join(), by = [...now.boxes, ...now.polygons].some((b) => b.join() === text) ? PASTE : 0;
        if ("box" in copied) add(moved(copied.box, by, 0, width, height));
        else act({ do: "outline", outline: shifted(copied.outline, by, 0, width, height) });
        break;
      }
      case "duplicate":
        if (chosen) add(moved(chosen, PASTE, PASTE, width, height));
        else if (outline) act({ do: "outline", outline: shifted(outline, PASTE, PASTE, width, height) });
        break;
      default: return;
    }
    e.preventDefault();
  };
  const zoomBy = (by: number) => {
    const element = document.querySelector<HTMLElement>("[data-canvas]");
    if (!element || !one) return;
    const size = { width: element.clientWidth || 800, height: element.clientHeight || 600 };
    const whole = { scale: Math.min(size.width / one.width, size.height / one.height) || 1 };
    const from = view ?? { scale: whole.scale, x: (size.width - one.width * whole.scale) / 2, y: (size.height - one.height * whole.scale) / 2 };
    setView(zoom(from, by, { x: size.width / 2, y: size.height / 2 }, whole.scale));
  };
  const onKey = useRef(key);
  onKey.current = key;
  useEffect(() => {
    const listen = (e: KeyboardEvent) => onKey.current(e);
    window.addEventListener("keydown", listen);
    return () => window.removeEventListener("keydown", listen);
  }, []);

  const left = unlabelled.data?.filter((i) => edits.data?.get(i) !== "edited").length ?? 0;
  const edited = [...(edits.data?.values() ?? [])].filter((s) => s === "edited").length;
  const shownState = saver.pending(index) ? "edited" : one?.state ?? "base";
  const revert = async () => {
    if (!one || !one.revision) return;
    await saver.settled().catch(() => undefined);
    const now = await getPicture(dataset.id, index);
    const back = await api.delete<DraftPicture>(`${draftPath(dataset.id)}/images/${index}?revision=${now.revision}`);
    onSaved(back);
    load(back);
  };
  const settle = async (mine: boolean) => {
    await saver.resolve(index, mine);
    if (mine) return;
    const theirs = await getPicture(dataset.id, index);
    onSaved(theirs);
    load(theirs);
  };
  const said = editor.open ? t("label.openSaid", { n: editor.open.points.length })
    : editor.selected === undefined ? ""
      : `${t(boxOf(editor.now, editor.selected) ? "label.boxSaid" : "label.outlineSaid", { n: editor.selected + 1, of: objects(editor.now), name: draft.classes[classOf(editor.now, editor.selected) ?? -1] ?? "" })}${
        editor.corner === undefined ? "" : `, ${t("label.cornerSaid", { n: editor.corner + 1 })}`}`;
  const register = useCallback((fn: () => void) => void (suggest.current = fn), []);
  const name = draft.classes[editor.now.label];
  return (
    <>
      <PageHead title={t("label.title", { name: dataset.name })} above={<Link href={`/app/datasets/${dataset.id}`} className="link text-sm">{dataset.name}</Link>}>
        <Button onClick={() => setDialog("keys")}><Icon d={icons.keyboard} size={16} />{t("label.keys")}</Button>
        <Menu label={t("label.more")} trigger={<IconButton label={t("label.more")} d={icons.more} look="plain" />} items={[
          { text: t("label.revert"), icon: "undo", disabled: shownState === "base", onSelect: () => void revert() },
          "-",
          { text: t("discard.do"), icon: "trash", danger: true, onSelect: () => setDialog("discard") },
        ]} />
        <Button look="primary" onClick={() => setDialog("commit")}>{t("label.commit")}</Button>
      </PageHead>
      <div className="grid gap-5 lg:grid-cols-[minmax(0,1fr)_17rem]">
        <div className="min-w-0 space-y-3">
          <div className="flex flex-wrap items-center gap-x-3 gap-y-2">
            <div className="flex gap-1">
              <IconButton label={t("previous")} d={icons.left} look="plain" onClick={() => go(-1)} />
              <IconButton label={t("next")} d={icons.right} look="plain" onClick={() => go(1)} />
            </div>
            <div className="flex gap-1">
              <IconButton label={t("label.undo")} d={icons.undo} look="plain" disabled={!editor.past.length && !editor.open} onClick={() => act({ do: "undo" })} />
              <IconButton label={t("label.redo")} d={icons.redo} look="plain" disabled={!editor.future.length && !editor.open?.undone.length} onClick={() => act({ do: "redo" })} />
            </div>
            <div className="flex gap-1">
              <IconButton label={t("label.zoomOut")} d={icons.minus} look="plain" onClick={() => zoomBy(0.8)} />
              <IconButton label={t("label.zoomIn")} d={icons.plus} look="plain" onClick={() => zoomBy(1.25)} />
              <Button onClick={() => setView(undefined)} disabled={!view}>{t("label.fit")}</Button>
            </div>
            <Button look={shownState === "suggested" ? "primary" : "plain"} disabled={!one} onClick={accept}>{t("label.accept")}</Button>
            <p className={`ml-auto text-sm ${state === "saved" || state === "saving" ? "text-muted" : "text-warning"}`} role="status" data-save={state}>{of("save", state)}</p>
          </div>
          {saver.conflictOf(index) && (
            <div role="alert" className="flex flex-wrap items-center gap-3 rounded border border-warning/50 bg-warning/10 px-4 py-3 text-sm">
              <p className="min-w-0 flex-1">{t("conflict.text")}</p>
              <Button onClick={() => void settle(false)}>{t("conflict.theirs")}</Button>
              <Button onClick={() => void settle(true)}>{t("conflict.mine")}</Button>
            </div>
          )}
          {saver.error && <ErrorNote error={saver.error} />}
          <div className="h-[min(68dvh,46rem)] min-h-72" data-picture={one?.index}>
            {one ? (
              <Canvas url={one.url} name={one.name} size={one} editor={editor} classes={draft.classes} colours={dataset.colours} cls={cls}
                drawing={drawing && draft.classes.length > 0} tool={outlines ? "outline" : "box"} act={act} view={view} setView={setView}
                scores={shownState === "suggested" && editor.past.length === 0 ? one.scores.filter((s) => s >= threshold) : []} />
            ) : picture.isError ? <ErrorNote error={picture.error} retry={() => void picture.refetch()} /> : <Loading lines={8} />}
          </div>
          {editor.open && ( // below the picture, which must not move under the pointer
            <div className="flex flex-wrap gap-2">
              <Button look="primary" disabled={editor.open.points.length < 3} onClick={() => act({ do: "close", cls })}>{t("label.close")}</Button>
              <Button onClick={() => act({ do: "leave" })}>{t("cancel")}</Button>
            </div>
          )}
          <p id="label-said" className="sr-only" aria-live="polite">{said}</p>
          <div className="numbers flex flex-wrap items-center gap-x-3 gap-y-1 text-sm text-muted">
            <span className="min-w-0 max-w-full truncate" title={one?.name}>{one?.name}</span>
            <span>{number(index + 1)} / {number(version.images)}</span>
            <Badge tone={shownState === "edited" ? "info" : shownState === "suggested" ? "warning" : "muted"}>{of("state", shownState)}</Badge>
            {one?.updated_by && <span>{t("label.by", { name: one.updated_by })}</span>}
            <span role="status">{note}</span>
          </div>
        </div>
        <div className="min-w-0 space-y-6">
          <section className="space-y-2">
            <Select label={t("label.walk")} value={walk} onChange={(w) => {
              saver.flush();
              setQuery({ walk: w === "all" ? "" : w, picture: "" });
            }} options={walks.map((w: Walk): [string, string] => [w, of("walk", w)])} />
            <p className="numbers text-sm text-muted">{t("label.progress", { done: version.images - left, of: version.images })}</p>
          </section>
          {!drawing && (
            <section className="space-y-1">
              <p className="text-lg font-semibold" aria-live="polite" data-label={name ?? ""}>{name ?? <span className="text-muted">{t("label.none")}</span>}</p>
              <Switch label={t("label.advance")} checked={advance} onChange={setAdvance} />
            </section>
          )}
          <Classes dataset={dataset} draft={draft} current={drawing ? (classOf(editor.now, editor.selected) ?? cls) : editor.now.label} onPick={pick} />
          {(drawing || isLabelled({ ...editor.now, label: -1 })) && <Objects editor={editor} classes={draft.classes} colours={dataset.colours} act={act} outlines={outlines} />}
          <Suggest dataset={dataset.id} draft={draft} picture={one} unlabelled={(unlabelled.data ?? []).filter((i) => !edits.data?.has(i))} edits={edits.data ?? new Map()}
            threshold={threshold} setThreshold={setThreshold} busy={state === "saving"} register={register} onPicture={(p) => {
              onSaved(p);
              load(p);
            }} />
        </div>
      </div>
      {dialog === "keys" && <Keys onClose={() => setDialog(undefined)} />}
      {dialog === "commit" && <Commit dataset={dataset.id} draft={draft} labelled={edited} settled={() => saver.settled()} onClose={() => setDialog(undefined)} />}
      {dialog === "discard" && <Discard dataset={dataset.id} draft={{ ...draft, edited }} onClose={() => setDialog(undefined)} />}
    </>
  );
}

function Begin({ dataset, version }: { dataset: Dataset; version: string | undefined }) {
  const { t } = useTexts();
  const open = useOpenDraft(dataset.id);
  const ways = [["classification", "label.asClasses", "label.asClassesText"], ["detection", "label.asBoxes", "label.asBoxesText"],
    ["segmentation", "label.asOutlines", "label.asOutlinesText"]] as const;
  return (
    <Card title={t("label.begin")}>
      <div className="grid gap-3 sm:grid-cols-3">
        {ways.map(([task, title, text]) => (
          <button key={task} type="button" disabled={open.isPending} onClick={() => open.mutate({ task, ...(version && { version }) })}
            className="space-y-1 rounded border border-border p-4 text-left hover:border-primary hover:bg-raised">
            <span className="block font-medium">{t(title)}</span>
            <span className="block text-sm text-muted">{t(text)}</span>
          </button>
        ))}
      </div>
      {open.isError && <div className="mt-3"><ErrorNote error={open.error} /></div>}
    </Card>
  );
}

function Opening({ dataset, version }: { dataset: Dataset; version: string | undefined }) {
  const open = useOpenDraft(dataset.id);
  const { mutate } = open;
  useEffect(() => mutate(version ? { version } : {}), [mutate, version]);
  return open.isError ? <ErrorNote error={open.error} retry={() => mutate(version ? { version } : {})} /> : <Loading lines={6} />;
}

function WithDraft({ dataset, draft, wanted }: { dataset: Dataset; draft: Draft; wanted: string | null }) {
  const { t } = useTexts();
  const version = useVersion(dataset.id, draft.base_version);
  const other = wanted !== null && Number(wanted) !== draft.base_number;
  useEffect(() => { // the address speaks of another version, whose pictures have other numbers
    if (!other) return;
    toast({ title: t("label.otherBase", { n: draft.base_number }), tone: "warning" });
    setQuery({ version: "", picture: "" });
  }, [other, draft.base_number, t]);
  if (draft.state === "committing") return <Empty title={t("label.committing")} />;
  if (other) return <Loading lines={8} />;
  return <Show of={version} lines={8}>{(v) => <Labelling key={draft.id} dataset={dataset} draft={draft} version={v} />}</Show>;
}

export default function LabelPage({ id }: { id: string }) {
  const { t } = useTexts();
  const query = useQueryParams();
  const wanted = query.get("version");
  const dataset = useDataset(id);
  const draft = useDraft(id);
  const base = useVersion(id, dataset.data ? wanted ?? dataset.data.version ?? undefined : undefined);
  useTitle(dataset.data ? t("label.title", { name: dataset.data.name }) : "");
  return (
    <Show of={dataset} lines={6}>
      {(d) => (
        <Show of={draft} lines={6}>
          {(open) => open ? <WithDraft dataset={d} draft={open} wanted={wanted} /> : (
            <>
              <PageHead title={t("label.title", { name: d.name })} above={<Link href={`/app/datasets/${d.id}`} className="link text-sm">{d.name}</Link>} />
              <Show of={base}>{(v) => v.classes.length ? <Opening dataset={d} version={wanted ?? undefined} /> : <Begin dataset={d} version={wanted ?? undefined} />}</Show>
            </>
          )}
        </Show>
      )}
    </Show>
  );
}
