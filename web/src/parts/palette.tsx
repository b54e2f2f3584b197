// The command palette: pages, what the page can do, and models, datasets and jobs by name.  One list, moved in by arrows; the
// focus stays in the field.
import * as Modal from "@radix-ui/react-dialog";
import { useQuery } from "@tanstack/react-query";
import { useDeferredValue, useEffect, useId, useMemo, useRef, useState } from "react";

import { api, withQuery } from "../api";
import { languages, useTexts } from "../i18n";
import { useAllCommands } from "../keys";
import { navigate } from "../router";
import { navigation } from "../routes";
import { atLeast, useSession } from "../session";
import { setTheme, type Theme } from "../theme";
import type { Datasets, Jobs } from "../types";
import { Icon } from "./button";
import { type IconName, icons } from "./icons";
import { Keys } from "./keys-sheet";

interface Entry { id: string; text: string; note?: string | undefined; icon: IconName; keys?: string | undefined; go: () => void }
interface Group { title: string; entries: Entry[] }

const SHOWN = 5;

/** Every word of the question begins a word of the text, or all of it stands in the text somewhere. */
export function fits(text: string, question: string): boolean {
  const low = text.toLocaleLowerCase(), words = question.toLocaleLowerCase().split(/\s+/).filter(Boolean);
  return low.includes(words.join(" ")) || words.every((word) => low.split(/[\s/·:_-]+/).some((one) => one.startsWith(word)));
}

/** What the server finds: models, datasets and jobs of that name. */
function useFound(question: string): Group[] {
  const { t, of } = useTexts();
  const q = useDeferredValue(question.trim());
  const enabled = q.length > 1;
  const datasets = useQuery<Datasets>({
    queryKey: ["palette", "datasets", q], enabled, placeholderData: (old) => old,
    queryFn: ({ signal }) => api.get<Datasets>(withQuery("/datasets", { q, limit: SHOWN }), signal),
  });
  const jobs = useQuery<Jobs>({
    queryKey: ["palette", "jobs", q], enabled, placeholderData: (old) => old,
    queryFn: ({ signal }) => api.get<Jobs>(withQuery("/training/jobs", { q, limit: SHOWN }), signal),
  });
  const models = useQuery<{ models: { id: string; name: string; task: string }[] }>({
    queryKey: ["palette", "models", q], enabled, placeholderData: (old) => old,
    queryFn: ({ signal }) => api.get(withQuery("/registry/models", { q, limit: SHOWN }), signal),
  });
  if (!enabled) return [];
  return [
    { title: t("registry.title"), entries: (models.data?.models ?? []).map((one): Entry => ({
      id: `model-${one.id}`, text: one.name, note: of("task", one.task), icon: "models", go: () => navigate(`/app/models/${encodeURIComponent(one.name)}`) })) },
    { title: t("datasets"), entries: (datasets.data?.datasets ?? []).map((one): Entry => ({
      id: `dataset-${one.id}`, text: one.name, note: one.task ? of("task", one.task) : undefined, icon: "data", go: () => navigate(`/app/datasets/${one.id}`) })) },
    { title: t("jobs"), entries: (jobs.data?.jobs ?? []).map((one): Entry => ({
      id: `job-${one.job}`, text: one.name, note: of("status", one.status), icon: "jobs", go: () => navigate(`/app/jobs/${one.job}`) })) },
  ];
}

function useOwn(question: string): Group[] {
  const { t, language, setLanguage } = useTexts();
  const { me } = useSession();
  const commands = useAllCommands();
  const pages = navigation.filter((one) => !one.role || atLeast(me.role, one.role)).map((one): Entry => ({
    id: one.path, text: t(one.nav.text), icon: one.nav.icon, go: () => navigate(one.path) }));
  const page = commands.filter((one) => !one.quiet && !one.everywhere).map((one, i): Entry => ({
    id: `command-${i}`, text: one.text, icon: one.icon ?? "right", keys: one.keys, go: one.run }));
  const themes: [Theme, string][] = [["light", t("theme.light")], ["dark", t("theme.dark")], ["system", t("theme.system")]];
  const choices: Entry[] = [
    ...themes.map(([to, name]): Entry => ({ id: `theme-${to}`, text: t("palette.theme", { name }), icon: "eye", go: () => setTheme(to) })),
    ...(Object.entries(languages) as [keyof typeof languages, string][]).filter(([key]) => key !== language).map(([key, name]): Entry => ({
      id: `language-${key}`, text: t("palette.language", { name }), icon: "settings", go: () => setLanguage(key) })),
  ];
  const asked = (list: Entry[]) => list.filter((one) => fits(one.text, question));
  return [{ title: t("palette.actions"), entries: asked([...page, ...(question ? choices : [])]) }, { title: t("palette.pages"), entries: asked(pages) }];
}

