// The versions of a model: state, score, size, origin, and what can be done to each.
import { type ReactNode, useState } from "react";

import { useTexts } from "../../i18n";
import { Badge, Button, ButtonLink, Card, ErrorNote, Facts } from "../../parts/ui";
import { Link } from "../../router";
import { useMay } from "../../session";
import { scoreName } from "../../types";
import { Evaluate, Export, Move, Publish, type Verb } from "./actions";
import { type RegistryModel, scoreOf, type State, useApprover, type Version } from "./queries";

const tones = { draft: "muted", evaluated: "warning", approved: "info", live: "success", archived: "muted" } as const;

export function StateBadge({ state }: { state: State }) {
  return <Badge tone={tones[state]}>{useTexts().of("state", state)}</Badge>;
}

/** "Accuracy", "mAP50"; what the catalogue does not know is written as the field writes it. */
const nameOf = (text: string, metric: string) => (text === metric ? scoreName(metric) : text);
const bare = (metric: string) => metric.split("/").at(-1) ?? metric;

function Score({ version: v }: { version: Version }) {
  const { t, of, number } = useTexts();
  const score = scoreOf(v);
  return (
    <div className="min-w-0 text-sm">
      {score && (
        <p className="numbers">
          {nameOf(of("metric", score.name), score.name)} <span className="font-semibold">{number(score.value, 3)}</span>{" "}
          <span className="text-muted">
            {score.measured && v.evaluation ? t("registry.onSplit", { split: of("split", v.evaluation.split), dataset: v.evaluation.dataset_name }) : t("registry.inTraining")}
          </span>
        </p>
      )}
      {v.evaluation?.status === "running" && <p role="status" className="text-info">{t("registry.evaluating")}</p>}
    </div>
  );
}

function Details({ version: v, children }: { version: Version; children: ReactNode }) {
  const { t, of, time, bytes, number } = useTexts();
  const engine = v.engine && [v.engine["version"], v.engine["backend"], v.engine["isa"], v.engine["precision"]].filter(Boolean).join(" · ");
  const by = (name: string | null, at: string | null) => (at ? t("registry.byAt", { name: name ?? "-", time: time(at) }) : "-");
  const scores = v.evaluation?.status === "completed" ? Object.entries(v.evaluation.scores) : [];
  return (
    <div className="grid gap-6 border-t border-border bg-background/50 px-4 py-4 lg:grid-cols-2">
      <Facts rows={[
        [t("registry.job"), <Link key="job" className="link" href={`/app/jobs/${v.job_id}`}>{v.job_name}</Link>],
        [t("registry.network"), v.network],
        [t("registry.epoch"), number(v.epoch)],
        [t("registry.dataset"), <Link key="data" className="link" href={`/app/datasets/${v.dataset_id}?version=${v.dataset_version}`}>{v.dataset_name} <code className="text-xs">{v.dataset_version.slice(0, 12)}</code></Link>],
        [t("registry.size"), bytes(v.weights_bytes)],
        [t("registry.weights"), <code key="sha" className="break-all text-xs">{v.weights_sha256}</code>],
        [t("registry.engine"), engine || "-"],
        [t("registry.registeredBy"), by(v.created_by_name, v.created_at)],
        [t("registry.approvedBy"), by(v.approved_by_name, v.approved_at)],
      ]} />
      <div className="min-w-0 space-y-4">
        {scores.length > 0 && (
          <div>
            <h3 className="mb-2 text-sm font-medium">{t("registry.scores")}</h3>
            <Facts rows={scores.map(([name, value]) => [nameOf(of("metric", bare(name)), bare(name)), <span key={name} className="numbers">{number(value, 4)}</span>])} />
          </div>
        )}
        <details>
          <summary className="cursor-pointer text-sm font-medium">{t("registry.settings")}</summary>
          <div className="mt-2 max-h-72 overflow-auto" tabIndex={0} role="region" aria-label={t("registry.settings")}>
            <Facts rows={Object.entries(v.config).map(([name, value]) => [name, String(value)])} />
          </div>
        </details>
        <div className="flex flex-wrap gap-2">{children}</div>
      </div>
    </div>
  );
}

type Doing = "evaluate" | "publish" | "export" | Verb;

