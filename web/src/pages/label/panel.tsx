// Beside the picture: its classes, with their keys, names and colours, and the boxes on it.
import { type FormEvent, useState } from "react";

import { useTexts } from "../../i18n";
import { type Colours, classColour, PALETTE, paletteColour } from "../../parts/colours";
import { Popover } from "../../parts/menu";
import { Button, ErrorNote, Field, Icon, IconButton, icons, Input } from "../../parts/ui";
import type { Dataset, Draft } from "../../types";
import type { Action, Editor } from "./editor";
import { useClasses } from "./queries";

function ClassSettings({ dataset, draft, at, colours }: { dataset: Dataset; draft: Draft; at: number; colours: Colours | null }) {
  const { t } = useTexts();
  const name = draft.classes[at] ?? "";
  const [text, setText] = useState(name);
  const [open, setOpen] = useState(false);
  const save = useClasses(dataset.id, draft);
  const rename = (e: FormEvent) => {
    e.preventDefault();
    const to = text.trim();
    if (!to || to === name) return setOpen(false);
    const kept = colours?.[name];
    save.mutate({ classes: draft.classes.map((one, i) => (i === at ? to : one)), ...(kept !== undefined && { colours: { [to]: kept } }) },
      { onSuccess: () => setOpen(false) });
  };
  const used = colours?.[name] ?? at % PALETTE;
  return (
    <Popover label={t("label.classSettings", { name })} align="end" open={open} onOpen={(to) => {
      setOpen(to);
      setText(name);
      save.reset();
    }} trigger={<IconButton label={t("label.classSettings", { name })} d={icons.edit} className="!min-h-8 !min-w-8 !p-1" />}>
      <form onSubmit={rename} className="space-y-3">
        <Field label={t("label.className")}><Input required maxLength={100} value={text} onChange={(e) => setText(e.target.value)} /></Field>
        <fieldset>
          <legend className="mb-1 text-sm font-medium">{t("label.colour")}</legend>
          <div className="flex flex-wrap gap-1.5">
            {Array.from({ length: PALETTE }, (_, n) => (
              <button key={n} type="button" aria-label={t("label.colourN", { n: n + 1 })} aria-pressed={n === used} disabled={save.isPending}
                onClick={() => save.mutate({ classes: draft.classes, colours: { [name]: n } })}
                className={`h-8 w-8 rounded ${n === used ? "outline outline-2 outline-offset-2 outline-foreground" : ""}`} style={{ background: paletteColour(n) }} />
            ))}
          </div>
        </fieldset>
        {save.isError && <ErrorNote error={save.error} />}
        <div className="flex justify-end"><Button type="submit" look="primary" busy={save.isPending}>{t("save")}</Button></div>
      </form>
    </Popover>
  );
}

export function Classes({ dataset, draft, current, onPick }: { dataset: Dataset; draft: Draft; current: number; onPick: (cls: number) => void }) {
  const { t } = useTexts();
  const [text, setText] = useState("");
  const add = useClasses(dataset.id, draft);
  const submit = (e: FormEvent) => {
    e.preventDefault();
    const name = text.trim();
    if (!name) return;
    add.mutate({ classes: [...draft.classes, name] }, { onSuccess: () => {
      setText("");
      onPick(draft.classes.length);
    } });
  };
  return (
    <section className="space-y-2" aria-label={t("classesWord")}>
      <h2 className="text-sm font-semibold">{t("classesWord")}</h2>
      {!draft.classes.length && <p className="text-sm text-muted">{t("label.firstClass")}</p>}
      <ul className="max-h-72 space-y-1 overflow-y-auto">
        {draft.classes.map((name, i) => (
          <li key={i} className="flex items-center gap-1">
            <button type="button" aria-pressed={i === current} onClick={() => onPick(i)}
              className={`flex min-h-9 min-w-0 flex-1 items-center gap-2 rounded px-2 text-left text-sm ${i === current ? "bg-raised font-medium" : "hover:bg-raised"}`}>
              <span aria-hidden="true" className="h-3.5 w-3.5 shrink-0 rounded-sm" style={{ background: classColour(i, draft.classes, dataset.colours) }} />
              <span className="min-w-0 flex-1 truncate" title={name}>{name}</span>
              {i < 10 && <kbd className="rounded border border-border px-1.5 text-xs text-muted">{(i + 1) % 10}</kbd>}
            </button>
            <ClassSettings dataset={dataset} draft={draft} at={i} colours={dataset.colours} />
          </li>
        ))}
      </ul>
      <form onSubmit={submit} className="flex gap-2">
        <input className="field" aria-label={t("label.newClass")} placeholder={t("label.newClass")} maxLength={100} value={text} onChange={(e) => setText(e.target.value)} />
        <Button type="submit" busy={add.isPending} disabled={!text.trim()} aria-label={t("label.addClass")}><Icon d={icons.plus} size={16} /></Button>
      </form>
      {add.isError && <ErrorNote error={add.error} />}
    </section>
  );
}

export function Objects({ editor, classes, colours, act, outlines }: {
  editor: Editor; classes: string[]; colours: Colours | null; act: (action: Action) => void; outlines: boolean;
}) {
  const { t, number } = useTexts();
  const { boxes, polygons, quads } = editor.now;
  const all: { cls: number; size: string; remove: string }[] = [
    ...boxes.map(([cls, , , w, h], i) => ({ cls, size: `${Math.round(w)} × ${Math.round(h)}`, remove: t("label.removeBox", { n: i + 1 }) })),
    ...polygons.map((one, i) => ({ cls: one[0] ?? 0, size: t("label.corners", { n: (one.length - 1) / 2 }), remove: t("label.removeOutline", { n: i + 1 }) })),
  ];
  return (
    <section className="space-y-2" aria-label={t("label.objects")}>
      <h2 className="text-sm font-semibold">{t("label.objects")} <span className="numbers font-normal text-muted">{number(all.length + quads.length)}</span></h2>
      {!all.length && !quads.length && <p className="text-sm text-muted">{t(outlines ? "label.noOutlines" : "label.noObjects")}</p>}
      <ul className="max-h-72 space-y-1 overflow-y-auto">
        {all.map(({ cls, size, remove }, i) => (
          <li key={i} className="flex items-center gap-1">
            <button type="button" aria-pressed={i === editor.selected} onClick={() => act({ do: "select", at: i === editor.selected ? undefined : i })}
              className={`flex min-h-9 min-w-0 flex-1 items-center gap-2 rounded px-2 text-left text-sm ${i === editor.selected ? "bg-raised font-medium" : "hover:bg-raised"}`}>
              <span aria-hidden="true" className="h-3.5 w-3.5 shrink-0 rounded-sm border-2" style={{ borderColor: classColour(cls, classes, colours) }} />
              <span className="min-w-0 flex-1 truncate">{classes[cls] ?? cls}</span>
              <span className="numbers text-xs text-muted">{size}</span>
            </button>
            <IconButton label={remove} d={icons.trash} onClick={() => act({ do: "remove", at: i })} className="!min-h-8 !min-w-8 !p-1" />
          </li>
        ))}
      </ul>
      {quads.length > 0 && <p className="text-xs text-muted">{t("label.kept", { n: quads.length })}</p>}
    </section>
  );
}
