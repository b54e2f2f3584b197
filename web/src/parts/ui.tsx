// The small parts that every page is made of.
import { type UseQueryResult } from "@tanstack/react-query";
import {
  type ButtonHTMLAttributes, type InputHTMLAttributes, type ReactElement, type ReactNode, cloneElement, useEffect, useId, useRef,
} from "react";

import { Problem, unlabelled, unreachable } from "../api";
import { useTexts } from "../i18n";
import { Link } from "../router";
import type { Status } from "../types";
import { icons } from "./icons";

type Look = "primary" | "plain" | "danger" | "quiet";

const looks: Record<Look, string> = {
  primary: "bg-primary text-primary-foreground hover:opacity-90",
  plain: "border border-border bg-surface hover:bg-raised",
  danger: "border border-destructive text-destructive hover:bg-destructive/10",
  quiet: "text-muted hover:bg-raised hover:text-foreground",
};
const shape = "inline-flex min-h-10 items-center justify-center gap-2 rounded px-4 py-2 text-sm font-medium " +
  "whitespace-nowrap disabled:cursor-not-allowed disabled:opacity-50";

type ButtonProps = ButtonHTMLAttributes<HTMLButtonElement> & { look?: Look; busy?: boolean };

export function Button({ look = "plain", busy, disabled, className = "", children, ...rest }: ButtonProps) {
  return (
    <button type="button" className={`${shape} ${looks[look]} ${className}`} disabled={disabled || busy} aria-busy={busy} {...rest}>
      {children}
    </button>
  );
}

export function ButtonLink({ look = "plain", href, children, className = "" }: { look?: Look; href: string; children: ReactNode; className?: string }) {
  return <Link href={href} className={`${shape} ${looks[look]} ${className}`}>{children}</Link>;
}

/** An icon as strokes on a 24 x 24 field; it says nothing to a screen reader, its button must. */
export function Icon({ d, size = 20 }: { d: string; size?: number }) {
  return (
    <svg viewBox="0 0 24 24" width={size} height={size} fill="none" stroke="currentColor" strokeWidth={1.75}
      strokeLinecap="round" strokeLinejoin="round" aria-hidden="true" className="shrink-0">
      <path d={d} />
    </svg>
  );
}
export { icons };

export function Badge({ tone = "muted", children }: { tone?: "muted" | "info" | "success" | "warning" | "destructive"; children: ReactNode }) {
  const tones = {
    muted: "text-muted border-border",
    info: "text-info border-info/40 bg-info/10",
    success: "text-success border-success/40 bg-success/10",
    warning: "text-warning border-warning/40 bg-warning/10",
    destructive: "text-destructive border-destructive/40 bg-destructive/10",
  };
  return <span className={`inline-block whitespace-nowrap rounded-full border px-2 py-0.5 text-xs font-medium ${tones[tone]}`}>{children}</span>;
}

const statusTones = { pending: "muted", queued: "warning", running: "info", completed: "success", failed: "destructive", cancelled: "muted" } as const;

export function StatusBadge({ status }: { status: Status }) {
  return <Badge tone={statusTones[status]}>{useTexts().of("status", status)}</Badge>;
}

export function Progress({ value, label }: { value: number; label: string }) {
  const percent = Math.round(Math.min(1, Math.max(0, value)) * 100);
  return (
    <div role="progressbar" aria-label={label} aria-valuemin={0} aria-valuemax={100} aria-valuenow={percent}
      className="h-2 overflow-hidden rounded-full bg-raised">
      <div className="h-full rounded-full bg-primary transition-[width] duration-300" style={{ width: `${percent}%` }} />
    </div>
  );
}

/** A horizontal bar of a share, with its text beside it: classes, scores, confidences. */
export function Bar({ share, tone = "primary" }: { share: number; tone?: "primary" | "info" | "success" | "warning" | "muted" }) {
  const tones = { primary: "bg-primary", info: "bg-info", success: "bg-success", warning: "bg-warning", muted: "bg-muted/50" };
  return (
    <div className="h-2 w-full overflow-hidden rounded-sm bg-raised" aria-hidden="true">
      <div className={`h-full ${tones[tone]}`} style={{ width: `${Math.min(100, Math.max(0, share * 100))}%` }} />
    </div>
  );
}

// ---- the three states of a view

