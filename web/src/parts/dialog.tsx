// Dialogs over the page: the focus stays inside and goes back, Escape and a click beside close it.
import * as Alert from "@radix-ui/react-alert-dialog";
import * as Modal from "@radix-ui/react-dialog";
import type { ReactNode } from "react";

import { useTexts } from "../i18n";
import { Button, Icon } from "./button";
import { ErrorNote } from "./error";
import { icons } from "./icons";

const veil = "fixed inset-0 z-40 bg-veil/60 motion-safe:animate-fade";
const box = "fixed left-1/2 top-1/2 z-50 max-h-[92dvh] w-[calc(100vw-1rem)] -translate-x-1/2 -translate-y-1/2 overflow-auto rounded-lg border " +
  "border-border bg-surface p-5 text-foreground shadow-lg outline-none motion-safe:animate-fade";

/** Shown as long as it is rendered.  Without onClose it stays until the page takes it away. */
export function Dialog({ title, onClose, children, wide, hint }: {
  title: string; onClose?: () => void; children: ReactNode; wide?: boolean; hint?: string;
}) {
  const { t } = useTexts();
  const stay = (e: Event) => onClose ?? e.preventDefault();
  return (
    <Modal.Root open onOpenChange={(open) => !open && onClose?.()}>
      <Modal.Portal>
        <Modal.Overlay className={veil} />
        <Modal.Content className={`${box} ${wide ? "sm:max-w-5xl" : "sm:max-w-md"}`} onEscapeKeyDown={stay} onInteractOutside={stay}
          {...(!hint && { "aria-describedby": undefined })}>
          <div className="mb-3 flex items-start justify-between gap-3">
            <Modal.Title className="min-w-0 break-words text-lg font-semibold">{title}</Modal.Title>
            {onClose && (
              <Modal.Close aria-label={t("close")} className="-m-2 rounded p-2.5 text-muted hover:text-foreground"><Icon d={icons.close} /></Modal.Close>
            )}
          </div>
          {hint && <Modal.Description className="mb-4 text-sm text-muted">{hint}</Modal.Description>}
          {children}
        </Modal.Content>
      </Modal.Portal>
    </Modal.Root>
  );
}

/** A question before something is lost: `title` asks, `text` says what happens, `lost` names what goes.  Nothing but
 * its two buttons and Escape answers it; the focus begins on the harmless one. */
export function Confirm({ title, text, lost, action, busy, error, onConfirm, onClose }: {
  title: string; text: ReactNode; lost?: ReactNode[]; action: string; busy?: boolean; error?: unknown; onConfirm: () => void; onClose: () => void;
}) {
  const { t } = useTexts();
  return (
    <Alert.Root open onOpenChange={(open) => !open && onClose()}>
      <Alert.Portal>
        <Alert.Overlay className={veil} />
        <Alert.Content className={`${box} sm:max-w-md`}>
          <Alert.Title className="mb-3 break-words text-lg font-semibold">{title}</Alert.Title>
          <Alert.Description asChild><div className="text-sm">{text}</div></Alert.Description>
          {lost && lost.length > 0 && (
            <div className="mt-3 text-sm">
              <p className="font-medium">{t("confirm.lost")}</p>
              <ul className="mt-1 list-disc space-y-1 pl-5">{lost.map((one, i) => <li key={i}>{one}</li>)}</ul>
            </div>
          )}
          {error ? <div className="mt-4"><ErrorNote error={error} /></div> : null}
          <div className="mt-5 flex flex-wrap justify-end gap-2">
            <Alert.Cancel asChild><Button>{t("back")}</Button></Alert.Cancel>
            <Button look="loss" busy={busy ?? false} onClick={onConfirm}>{action}</Button>
          </div>
        </Alert.Content>
      </Alert.Portal>
    </Alert.Root>
  );
}
