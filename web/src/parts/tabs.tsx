// Tabs: arrows move between them, Tab goes on into the panel.  With children the panel is tied to its tab; without,
// the page shows a TabPanel of its own below.
import * as Radix from "@radix-ui/react-tabs";
import { type ReactNode, useEffect, useRef, useState } from "react";

export function Tabs<K extends string>({ label, tabs, value, onChange, children }: {
  label: string; tabs: [K, ReactNode][]; value: K; onChange: (to: K) => void; children?: ReactNode;
}) {
  const look = "min-h-11 whitespace-nowrap border-b-2 border-transparent px-3 text-sm font-medium text-muted hover:text-foreground " +
    "data-[state=active]:border-primary data-[state=active]:text-foreground focus-visible:-outline-offset-2";
  // A press by the pointer moves the focus from within (Radix), which a browser takes for the keyboard's doing.
  const [pointed, setPointed] = useState(false);
  const list = useRef<HTMLDivElement>(null);
  useEffect(() => { // on a phone the row scrolls: what is shown is seen to be chosen
    const bar = list.current, at = bar?.querySelector<HTMLElement>("[data-state=active]");
    if (!bar || !at) return;
    const past = at.offsetLeft + at.offsetWidth - bar.clientWidth;
    if (bar.scrollLeft < past) bar.scrollLeft = past;
    else if (bar.scrollLeft > at.offsetLeft) bar.scrollLeft = at.offsetLeft;
  }, [value]);
  return (
    <Radix.Root value={value} onValueChange={(to) => onChange(to as K)} onPointerDownCapture={() => setPointed(true)} onKeyDownCapture={() => setPointed(false)}>
      <Radix.List ref={list} aria-label={label} className="relative mb-5 flex gap-1 overflow-x-auto border-b border-border">
        {tabs.map(([key, text]) => (
          <Radix.Trigger key={key} value={key} className={pointed ? `${look} !outline-none` : look}
            {...(children === undefined || key !== value ? { "aria-controls": undefined } : {})}>
            {text}
          </Radix.Trigger>
        ))}
      </Radix.List>
      {children !== undefined && <Radix.Content value={value} tabIndex={-1} className="outline-none">{children}</Radix.Content>}
    </Radix.Root>
  );
}

export function TabPanel({ label, children }: { label: string; children: ReactNode }) {
  return <div role="tabpanel" aria-label={label}>{children}</div>;
}