export function Loading({ lines = 3 }: { lines?: number }) {
  const { t } = useTexts();
  return (
    <div role="status" className="animate-pulse space-y-3" aria-label={t("loading")}>
      {Array.from({ length: lines }, (_, i) => <div key={i} className="h-5 rounded bg-raised" style={{ width: `${90 - 15 * (i % 3)}%` }} />)}
    </div>
  );
}

export function Empty({ title, children }: { title: string; children?: ReactNode }) {
  return (
    <div className="flex flex-col items-start gap-3 rounded border border-dashed border-border p-6">
      <p className="font-medium">{title}</p>
      {children}
    </div>
  );
}

function useErrorText() {
  const { t } = useTexts();
  return (error: unknown): string => {
    const code = error instanceof Problem ? error.code : "";
    if (code === unreachable || code === unlabelled) return t(code);
    return error instanceof Error ? error.message : String(error);
  };
}

export function ErrorNote({ error, retry }: { error: unknown; retry?: () => void }) {
  const { t } = useTexts();
  const text = useErrorText();
  const code = error instanceof Problem && error.status > 0 ? error.code : "";
  return (
    <div role="alert" className="flex flex-wrap items-center gap-x-4 gap-y-2 rounded border border-destructive/50 bg-destructive/5 px-4 py-3 text-sm">
      <p className="min-w-0 flex-1 break-words">
        {text(error)} {code && <code className="ml-1 text-xs text-muted">{code}</code>}
      </p>
      {retry && <Button onClick={retry}>{t("retry")}</Button>}
    </div>
  );
}

/** Loading, error and the data of a query, so that no view forgets one of them. */
export function Show<T>({ of, lines, children }: { of: UseQueryResult<T>; lines?: number; children: (data: T) => ReactNode }) {
  if (of.data !== undefined)
    return (
      <>
        {of.isError && <ErrorNote error={of.error} retry={() => void of.refetch()} />}
        {children(of.data)}
      </>
    );
  return of.isError ? <ErrorNote error={of.error} retry={() => void of.refetch()} /> : <Loading lines={lines ?? 3} />;
}

// ---- forms

interface FieldProps {
  label: string;
  help?: ReactNode;
  error?: string | undefined;
  warning?: string | undefined;
  children: ReactElement<{ id?: string; "aria-describedby"?: string | undefined; "aria-invalid"?: boolean }>;
}

/** A control with its label, help and error, tied to each other. */
export function Field({ label, help, error, warning, children }: FieldProps) {
  const id = useId();
  const note = error || warning || help ? `${id}-note` : undefined;
  return (
    <div className="space-y-1">
      <label htmlFor={id} className="block text-sm font-medium">{label}</label>
      {cloneElement(children, { id, "aria-describedby": note, "aria-invalid": Boolean(error) })}
      <div id={note} className="space-y-1 text-xs">
        {error && <p role="alert" className="text-destructive">{error}</p>}
        {warning && <p role="status" className="text-warning">{warning}</p>}
        {help && <p className="text-muted">{help}</p>}
      </div>
    </div>
  );
}

export function Input(props: InputHTMLAttributes<HTMLInputElement>) {
  return <input className="field" {...props} />;
}

export function Select({ label, value, onChange, options }: {
  label: string; value: string; onChange: (value: string) => void; options: [string, string][];
}) {
  return (
    <label className="flex w-fit max-w-full flex-col gap-1 text-xs text-muted">
      {label}
      <select className="field w-auto min-w-32 max-w-full" value={value} onChange={(e) => onChange(e.target.value)}>
        {options.map(([key, text]) => <option key={key} value={key}>{text}</option>)}
      </select>
    </label>
  );
}

// ---- layout

export function PageHead({ title, children, above }: { title: string; children?: ReactNode; above?: ReactNode }) {
  return (
    <header className="mb-6 space-y-2">
      {above}
      <div className="flex flex-wrap items-center gap-3">
        <h1 className="min-w-0 flex-1 basis-60 break-words text-2xl font-semibold tracking-tight">{title}</h1>
        <div className="flex flex-wrap gap-2">{children}</div>
      </div>
    </header>
  );
}

