// A place to drop files on, or to choose them.
import { type DragEvent, type ReactNode, useRef, useState } from "react";

import { useTexts } from "../i18n";
import { chosen, dropped } from "./files";
import type { Named } from "./tar";
import { Button, Icon, icons } from "./ui";

export function Drop({ title, hint, accept, folder, onFiles, children }: {
  title: string; hint: string; accept?: string; folder?: boolean; onFiles: (files: Named[]) => void; children?: ReactNode;
}) {
  const { t } = useTexts();
  const [over, setOver] = useState(false);
  const input = useRef<HTMLInputElement>(null);
  const folderInput = useRef<HTMLInputElement | null>(null);
  const drop = async (e: DragEvent) => {
    e.preventDefault();
    setOver(false);
    onFiles(await dropped(e.dataTransfer));
  };
  const take = (from: HTMLInputElement) => {
    onFiles(chosen(from.files));
    from.value = "";
  };
  return (
    <div onDragOver={(e) => {
      e.preventDefault();
      setOver(true);
    }} onDragLeave={() => setOver(false)} onDrop={(e) => void drop(e)}
      className={`flex flex-col items-center gap-3 rounded border-2 border-dashed p-6 text-center sm:p-8 ${over ? "border-primary bg-primary/5" : "border-border bg-surface"}`}>
      <span className="text-muted"><Icon d={icons.up} size={28} /></span>
      <p className="font-medium">{title}</p>
      <p className="max-w-prose text-sm text-muted">{hint}</p>
      <div className="flex flex-wrap justify-center gap-2">
        <Button look="primary" onClick={() => input.current?.click()}>{t("chooseFiles")}</Button>
        {folder && <Button onClick={() => folderInput.current?.click()}>{t("chooseFolder")}</Button>}
      </div>
      <input ref={input} type="file" multiple hidden accept={accept} aria-label={t("chooseFiles")} onChange={(e) => take(e.target)} />
      {folder && (
        <input ref={(e) => {
          folderInput.current = e;
          e?.setAttribute("webkitdirectory", "");
        }} type="file" hidden aria-label={t("chooseFolder")} onChange={(e) => take(e.target)} />
      )}
      {children}
    </div>
  );
}
