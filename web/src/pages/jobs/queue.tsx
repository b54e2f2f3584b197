// The queue in its order: a waiting job is dragged to its place, or moved by the arrow keys on its handle.
import { useEffect, useRef, useState } from "react";

import { useTexts } from "../../i18n";
import { Icon } from "../../parts/button";
import { icons } from "../../parts/icons";
import type { Job } from "../../types";
import type { useChangeJob } from "./queries";
import { JobRow } from "./row";

export function moved<T>(list: T[], from: number, to: number): T[] {
  const next = [...list];
  const [one] = next.splice(from, 1);
  if (one !== undefined) next.splice(Math.max(0, Math.min(next.length, to)), 0, one);
  return next;
}

/** What the server is asked for so that the job at `at` of this order has its place: it takes its successor's
 * priority; at the end it takes that of the last. */
export function placeOf(order: Job[], at: number): { before: string; priority?: number } {
  const next = order[at + 1], previous = order[at - 1];
  if (next) return { before: next.job };
  return { before: "end", ...(previous && { priority: previous.priority }) };
}

function Priority({ job, onChange }: { job: Job; onChange: (to: number) => void }) {
  const { t } = useTexts();
  return (
    <label className="relative z-[1] flex items-center gap-2 text-xs text-muted">
      {t("priority")}
      <input key={job.priority} type="number" min={0} max={100} defaultValue={job.priority} className="field !w-20"
        onKeyDown={(e) => e.key === "Enter" && e.currentTarget.blur()}
        onBlur={(e) => {
          const value = Number(e.target.value);
          if (value !== job.priority && value >= 0 && value <= 100) onChange(value);
        }} />
    </label>
  );
}

export function Queue({ jobs, change, may }: { jobs: Job[]; change: ReturnType<typeof useChangeJob>; may: boolean }) {
  const { t } = useTexts();
  const list = useRef<HTMLUListElement>(null);
  const [order, setOrder] = useState(jobs);
  const [dragged, setDragged] = useState<string>();
  const [said, setSaid] = useState("");
  const stamp = jobs.map((one) => `${one.job}${one.priority}${one.paused}${one.status}${one.waiting_reason}`).join();
  useEffect(() => {
    if (!dragged && !change.isPending) setOrder(jobs);
  }, [stamp, dragged, change.isPending, change.submittedAt]); // a quick answer is never seen pending

  const save = (to: Job[], id: string) => {
    const at = to.findIndex((one) => one.job === id), job = to[at];
    setOrder(to);
    if (!job || jobs[at]?.job === id) return;
    setSaid(t("queue.moved", { name: job.name, n: at + 1, all: to.length }));
    change.mutate({ id, ...placeOf(to, at) });
  };
  const under = (y: number): number => {
    const rows = [...(list.current?.children ?? [])];
    const at = rows.findIndex((row) => y < row.getBoundingClientRect().bottom);
    return at < 0 ? rows.length - 1 : at;
  };
  return (
    <>
      {may && <p className="mb-2 text-xs text-muted">{t("queue.hint")}</p>}
      <p className="sr-only" role="status">{said}</p>
      <ul ref={list} className="card divide-y divide-border !p-0">
        {order.map((job, i) => (
          <JobRow key={job.job} job={job} dragged={dragged === job.job} before={may && (
            <button type="button" aria-label={t("queue.move", { name: job.name })}
              className="relative z-[1] -ml-2 cursor-grab touch-none rounded p-2 text-muted hover:bg-raised hover:text-foreground active:cursor-grabbing"
              onKeyDown={(e) => {
                const step = e.key === "ArrowUp" ? -1 : e.key === "ArrowDown" ? 1 : 0;
                if (!step) return;
                e.preventDefault();
                if (i + step >= 0 && i + step < order.length) save(moved(order, i, i + step), job.job);
              }}
              onPointerDown={(e) => {
                if (e.button !== 0) return;
                e.currentTarget.setPointerCapture(e.pointerId);
                setDragged(job.job);
              }}
              onPointerMove={(e) => {
                if (dragged !== job.job) return;
                const to = under(e.clientY);
                if (to !== i) setOrder(moved(order, i, to));
              }}
              onPointerUp={() => {
                if (dragged !== job.job) return;
                setDragged(undefined);
                save(order, job.job);
              }}
              onPointerCancel={() => {
                setDragged(undefined);
                setOrder(jobs);
              }}>
              <Icon d={icons.drag} />
            </button>
          )}>
            {may && <Priority job={job} onChange={(priority) => change.mutate({ id: job.job, priority })} />}
          </JobRow>
        ))}
      </ul>
    </>
  );
}
