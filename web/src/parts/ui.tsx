// The small parts that every page is made of.
import { type UseQueryResult } from "@tanstack/react-query";
import { type InputHTMLAttributes, type ReactElement, type ReactNode, cloneElement, useId } from "react";

import { useTexts } from "../i18n";
import type { Status } from "../types";
import { ErrorNote } from "./error";

export { Button, ButtonLink, Icon, IconButton } from "./button";
export { Confirm, Dialog } from "./dialog";
export { icons } from "./icons";
export { TabPanel, Tabs } from "./tabs";

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

/** A paused job is queued, but the queue passes it over. */
export function StatusBadge({ status, paused }: { status: Status; paused?: boolean }) {
  const { t, of } = useTexts();
  return <Badge tone={statusTones[status]}>{paused ? t("pause.paused") : of("status", status)}</Badge>;
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

export { ErrorNote, useErrorText } from "./error";

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
    <label className="flex w-fit min-w-0 max-w-full flex-col gap-1 text-xs text-muted">
      {label}
      <select className="field w-auto min-w-32 max-w-[min(100%,15rem)]" value={value} onChange={(e) => onChange(e.target.value)}>
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
      <div className="flex min-h-10 flex-wrap items-center gap-3">
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