function Row({ model, version: v }: { model: RegistryModel; version: Version }) {
  const { t, of, ago, bytes } = useTexts();
  const engineer = useMay("engineer"), approver = useApprover(model);
  const [open, setOpen] = useState(false);
  const [doing, setDoing] = useState<Doing>();
  const close = () => setDoing(undefined);
  const label = t("registry.versionN", { version: String(v.version) });
  const can: [Doing, boolean][] = [
    ["evaluate", engineer && v.state !== "archived" && v.evaluation?.status !== "running"], ["approve", approver && v.state === "evaluated"],
    ["publish", engineer && (v.state === "approved" || v.state === "live")], ["export", true],
  ];
  const rarely: [Doing, boolean][] = [
    ["withdraw", approver && v.state === "approved"], ["archive", engineer && ["draft", "evaluated", "approved"].includes(v.state)],
    ["restore", engineer && v.state === "archived"],
  ];
  const act = (what: Doing, look: "primary" | "quiet" | "plain") => (
    <Button key={what} look={look} className="!px-3" aria-label={`${t(`registry.${what}`)}: ${label}`} onClick={() => setDoing(what)}>{t(`registry.${what}`)}</Button>
  );
  return (
    <li aria-label={label}>
      <div className="flex flex-wrap items-start gap-x-4 gap-y-3 px-4 py-3">
        <div className="min-w-0 flex-1 basis-64 space-y-1">
          <p className="flex flex-wrap items-center gap-2">
            <span className="font-semibold">{label}</span><StateBadge state={v.state} />
            {v.aliases.map((alias) => <Badge key={alias} tone="success">{alias}</Badge>)}
          </p>
          <Score version={v} />
          {v.notes && <p className="whitespace-pre-line break-words text-sm">{v.notes}</p>}
          <p className="text-xs text-muted">{v.network} · {v.dataset_name} · {bytes(v.weights_bytes)} · {v.created_by_name} · {ago(v.created_at)}</p>
          {v.evaluation?.status === "failed" && <ErrorNote error={new Error(t("registry.evaluationFailed", { why: v.evaluation.error ?? of("status", "failed") }))} />}
        </div>
        <div className="flex max-w-full flex-wrap gap-1">
          {can.filter(([, may]) => may).map(([what]) =>
            act(what, (what === "approve" && !v.aliases.length) || (what === "publish" && v.state === "approved") ? "primary" : "quiet"))}
          <ButtonLink look="quiet" href={`/app/try?model=${encodeURIComponent(model.name)}&version=${v.version}`} className="!px-3">{t("registry.try")}</ButtonLink>
          <Button look="quiet" className="!px-3" aria-expanded={open} aria-label={`${t("registry.details")}: ${label}`} onClick={() => setOpen(!open)}>{t("registry.details")}</Button>
        </div>
      </div>
      {open && <Details version={v}>{rarely.filter(([, may]) => may).map(([what]) => act(what, "plain"))}</Details>}
      {doing === "evaluate" ? <Evaluate version={v} onClose={close} /> : doing === "publish" ? <Publish model={model} version={v} onClose={close} />
        : doing === "export" ? <Export version={v} onClose={close} /> : doing && <Move version={v} verb={doing} onClose={close} />}
    </li>
  );
}

export function Versions({ model, versions, onAdd }: { model: RegistryModel; versions: Version[]; onAdd?: () => void }) {
  const { t } = useTexts();
  const [old, setOld] = useState(false);
  const archived = versions.some((v) => v.state === "archived");
  return (
    <Card title={t("registry.versionsOf")} className="!px-0 !pb-0 [&>div:first-child]:px-4" aside={
      <div className="flex flex-wrap items-center gap-4">
        {archived && (
          <label className="flex min-h-10 items-center gap-2 text-sm text-muted">
            <input type="checkbox" checked={old} onChange={(e) => setOld(e.target.checked)} className="accent-primary" />{t("registry.showArchived")}
          </label>
        )}
        {onAdd && <Button onClick={onAdd}>{t("registry.newVersion")}</Button>}
      </div>
    }>
      <ul className="divide-y divide-border border-t border-border">
        {versions.filter((v) => old || v.state !== "archived").map((v) => <Row key={v.version} model={model} version={v} />)}
      </ul>
    </Card>
  );
}
