// A secret or link to be copied; the clipboard is only there on secure pages, selecting always works.
import { useState } from "react";

import { useTexts } from "../i18n";
import { Button } from "./ui";

export function Copy({ text }: { text: string }) {
  const { t } = useTexts();
  const [done, setDone] = useState(false);
  return (
    <div className="flex flex-wrap items-center gap-2">
      <input readOnly aria-label={t("copy")} value={text} onFocus={(e) => e.target.select()} className="field min-w-0 flex-1 font-mono !text-xs" />
      {window.isSecureContext && (
        <Button onClick={() => void navigator.clipboard.writeText(text).then(() => setDone(true))}>{done ? t("copied") : t("copy")}</Button>
      )}
    </div>
  );
}
