// Buttons, links that look like them, and icons.
import { type ButtonHTMLAttributes, forwardRef, type ReactNode } from "react";

import { Link } from "../router";

/** "danger" leads to a loss, "loss" is what causes it: the button of a confirmation. */
export type Look = "primary" | "plain" | "danger" | "loss" | "quiet";

const looks: Record<Look, string> = {
  primary: "bg-primary text-primary-foreground hover:opacity-90",
  plain: "border border-border bg-surface hover:bg-raised",
  danger: "border border-border text-destructive hover:border-destructive hover:bg-destructive/10",
  loss: "bg-destructive text-surface hover:opacity-90",
  quiet: "text-muted hover:bg-raised hover:text-foreground",
};
const shape = "inline-flex min-h-10 items-center justify-center gap-2 rounded px-4 py-2 text-sm font-medium " +
  "whitespace-nowrap disabled:cursor-not-allowed disabled:opacity-50";

export type ButtonProps = ButtonHTMLAttributes<HTMLButtonElement> & { look?: Look; busy?: boolean };

export const Button = forwardRef<HTMLButtonElement, ButtonProps>(function Button({ look = "plain", busy, disabled, className = "", children, ...rest }, ref) {
  return (
    <button ref={ref} type="button" className={`${shape} ${looks[look]} ${className}`} disabled={disabled || busy} aria-busy={busy} {...rest}>
      {children}
    </button>
  );
});

/** A square button with an icon alone; its label is what a screen reader and a tooltip say. */
export const IconButton = forwardRef<HTMLButtonElement, Omit<ButtonProps, "children"> & { label: string; d: string }>(
  function IconButton({ label, d, look = "quiet", className = "", ...rest }, ref) {
    return <Button ref={ref} look={look} aria-label={label} className={`!min-w-10 !px-2 ${className}`} {...rest}><Icon d={d} /></Button>;
  });

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
