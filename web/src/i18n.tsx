// Texts, numbers and times in the chosen language.  A text's {parameters} are checked by the compiler;
// {n|picture|pictures} is the word for one or for many.
import { createContext, type ReactNode, useContext, useEffect, useMemo, useState } from "react";

import { keep, onKept } from "./kept";
import { withParticles } from "./korean";
import { messages } from "./messages";
import { scoreName } from "./types";

export const languages = { en: "English", ko: "한국어" } as const;
export type Language = keyof typeof languages;

type Table = typeof messages;
export type Key = keyof Table;
/** What stands before the dot of a key: "status" of "status.queued". */
export type Group = Key extends infer K ? (K extends `${infer G}.${string}` ? G : never) : never;
type First<S> = S extends `${infer N}|${string}` ? N : S;
type Names<S> = S extends `${string}{${infer N}}${infer Rest}` ? First<N> | Names<Rest> : never;
type Params<K extends Key> = [Names<Table[K][0]>] extends [never] ? [] : [Record<Names<Table[K][0]>, string | number>];

/** The keys of texts without parameters. */
export type PlainKey = { [K in Key]: Params<K> extends [] ? K : never }[Key];

export interface Texts {
  language: Language;
  t<K extends Key>(key: K, ...params: Params<K>): string;
  /** The text of a value that the server may know and we may not: then the value itself. */
  of(group: Group, value: string): string;
  /** What the server calls something: its words in English, and those of the catalogue, where it has them, in others. */
  named(group: Group, name: string, theirs: string): string;
  /** A sentence of the server's, in other languages by the pattern "says.…" that it follows. */
  said(theirs: string): string;
  /** The name of a measure, as short as its field writes it. */
  score(metric: string): string;
  number(value: number, digits?: number): string;
  percent(value: number, digits?: number): string;
  bytes(value: number): string;
  time(value: string | number | null): string;
  ago(value: string | number | null): string;
  duration(ms: number): string;
}

function fill(text: string, params: Record<string, string | number>, format: (n: number) => string): string {
  return text.replace(/\{(\w+)(?:\|([^|}]*)\|([^}]*))?\}/g, (_, name: string, one?: string, many?: string) => {
    const value = params[name] ?? "";
    if (one !== undefined) return value === 1 ? one : (many ?? "");
    return typeof value === "number" ? format(value) : value;
  });
}

/** The sentences that the server says, as patterns: "paused after epoch {n}" finds 3 in "paused after epoch 3". */
let patterns: { find: RegExp; names: string[]; row: readonly [string, string] }[] | undefined;
function patternsOf() {
  return (patterns ??= Object.entries(messages as Record<string, readonly [string, string]>).filter(([key]) => key.startsWith("says.")).map(([, row]) => {
    const names: string[] = [];
    const find = row[0].split(/(\{\w+\})/).map((part) => {
      if (!/^\{\w+\}$/.test(part)) return part.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
      names.push(part.slice(1, -1));
      return "(.*?)";
    }).join("");
    return { find: new RegExp(`^${find}$`, "s"), names, row };
  }).sort((a, b) => b.row[0].length - a.row[0].length)); // the one that says most
}

const units: [Intl.RelativeTimeFormatUnit, number][] = [["day", 86400e3], ["hour", 3600e3], ["minute", 60e3], ["second", 1e3]];

export function textsOf(language: Language): Texts {
  const at = language === "ko" ? 1 : 0;
  const integer = new Intl.NumberFormat(language);
  const when = new Intl.DateTimeFormat(language, { dateStyle: "medium", timeStyle: "short" });
  const relative = new Intl.RelativeTimeFormat(language, { numeric: "auto" });
  const number = (value: number, digits?: number) =>
    digits === undefined ? integer.format(value) : value.toLocaleString(language, { minimumFractionDigits: digits, maximumFractionDigits: digits });
  const t: Texts["t"] = (key, ...params) => {
    const text = fill(messages[key][at], params[0] ?? {}, (n) => integer.format(n));
    return at && params[0] ? withParticles(text) : text;
  };
  const find = (key: string) => (messages as Record<string, readonly [string, string]>)[key]?.[at];
  return {
    language,
    t,
    number,
    of: (group, value) => find(`${group}.${value}`) ?? value,
    named: (group, name, theirs) => (at ? find(`${group}.${name}`) : undefined) ?? theirs,
    said: (theirs) => {
      if (!at) return theirs;
      for (const { find, names, row } of patternsOf()) {
        const hit = find.exec(theirs);
        if (hit) return withParticles(fill(row[at], Object.fromEntries(names.map((name, i) => [name, hit[i + 1] ?? ""])), String));
      }
      return theirs;
    },
    score: (metric) => (at ? find(`score.${metric}`) ?? find(`metric.${metric}`) : undefined) ?? scoreName(metric),
    percent: (value, digits = 1) => `${number(value * 100, digits)}\u00a0%`,
    bytes: (value) => {
      const names = ["B", "KiB", "MiB", "GiB", "TiB"];
      const k = value < 1024 ? 0 : Math.min(4, Math.floor(Math.log2(value) / 10));
      return `${number(value / 1024 ** k, k && value / 1024 ** k < 10 ? 1 : 0)} ${names[k]}`;
    },
    time: (value) => (value === null ? "" : when.format(new Date(value))),
    ago: (value) => {
      if (value === null) return "";
      const ms = new Date(value).getTime() - Date.now();
      const [unit, size] = units.find(([, one]) => Math.abs(ms) >= one) ?? ["second", 1e3];
      return relative.format(Math.round(ms / size), unit).replaceAll(" ", "\u00a0"); // "2 minutes ago" stays in one line
    },
    duration: (ms) => {
      const s = Math.max(0, Math.round(ms / 1000));
      const two = (n: number) => String(n).padStart(2, "0");
      const h = Math.floor(s / 3600), m = Math.floor(s / 60) % 60;
      return h ? `${h}:${two(m)}:${two(s % 60)}` : `${m}:${two(s % 60)}`;
    },
  };
}

const KEY = "anneal-language";

function chosen(): Language {
  const kept = localStorage.getItem(KEY) ?? navigator.language.slice(0, 2);
  return kept === "ko" ? "ko" : "en";
}

const Context = createContext<Texts & { setLanguage(to: Language): void }>({ ...textsOf("en"), setLanguage: () => undefined });

export function LanguageProvider({ children }: { children: ReactNode }) {
  const [language, setLanguage] = useState(chosen);
  useEffect(() => {
    document.documentElement.lang = language;
  }, [language]);
  useEffect(() => onKept(KEY, () => setLanguage(chosen())), []);
  const value = useMemo(() => ({
    ...textsOf(language),
    setLanguage: (to: Language) => {
      keep(KEY, to);
      setLanguage(to);
    },
  }), [language]);
  return <Context.Provider value={value}>{children}</Context.Provider>;
}

export const useTexts = () => useContext(Context);
