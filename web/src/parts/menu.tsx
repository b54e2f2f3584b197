// What opens beside a button: a menu of actions, a popover with anything, a tooltip.
import * as Drop from "@radix-ui/react-dropdown-menu";
import * as Pop from "@radix-ui/react-popover";
import * as Tip from "@radix-ui/react-tooltip";
import type { ReactElement, ReactNode } from "react";

import { navigate } from "../router";
import { Icon } from "./button";
import { type IconName, icons } from "./icons";

const sheet = "z-50 rounded border border-border bg-surface text-foreground shadow-lg outline-none motion-safe:animate-fade";
const GAP = 6;

export type MenuItem = {
  text: string;
  icon?: IconName;
  /** Said below the text. */
  note?: string;
  /** A page, instead of onSelect. */
  href?: string;
  onSelect?: () => void;
  danger?: boolean;
  disabled?: boolean;
  /** A choice of one or of many: shows a mark. */
  checked?: boolean;
  keys?: string;
} | "-";

const row = "flex min-h-9 w-full cursor-default select-none items-center gap-2.5 rounded-sm px-2.5 py-1.5 text-sm outline-none " +
  "data-[highlighted]:bg-raised data-[disabled]:opacity-50";

function Row({ item }: { item: Exclude<MenuItem, "-"> }) {
  const inside = (
    <>
      {item.icon && <Icon d={icons[item.icon]} size={16} />}
      {item.checked !== undefined && <span className="w-4">{item.checked && <Icon d={icons.check} size={16} />}</span>}
      <span className="min-w-0 flex-1">
        <span className="block truncate">{item.text}</span>
        {item.note && <span className="block text-xs text-muted">{item.note}</span>}
      </span>
      {item.keys && <kbd className="text-xs text-muted">{item.keys}</kbd>}
    </>
  );
  const look = `${row} ${item.danger ? "text-destructive" : ""}`;
  const act = () => (item.href ? navigate(item.href) : item.onSelect?.());
  if (item.checked !== undefined)
    return <Drop.CheckboxItem className={look} checked={item.checked} disabled={item.disabled ?? false} onSelect={act}>{inside}</Drop.CheckboxItem>;
  return <Drop.Item className={look} disabled={item.disabled ?? false} onSelect={act}>{inside}</Drop.Item>;
}

/** A menu of actions under a button of the page: <Menu label="…" trigger={<IconButton …/>} items={[…, "-", …]} />. */
export function Menu({ label, trigger, items, align = "end" }: {
  label: string; trigger: ReactElement; items: MenuItem[]; align?: "start" | "center" | "end";
}) {
  return (
    <Drop.Root modal={false}>
      <Drop.Trigger asChild>{trigger}</Drop.Trigger>
      <Drop.Portal container={document.getElementById("main")}>
        <Drop.Content aria-label={label} align={align} sideOffset={GAP} collisionPadding={8} className={`${sheet} min-w-48 max-w-80 p-1`}>
          {items.map((item, i) => item === "-"
            ? <Drop.Separator key={i} className="my-1 h-px bg-border" /> : <Row key={i} item={item} />)}
        </Drop.Content>
      </Drop.Portal>
    </Drop.Root>
  );
}

/** Anything beside a button; open by itself, or as the page says. */
export function Popover({ label, trigger, children, open, onOpen, align = "start" }: {
  label: string; trigger: ReactElement; children: ReactNode; open?: boolean; onOpen?: (open: boolean) => void; align?: "start" | "center" | "end";
}) {
  return (
    <Pop.Root {...(open !== undefined && { open })} {...(onOpen && { onOpenChange: onOpen })}>
      <Pop.Trigger asChild>{trigger}</Pop.Trigger>
      <Pop.Portal>
        <Pop.Content aria-label={label} align={align} sideOffset={GAP} collisionPadding={8}
          className={`${sheet} max-h-[80dvh] w-[min(24rem,calc(100vw-1rem))] overflow-auto p-4`}>
          {children}
        </Pop.Content>
      </Pop.Portal>
    </Pop.Root>
  );
}

export const TooltipProvider = ({ children }: { children: ReactNode }) => <Tip.Provider delayDuration={400} skipDelayDuration={200}>{children}</Tip.Provider>;

/** A short word on what is pointed at or has the focus; nothing that is needed may stand here alone. */
export function Tooltip({ text, children, side = "top" }: { text: ReactNode; children: ReactElement; side?: "top" | "right" | "bottom" | "left" }) {
  return (
    <Tip.Root>
      <Tip.Trigger asChild>{children}</Tip.Trigger>
      <Tip.Portal>
        <Tip.Content side={side} sideOffset={GAP} collisionPadding={8}
          className="z-50 max-w-72 rounded bg-foreground px-2.5 py-1.5 text-xs text-background shadow-lg motion-safe:animate-fade">
          {text}
        </Tip.Content>
      </Tip.Portal>
    </Tip.Root>
  );
}
