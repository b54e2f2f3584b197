// How the job stands: progress and time left, why it waits, why it failed.
import { type ReactNode, useEffect, useState } from "react";

import { useTexts } from "../../i18n";
import { Card, ErrorNote, Progress, StatusBadge } from "../../parts/ui";
import { Link } from "../../router";
import { hasEnded, type Job } from "../../types";
import type { Live } from "./queries";

function useClock(on: boolean): number {
  const [now, setNow] = useState(Date.now);
  useEffect(() => {
    if (!on) return;
    const timer = window.setInterval(() => setNow(Date.now()), 1000);
    return () => window.clearInterval(timer);
  }, [on]);
  return now;
}

function Item({ name, children, wide }: { name: string; children: ReactNode; wide?: boolean }) {
  return <div className={wide ? "col-span-2" : ""}><dt className="text-xs text-muted">{name}</dt><dd className="numbers text-sm font-medium">{children}</dd></div>;
}

export function StatusCard({ job, live }: { job: Job; live: Live }) {
  const { t, percent, duration, number, time, said, score } = useTexts();
  const running = job.status === "running";
  const clock = useClock(running);
  const ms = (at: string | null) => (at ? new Date(at).getTime() : 0);
  const elapsed = job.started_at ? (job.ended_at ? ms(job.ended_at) : clock) - ms(job.started_at) : 0;
  const now = running ? live.now : undefined;
  return (
    <Card className="mb-6">
      <div className="mb-3 flex flex-wrap items-center gap-3">
        <StatusBadge status={job.status} paused={job.paused} />
        {running && job.wish !== "none" && (
          <span role="status" className="text-sm font-medium text-warning">{t(job.wish === "pause" ? "pause.wish" : "pause.wishFinish")}</span>
        )}
        {job.status === "queued" && job.queue_place > 0 && (
          <Link className="link text-sm" href="/app/jobs?sort=queue">{t("job.place", { n: job.queue_place })}</Link>
        )}
        {job.attempt > 1 && <span className="text-sm text-muted">{t("job.attempt", { n: job.attempt, all: job.attempts })}</span>}
        {live.state === "waiting" && !hasEnded(job.status) && <span role="status" className="text-sm text-warning">{t("live.waiting")}</span>}
        <p aria-live="polite" className="min-w-0 basis-full break-words text-sm text-muted sm:flex-1 sm:basis-60">
          {said(job.waiting_reason ?? (job.status === "failed" ? "" : job.message ?? ""))}
        </p>
      </div>
      {!hasEnded(job.status) && <Progress value={job.progress} label={t("progress")} />}
      {job.error && <ErrorNote error={new Error(`${said(job.error.text)} (${job.error.code})`)} />}
      <dl className="mt-4 grid grid-cols-2 gap-x-4 gap-y-3 sm:grid-cols-3 lg:grid-cols-6">
        {job.kind === "train" && <Item name={t("epoch")}>{t("job.epochOf", { epoch: job.epoch, epochs: job.epochs })}</Item>}
        {running && <Item name={t("progress")}>{percent(job.progress)}</Item>}
        {running && <Item name={t("job.left")}>{live.left === undefined ? "–" : duration(live.left)}</Item>}
        {elapsed > 0 && <Item name={t("job.elapsed")}>{duration(elapsed)}</Item>}
        {job.best && <Item wide name={t("job.best")}>{number(job.best.value, 4)} <span className="font-normal text-muted">{score(job.best.metric)}, {t("epochN", { n: job.best.epoch })}</span></Item>}
        {now?.metrics["train/loss"] !== undefined && <Item name="train/loss">{number(now.metrics["train/loss"], 4)}</Item>}
        {now?.metrics["images_per_second"] !== undefined && <Item name={t("job.speed")}>{number(now.metrics["images_per_second"], 0)}</Item>}
        {!running && <Item wide name={t("created")}>{time(job.created_at)}</Item>}
      </dl>
    </Card>
  );
}
