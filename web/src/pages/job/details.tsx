// What the job is made of and has left: settings, checkpoints, attempts.
import { useMutation } from "@tanstack/react-query";
import type { ReactNode } from "react";

import { api } from "../../api";
import { useTexts } from "../../i18n";
import { Badge, Button, Card, Empty, ErrorNote, Facts, Show } from "../../parts/ui";
import { Link } from "../../router";
import type { Checkpoint, Job } from "../../types";
import { jobPath } from "../jobs/queries";
import { useAttempts, useCheckpoints } from "./queries";

function Checkpoints({ job }: { job: Job }) {
  const { t, number, bytes, time, score } = useTexts();
  const list = useCheckpoints(job.job);
  const fetchOne = useMutation({
    mutationFn: async (epoch: number) => {
      const one = await api.get<Checkpoint>(`${jobPath(job.job)}/checkpoints/${epoch}`);
      if (one.weights_url) window.location.assign(one.weights_url);
    },
  });
  return (
    <Card title={t("checkpoints")}>
      <Show of={list}>
        {(all) => {
          const kept = all.filter((c) => c.is_best || c.is_last || c.is_periodic);
          return kept.length ? (
            <ul className="divide-y divide-border">
              {kept.map((c) => (
                <li key={c.epoch} className="flex items-center gap-4 py-2 text-sm">
                  <div className="min-w-0 flex-1">
                    <p className="numbers flex flex-wrap items-center gap-x-3 gap-y-1">
                      <span className="font-medium">{t("epoch")} {c.epoch}</span>
                      <span>{score(c.metric)} {number(c.value, 4)}</span>
                      {c.is_best && <Badge tone="success">{t("checkpoint.best")}</Badge>}
                      {c.is_last && <Badge>{t("checkpoint.last")}</Badge>}
                    </p>
                    <p className="numbers text-xs text-muted">
                      {bytes(c.weights_bytes)} · {time(c.time)} · <code title={c.weights_sha256}>{c.weights_sha256.slice(0, 12)}</code>
                    </p>
                  </div>
                  <Button look="quiet" onClick={() => fetchOne.mutate(c.epoch)}>{t("download")}</Button>
                </li>
              ))}
            </ul>
          ) : <Empty title={t("checkpoint.none")} />;
        }}
      </Show>
      {fetchOne.isError && <ErrorNote error={fetchOne.error} />}
    </Card>
  );
}

function Attempts({ job }: { job: Job }) {
  const { t, of, time, said } = useTexts();
  const list = useAttempts(job.job);
  return (
    <Card title={t("attempts")}>
      <Show of={list}>
        {(all) => all.length ? (
          <ul className="divide-y divide-border">
            {all.map((a) => (
              <li key={a.attempt} className="flex flex-wrap gap-x-4 gap-y-1 py-2 text-sm">
                <span className="w-8">{a.attempt}</span>
                <span>{of("attempt", a.status)}</span>
                <span className="text-muted">{a.trainer}</span>
                <span className="text-muted">{time(a.started_at)}{a.ended_at && ` – ${time(a.ended_at)}`}</span>
                {a.reason && <span className="basis-full break-words text-muted">{said(a.reason)}</span>}
              </li>
            ))}
          </ul>
        ) : <Empty title={t("attempt.none")} />}
      </Show>
    </Card>
  );
}

export function Details({ job }: { job: Job }) {
  const { t, time, of } = useTexts();
  const settings = Object.entries(job.config);
  return (
    <div className="grid items-start gap-5 lg:grid-cols-2">
      <div className="min-w-0 space-y-5">
        <Card title={t("job.about")}>
          <Facts rows={[
            ["Id", <code key="id" className="text-xs">{job.job}</code>],
            [t("kind"), of("kind", job.kind) + (job.split ? ` (${of("split", job.split)})` : "")],
            [t("model"), `${job.model} (${job.framework})`],
            [t("dataset"), <Link key="data" className="link" href={`/app/datasets/${job.dataset}`}>{job.dataset_name}</Link>],
            [t("version"), <code key="version" className="text-xs">{job.dataset_version.slice(0, 12)}</code>],
            ...(job.base_job ? [[t("job.from"), <Link key="base" className="link" href={`/app/jobs/${job.base_job}`}>{job.base_job}</Link>] as [string, ReactNode]] : []),
            [t("job.by"), job.created_by_name ?? ""],
            [t("created"), time(job.created_at)],
            ...(job.weights_sha256 ? [[t("job.weights"), <code key="w" className="break-all text-xs">{job.weights_sha256}</code>] as [string, ReactNode]] : []),
          ]} />
        </Card>
        <Checkpoints job={job} />
        <Attempts job={job} />
      </div>
      <Card title={t("settings")}>
        <dl className="numbers grid grid-cols-[auto_1fr] gap-x-6 gap-y-1 text-sm">
          {settings.map(([name, value]) => (
            <div key={name} className="contents">
              <dt className="text-muted">{name}</dt><dd className="min-w-0 break-words">{String(value)}</dd>
            </div>
          ))}
        </dl>
      </Card>
    </div>
  );
}
