// The sheet of keys ("?"), and how keys are drawn.
import { Fragment } from "react";

import { useTexts } from "../i18n";
import { type Command, strokes, useAllCommands } from "../keys";
import { Dialog } from "./dialog";

export function Keys({ keys }: { keys: string }) {
  const { t } = useTexts();
  return (
    <span className="inline-flex shrink-0 items-center gap-1 text-xs text-muted">
      {strokes(keys).map((stroke, i) => (
        <Fragment key={i}>
          {i > 0 && <span>{t("keys.then")}</span>}
          {stroke.map((key) => <kbd key={key} className="min-w-6 rounded-sm border border-border bg-background px-1.5 py-0.5 text-center font-sans">{key}</kbd>)}
        </Fragment>
      ))}
    </span>
  );
}

export default function KeysSheet({ onClose }: { onClose: () => void }) {
  const { t } = useTexts();
  const all = useAllCommands().filter((one): one is Command & { keys: string } => one.keys !== undefined);
  const groups = [[t("keys.page"), all.filter((one) => !one.everywhere)], [t("keys.everywhere"), all.filter((one) => one.everywhere)]] as const;
  return (
    <Dialog title={t("keys.title")} onClose={onClose}>
      <div className="space-y-5 text-sm">
        {groups.map(([title, list]) => list.length > 0 && (
          <section key={title}>
            <h3 className="mb-1 text-xs font-medium text-muted">{title}</h3>
            <dl>
              {list.map((one) => (
                <div key={one.keys} className="flex min-h-9 items-center justify-between gap-4 border-b border-border last:border-0">
                  <dt className="min-w-0 truncate">{one.text}</dt>
                  <dd><Keys keys={one.keys} /></dd>
                </div>
              ))}
            </dl>
          </section>
        ))}
      </div>
    </Dialog>
  );
}
