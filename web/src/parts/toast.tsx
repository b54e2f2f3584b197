// Toasts: a word on what has just been done or has gone wrong, without taking the focus.  Any code may say one;
// <Toasts /> of the shell shows them.  Nothing that must be read stands in a toast alone.
import * as Radix from "@radix-ui/react-toast";
import { useSyncExternalStore } from "react";

import { useTexts } from "../i18n";
import { Icon } from "./button";
import { useErrorText } from "./error";
import { icons } from "./icons";

export interface Toast {
  title: string;
  text?: string;
  error?: unknown;
  tone?: "info" | "success" | "warning" | "destructive";
  /** "Undo", "Open" */
  action?: { text: string; onSelect: () => void };
}

const SHOWN = 4;
const STAY_MS = 6_000;
let all: (Toast & { id: number })[] = [];
let last = 0;
const listeners = new Set<() => void>();
const set = (to: typeof all) => {
  all = to;
  listeners.forEach((fn) => fn());
};

/** Shows a toast; returns what takes it away. */
export function toast(one: Toast): () => void {
  const id = ++last;
  set([...all, { ...one, id }].slice(-SHOWN));
  return () => set(all.filter((other) => other.id !== id));
}

const subscribe = (fn: () => void) => {
  listeners.add(fn);
  return () => {
    listeners.delete(fn);
  };
};

const tones = { info: "border-l-info", success: "border-l-success", warning: "border-l-warning", destructive: "border-l-destructive" };

export function Toasts() {
  const { t } = useTexts();
  const textOf = useErrorText();
  const shown = useSyncExternalStore(subscribe, () => all);
  return (
    <Radix.Provider duration={STAY_MS} label={t("toast.label")}>
      {shown.map(({ id, title, text, error, tone = error ? "destructive" : "info", action }) => (
        <Radix.Root key={id} type={tone === "destructive" ? "foreground" : "background"} onOpenChange={(open) => !open && set(all.filter((one) => one.id !== id))}
          className={`flex items-start gap-3 rounded border border-l-4 border-border bg-surface p-3 text-sm shadow-lg motion-safe:animate-fade ${tones[tone]}`}>
          <div className="min-w-0 flex-1">
            <Radix.Title className="break-words font-medium">{title}</Radix.Title>
            {(text || error) ? <Radix.Description className="mt-0.5 break-words text-muted">{text ?? textOf(error)}</Radix.Description> : null}
          </div>
          {action && (
            <Radix.Action altText={action.text} onClick={action.onSelect} className="shrink-0 rounded px-2 py-1 font-medium text-primary hover:bg-raised">{action.text}</Radix.Action>
          )}
          <Radix.Close aria-label={t("close")} className="shrink-0 rounded p-1 text-muted hover:text-foreground"><Icon d={icons.close} size={16} /></Radix.Close>
        </Radix.Root>
      ))}
      <Radix.Viewport className="fixed bottom-20 right-2 z-50 flex w-[min(24rem,calc(100vw-1rem))] flex-col gap-2 outline-none lg:bottom-4 lg:right-4" />
    </Radix.Provider>
  );
}
