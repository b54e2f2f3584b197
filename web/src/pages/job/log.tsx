// The job's log as it is written: by level, by text, following the end unless one has scrolled away from it.
import { useEffect, useRef, useState } from "react";

import { useTexts } from "../../i18n";
import { Switch } from "../../parts/controls";
import { Empty, Input, Select, Show } from "../../parts/ui";
import { type Level, levels, type LogLine } from "../../types";
import { useLogs } from "./queries";

const tones: Record<Level, string> = { debug: "text-muted", info: "text-info", warning: "text-warning", error: "text-destructive" };

function Lines({ lines, follow, onFollow }: { lines: LogLine[]; follow: boolean; onFollow: (to: boolean) => void }) {
  const { t, language } = useTexts();
  const box = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (follow && box.current) box.current.scrollTop = box.current.scrollHeight;
  }, [lines, follow]);
  return (
    <div ref={box} tabIndex={0} role="log" aria-label={t("log")} aria-live="off"
      onScroll={(e) => onFollow(e.currentTarget.scrollHeight - e.currentTarget.scrollTop - e.currentTarget.clientHeight < 24)}
      className="max-h-[60dvh] min-h-40 overflow-auto rounded border border-border bg-surface p-3 font-mono text-xs leading-5">
      {lines.map((l) => (
        <p key={l.seq} className="flex gap-3">
          <time dateTime={new Date(l.time).toISOString()} className="shrink-0 text-muted">{new Date(l.time).toLocaleTimeString(language, { hour12: false })}</time>
          <span className={`w-14 shrink-0 ${tones[l.level]}`}>{l.level}</span>
          <span className="min-w-0 whitespace-pre-wrap break-words">{l.message}</span>
        </p>
      ))}
    </div>
  );
}

export function Log({ id }: { id: string }) {
  const { t, of } = useTexts();
  const logs = useLogs(id);
  const [level, setLevel] = useState<Level>("info");
  const [q, setQ] = useState("");
  const [follow, setFollow] = useState(true);
  return (
    <Show of={logs} lines={6}>
      {(all) => {
        const shown = all.filter((l) => levels.indexOf(l.level) >= levels.indexOf(level) && (!q || l.message.toLowerCase().includes(q.toLowerCase())));
        return (
          <div className="space-y-4">
            <div className="flex flex-wrap items-end gap-3">
              <Select label={t("log.level")} value={level} onChange={(to) => setLevel(to as Level)}
                options={levels.map((l) => [l, of("severity", l)])} />
              <div className="min-w-40 flex-1 sm:max-w-72">
                <Input type="search" aria-label={t("search")} placeholder={t("search")} value={q} onChange={(e) => setQ(e.target.value)} />
              </div>
              <Switch label={t("log.follow")} checked={follow} onChange={setFollow} />
              <p className="numbers pb-2 text-xs text-muted">{t("log.lines", { n: shown.length })}</p>
            </div>
            {shown.length ? <Lines lines={shown} follow={follow} onFollow={setFollow} /> : <Empty title={all.length ? t("nothingFound") : t("log.none")} />}
          </div>
        );
      }}
    </Show>
  );
}