export function Card({ title, aside, children, className = "" }: { title?: string; aside?: ReactNode; children: ReactNode; className?: string }) {
  return (
    <section className={`card min-w-0 ${className}`}>
      {(title || aside) && (
        <div className="mb-4 flex flex-wrap items-center justify-between gap-2">
          {title && <h2 className="text-base font-semibold">{title}</h2>}
          {aside}
        </div>
      )}
      {children}
    </section>
  );
}

export function Tabs<K extends string>({ label, tabs, value, onChange }: {
  label: string; tabs: [K, string][]; value: K; onChange: (to: K) => void;
}) {
  const move = (at: number) => {
    const to = tabs[(at + tabs.length) % tabs.length];
    if (to) onChange(to[0]);
  };
  const list = useRef<HTMLDivElement>(null);
  const moved = useRef(false);
  useEffect(() => {
    if (moved.current) list.current?.querySelector<HTMLElement>("[aria-selected=true]")?.focus();
    moved.current = false;
  }, [value]);
  return (
    <div ref={list} role="tablist" aria-label={label} className="mb-5 flex gap-1 overflow-x-auto border-b border-border">
      {tabs.map(([key, text], i) => (
        <button key={key} type="button" role="tab" aria-selected={key === value} tabIndex={key === value ? 0 : -1}
          onClick={() => onChange(key)}
          onKeyDown={(e) => {
            const step = e.key === "ArrowRight" ? 1 : e.key === "ArrowLeft" ? -1 : 0;
            if (!step) return;
            e.preventDefault();
            moved.current = true;
            move(i + step);
          }}
          className={`min-h-11 whitespace-nowrap border-b-2 px-3 text-sm font-medium ${key === value ? "border-primary text-foreground" : "border-transparent text-muted hover:text-foreground"}`}>
          {text}
        </button>
      ))}
    </div>
  );
}

export function TabPanel({ label, children }: { label: string; children: ReactNode }) {
  return <div role="tabpanel" aria-label={label}>{children}</div>;
}

/** A modal dialog: the browser keeps the focus inside and gives it back; Escape closes. */
export function Dialog({ title, onClose, children, wide }: { title: string; onClose?: () => void; children: ReactNode; wide?: boolean }) {
  const { t } = useTexts();
  const ref = useRef<HTMLDialogElement>(null);
  const id = useId();
  useEffect(() => {
    const dialog = ref.current;
    dialog?.showModal();
    return () => dialog?.close();
  }, []);
  return (
    <dialog ref={ref} aria-labelledby={id} onCancel={(e) => {
      e.preventDefault();
      onClose?.();
    }} onClick={(e) => e.target === ref.current && onClose?.()}
      className={`m-auto max-h-[92dvh] w-[min(100vw-1rem,var(--width))] overflow-auto rounded border border-border bg-surface p-0 text-foreground`}
      style={{ "--width": wide ? "64rem" : "28rem" } as React.CSSProperties}>
      <div className="p-5">
        <div className="mb-3 flex items-start justify-between gap-3">
          <h2 id={id} className="min-w-0 break-words text-lg font-semibold">{title}</h2>
          {onClose && (
            <button type="button" aria-label={t("close")} onClick={onClose} className="-m-2 rounded p-2.5 text-muted hover:text-foreground">
              <Icon d={icons.close} />
            </button>
          )}
        </div>
        {children}
      </div>
    </dialog>
  );
}

export function Confirm({ title, text, action, busy, error, onConfirm, onClose }: {
  title: string; text: ReactNode; action: string; busy?: boolean; error?: unknown; onConfirm: () => void; onClose: () => void;
}) {
  const { t } = useTexts();
  return (
    <Dialog title={title} onClose={onClose}>
      <div className="space-y-4 text-sm">
        <div>{text}</div>
        {error ? <ErrorNote error={error} /> : null}
        <div className="flex flex-wrap justify-end gap-2">
          <Button autoFocus onClick={onClose}>{t("back")}</Button>
          <Button look="danger" busy={busy ?? false} onClick={onConfirm}>{action}</Button>
        </div>
      </div>
    </Dialog>
  );
}

export function Facts({ rows }: { rows: [string, ReactNode][] }) {
  return (
    <dl className="grid grid-cols-[auto_1fr] gap-x-6 gap-y-2 text-sm">
      {rows.map(([name, value]) => (
        <div key={name} className="contents">
          <dt className="text-muted">{name}</dt>
          <dd className="min-w-0 break-words">{value}</dd>
        </div>
      ))}
    </dl>
  );
}