export default function Palette({ onClose }: { onClose: () => void }) {
  const { t } = useTexts();
  const [question, setQuestion] = useState("");
  const [at, setAt] = useState(0);
  const list = useRef<HTMLDivElement>(null);
  const id = useId();
  const own = useOwn(question), found = useFound(question);
  const groups = useMemo(() => [...own, ...found].filter((one) => one.entries.length), [own, found]);
  const all = groups.flatMap((one) => one.entries);
  const now = Math.min(at, all.length - 1);
  useEffect(() => list.current?.querySelector(`[aria-selected=true]`)?.scrollIntoView({ block: "nearest" }), [now]);
  // The closed palette is painted first: that is the answer to the key, whatever the next page costs.
  const go = (entry: Entry | undefined) => {
    if (!entry) return;
    onClose();
    requestAnimationFrame(() => setTimeout(entry.go));
  };
  const onKey = (e: React.KeyboardEvent) => {
    const to = { ArrowDown: now + 1, ArrowUp: now - 1, Home: 0, End: all.length - 1 }[e.key];
    if (e.key === "Enter" && !e.nativeEvent.isComposing) go(all[now]);
    else if (to !== undefined) setAt((to + all.length) % Math.max(1, all.length));
    else return;
    e.preventDefault();
  };
  let n = -1;
  return (
    <Modal.Root open onOpenChange={(open) => !open && onClose()}>
      <Modal.Portal>
        <Modal.Overlay className="fixed inset-0 z-40 bg-veil/60 motion-safe:animate-fade" />
        <Modal.Content aria-describedby={undefined}
          className="fixed left-1/2 top-[10dvh] z-50 flex max-h-[75dvh] w-[min(36rem,calc(100vw-1rem))] -translate-x-1/2 flex-col overflow-hidden rounded-lg border border-border bg-surface text-foreground shadow-lg motion-safe:animate-fade">
          <Modal.Title className="sr-only">{t("palette.title")}</Modal.Title>
          <div className="flex items-center gap-3 border-b border-border px-4 text-muted focus-within:border-primary focus-within:text-primary">
            <Icon d={icons.search} />
            <input autoFocus role="combobox" aria-expanded aria-controls={`${id}-list`} aria-autocomplete="list" aria-label={t("palette.title")}
              aria-activedescendant={all[now] ? `${id}-${now}` : undefined} value={question} placeholder={t("palette.hint")} onKeyDown={onKey}
              onChange={(e) => {
                setQuestion(e.target.value);
                setAt(0);
              }} className="min-h-12 w-full bg-transparent text-base text-foreground !outline-none placeholder:text-muted sm:text-sm" />
          </div>
          <div ref={list} id={`${id}-list`} role="listbox" aria-label={t("palette.title")} className="overflow-auto p-2">
            {!all.length && <p role="option" aria-selected="false" aria-disabled="true" className="p-3 text-sm text-muted">{t("palette.none")}</p>}
            {groups.map((group) => (
              <div key={group.title} role="group" aria-label={group.title}>
                <p aria-hidden="true" className="px-2.5 pb-1 pt-2 text-xs font-medium text-muted">{group.title}</p>
                {group.entries.map((entry) => {
                  const here = ++n;
                  return (
                    <div key={entry.id} id={`${id}-${here}`} role="option" aria-selected={here === now} onClick={() => go(entry)} onPointerMove={() => setAt(here)}
                      className={`flex min-h-10 cursor-default items-center gap-3 rounded-sm px-2.5 py-1 text-sm ${here === now ? "bg-raised" : ""}`}>
                      <span className="text-muted"><Icon d={icons[entry.icon]} size={18} /></span>
                      <span className="min-w-0 flex-1 truncate">{entry.text}</span>
                      {entry.note && <span className="shrink-0 text-xs text-muted">{entry.note}</span>}
                      {entry.keys && <Keys keys={entry.keys} />}
                    </div>
                  );
                })}
              </div>
            ))}
          </div>
        </Modal.Content>
      </Modal.Portal>
    </Modal.Root>
  );
}
