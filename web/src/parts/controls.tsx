// Controls beyond a browser's own: slider, switch, checkbox with a third state, select with notes.  A plain choice
// or number is better served by ui.tsx's Select and Input, which phones know.
import * as RadixCheckbox from "@radix-ui/react-checkbox";
import * as RadixSelect from "@radix-ui/react-select";
import * as RadixSlider from "@radix-ui/react-slider";
import * as RadixSwitch from "@radix-ui/react-switch";
import { type ReactNode, useId } from "react";

import { Icon } from "./button";
import { icons } from "./icons";

/** A value to drag; arrows move it by a step, Page keys by ten.  onCommit comes when it is let go. */
export function Slider({ label, value, min = 0, max = 1, step = 0.01, format = String, onChange, onCommit, disabled, hideLabel }: {
  label: string; value: number; min?: number; max?: number; step?: number; format?: (value: number) => string;
  onChange: (value: number) => void; onCommit?: (value: number) => void; disabled?: boolean; hideLabel?: boolean;
}) {
  const id = useId();
  return (
    <div className="min-w-40 space-y-1">
      <div className={hideLabel ? "sr-only" : "flex items-baseline justify-between gap-3 text-xs text-muted"}>
        <span id={id}>{label}</span>
        <span className="numbers font-medium text-foreground">{format(value)}</span>
      </div>
      <RadixSlider.Root className="relative flex h-6 touch-none select-none items-center data-[disabled]:opacity-50" value={[value]} min={min} max={max}
        step={step} disabled={disabled ?? false} onValueChange={([to]) => to !== undefined && onChange(to)}
        onValueCommit={([to]) => to !== undefined && onCommit?.(to)}>
        <RadixSlider.Track className="relative h-1.5 grow rounded-full bg-border"><RadixSlider.Range className="absolute h-full rounded-full bg-primary" /></RadixSlider.Track>
        <RadixSlider.Thumb aria-labelledby={id} aria-valuetext={format(value)} className="block h-5 w-5 rounded-full border-2 border-primary bg-surface" />
      </RadixSlider.Root>
    </div>
  );
}

function Labelled({ id, label, help, children }: { id: string; label: ReactNode; help?: ReactNode; children: ReactNode }) {
  return (
    <div className="flex min-h-10 items-start gap-3 py-2.5">
      {children}
      <div className="min-w-0 text-sm leading-5">
        <label htmlFor={id}>{label}</label>
        {help && <p id={`${id}-help`} className="text-xs text-muted">{help}</p>}
      </div>
    </div>
  );
}

/** On or off, at once. */
export function Switch({ label, checked, onChange, help, disabled }: {
  label: ReactNode; checked: boolean; onChange: (to: boolean) => void; help?: ReactNode; disabled?: boolean;
}) {
  const id = useId();
  return (
    <Labelled id={id} label={label} help={help}>
      <RadixSwitch.Root id={id} checked={checked} onCheckedChange={onChange} disabled={disabled ?? false} aria-describedby={help ? `${id}-help` : undefined}
        className="relative h-5 w-9 shrink-0 rounded-full bg-muted transition-colors disabled:opacity-50 data-[state=checked]:bg-primary">
        <RadixSwitch.Thumb className="block h-4 w-4 translate-x-0.5 rounded-full bg-surface transition-transform data-[state=checked]:translate-x-[1.125rem]" />
      </RadixSwitch.Root>
    </Labelled>
  );
}

/** Chosen or not, or some of what it stands for. */
export function Checkbox({ label, checked, onChange, help, disabled, hideLabel }: {
  label: string; checked: boolean | "some"; onChange: (to: boolean) => void; help?: ReactNode; disabled?: boolean; hideLabel?: boolean;
}) {
  const id = useId();
  const box = (
    <RadixCheckbox.Root id={id} checked={checked === "some" ? "indeterminate" : checked} onCheckedChange={(to) => onChange(to === true)}
      disabled={disabled ?? false} aria-describedby={help ? `${id}-help` : undefined} {...(hideLabel && { "aria-label": label })}
      className="grid h-5 w-5 shrink-0 place-items-center rounded-sm border border-muted bg-surface text-primary-foreground disabled:opacity-50 data-[state=checked]:border-primary data-[state=indeterminate]:border-primary data-[state=checked]:bg-primary data-[state=indeterminate]:bg-primary">
      <RadixCheckbox.Indicator><Icon d={checked === "some" ? icons.minus : icons.check} size={14} /></RadixCheckbox.Indicator>
    </RadixCheckbox.Root>
  );
  return hideLabel ? box : <Labelled id={id} label={label} help={help}>{box}</Labelled>;
}

export interface Option { value: string; text: string; note?: string; disabled?: boolean }

/** A choice whose options need a word of explanation. */
export function Choice({ label, value, onChange, options, placeholder }: {
  label: string; value: string; onChange: (to: string) => void; options: Option[]; placeholder?: string;
}) {
  const id = useId();
  return (
    <div className="flex max-w-full flex-col gap-1 text-xs text-muted">
      <span id={id}>{label}</span>
      <RadixSelect.Root value={value} onValueChange={onChange}>
        <RadixSelect.Trigger aria-labelledby={id} className="field flex items-center justify-between gap-2 text-left">
          <span className="min-w-0 truncate"><RadixSelect.Value placeholder={placeholder} /></span>
          <RadixSelect.Icon asChild><span className="text-muted"><Icon d={icons.down} size={16} /></span></RadixSelect.Icon>
        </RadixSelect.Trigger>
        <RadixSelect.Portal>
          <RadixSelect.Content position="popper" sideOffset={4} collisionPadding={8}
            className="z-50 max-h-80 min-w-[var(--radix-select-trigger-width)] max-w-[min(30rem,calc(100vw-1rem))] overflow-auto rounded border border-border bg-surface p-1 text-foreground shadow-lg">
            <RadixSelect.Viewport>
              {options.map((one) => (
                <RadixSelect.Item key={one.value} value={one.value} disabled={one.disabled ?? false}
                  className="cursor-default select-none rounded-sm px-2.5 py-1.5 text-sm outline-none data-[highlighted]:bg-raised data-[disabled]:opacity-50 data-[state=checked]:font-medium">
                  <RadixSelect.ItemText>{one.text}</RadixSelect.ItemText>
                  {one.note && <p className="text-xs font-normal text-muted">{one.note}</p>}
                </RadixSelect.Item>
              ))}
            </RadixSelect.Viewport>
          </RadixSelect.Content>
        </RadixSelect.Portal>
      </RadixSelect.Root>
    </div>
  );
}
