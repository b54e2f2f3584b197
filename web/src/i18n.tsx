// Texts, numbers and times in the chosen language.  A text's {parameters} are checked by the compiler;
// {n|picture|pictures} is the word for one or for many.
import { createContext, type ReactNode, useContext, useEffect, useMemo, useState } from "react";

import { keep, onKept } from "./kept";
import { messages } from "./messages";

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

const units: [Intl.RelativeTimeFormatUnit, number][] = [["day", 86400e3], ["hour", 3600e3], ["minute", 60e3], ["second", 1e3]];

export function textsOf(language: Language): Texts {
  const at = language === "ko" ? 1 : 0;
  const integer = new Intl.NumberFormat(language);
  const when = new Intl.DateTimeFormat(language, { dateStyle: "medium", timeStyle: "short" });
  const relative = new Intl.RelativeTimeFormat(language, { numeric: "auto" });
  const number = (value: number, digits?: number) =>
    digits === undefined ? integer.format(value) : value.toLocaleString(language, { minimumFractionDigits: digits, maximumFractionDigits: digits });
  const t: Texts["t"] = (key, ...params) => fill(messages[key][at], params[0] ?? {}, (n) => integer.format(n));
  return {
    language,
    t,
    number,
    of: (group, value) => {
      const row = (messages as Record<string, readonly [string, string]>)[`${group}.${value}`];
      return row ? row[at] : value;
    },
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
      return relative.format(Math.round(ms / size), unit);
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
