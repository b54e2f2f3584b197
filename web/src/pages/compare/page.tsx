// Runs side by side: a table of all of them, parallel coordinates, and the chosen ones over each other.
import { useDeferredValue, useMemo, useState } from "react";

import { useTexts } from "../../i18n";
import { kept, keep } from "../../kept";
import { Checkbox, Switch } from "../../parts/controls";
import { Popover } from "../../parts/menu";
import { DataTable } from "../../parts/table";
import { Button, Card, Dialog, Empty, ErrorNote, Field, Input, PageHead, Select, Show } from "../../parts/ui";
import { setQuery, useQueryParams, useTitle } from "../../router";
import { useMay } from "../../session";
import { statuses } from "../../types";
import { Chosen } from "./chosen";
import { useColumns } from "./columns";
import { type Axis, Parallel, passing } from "./parallel";
import { type Run, type Runs, useChangeRun, useRuns, useSettingNames } from "./runs";

const CHOSEN_MAX = 10;
const KEY = "anneal-compare";
const known = ["val/loss", "val/accuracy", "val/top5", "val/f1", "val/map50", "val/map", "val/miou", "val/dice", "loss", "learning_rate", "images_per_second"];

interface Shown { settings: string[]; metrics: string[] }
function keptColumns(): Shown {
  try {
    const { settings, metrics } = JSON.parse(kept(KEY) ?? "") as Shown;
    if (Array.isArray(settings) && Array.isArray(metrics)) return { settings, metrics };
  } catch {
    // nothing is kept yet, or something that is not ours
  }
  return { settings: ["learning_rate", "batch_size"], metrics: ["val/loss"] };
}

function Columns({ shown, onChange }: { shown: Shown; onChange: (to: Shown) => void }) {
  const { t } = useTexts();
  const settings = useSettingNames();
  const turn = (list: string[], name: string) => (list.includes(name) ? list.filter((one) => one !== name) : [...list, name]);
  const group = (title: string, names: string[], on: string[], change: (to: string[]) => void, most: number) => (
    <fieldset className="min-w-0">
      <legend className="text-xs font-medium text-muted">{title}</legend>
      {names.map((name) => (
        <Checkbox key={name} label={name} checked={on.includes(name)} disabled={!on.includes(name) && on.length >= most} onChange={() => change(turn(on, name))} />
      ))}
    </fieldset>
  );
  return (
    <Popover label={t("compare.columns")} trigger={<Button>{t("compare.columns")}</Button>}>
      <div className="grid max-h-[60vh] grid-cols-2 gap-4 overflow-auto">
        {group(t("compare.metrics"), [...new Set([...known, ...shown.metrics])], shown.metrics, (metrics) => onChange({ ...shown, metrics }), 16)}
        {group(t("compare.settings"), [...new Set([...shown.settings, ...(settings.data ?? [])])], shown.settings, (to) => onChange({ ...shown, settings: to }), 32)}
      </div>
    </Popover>
  );
}

function Annotate({ run, onClose }: { run: Run; onClose: () => void }) {
  const { t } = useTexts();
  const change = useChangeRun();
  const [notes, setNotes] = useState(run.notes);
  const [tags, setTags] = useState(run.tags.join(", "));
  return (
    <Dialog title={run.name} onClose={onClose}>
      <form className="space-y-4" onSubmit={(e) => {
        e.preventDefault();
        change.mutate({ job: run.job, notes, tags: tags.split(",").map((one) => one.trim()).filter(Boolean) }, { onSuccess: onClose });
      }}>
        <Field label={t("compare.tags")}><Input value={tags} onChange={(e) => setTags(e.target.value)} /></Field>
        <Field label={t("compare.notes")}><textarea className="field min-h-28" value={notes} onChange={(e) => setNotes(e.target.value)} /></Field>
        {change.isError && <ErrorNote error={change.error} />}
        <div className="flex justify-end gap-2">
          <Button onClick={onClose}>{t("back")}</Button>
          <Button type="submit" look="primary" busy={change.isPending}>{t("compare.save")}</Button>
        </div>
      </form>
    </Dialog>
  );
}

function Table({ data, shown, chosen, onChosen }: { data: Runs; shown: Shown; chosen: string[]; onChosen: (to: string[]) => void }) {
  const { t } = useTexts();
  const may = useMay("engineer");
  const change = useChangeRun();
  const [annotated, setAnnotated] = useState<Run>();
  const [ranges, setRanges] = useState<ReadonlyMap<string, readonly [number, number]>>(new Map());
  const set = useMemo(() => new Set(chosen), [chosen]);
  const choose = (run: Run) => onChosen(set.has(run.job) ? chosen.filter((one) => one !== run.job) : [...chosen, run.job].slice(-CHOSEN_MAX));
  const columns = useColumns({
    ...shown, chosen: set, onChoose: choose, onAnnotate: setAnnotated,
    onStar: may ? (run) => change.mutate({ job: run.job, starred: !run.starred }) : undefined,
  });
  const axes = useMemo((): Axis[] => [
    ...shown.settings.map((name): Axis => ({ key: `setting ${name}`, title: name, value: (run) => { const v = run.settings[name]; return typeof v === "number" ? v : undefined; } })),
    ...shown.metrics.map((name): Axis => ({ key: `metric ${name}`, title: name, value: (run) => run.metrics[name] })),
    { key: "best", title: t("compare.best"), value: (run) => run.best },
  ], [shown, t]);
  const rows = useMemo(() => passing(data.runs, axes, ranges), [data.runs, axes, ranges]);
  const picked = data.runs.filter((run) => set.has(run.job));
  return (
    <div className="space-y-6">
      {change.isError && <ErrorNote error={change.error} />}
      {data.more && <p className="text-sm text-warning">{t("compare.more", { n: data.runs.length })}</p>}
      <DataTable label={t("compare")} rows={rows} columns={columns} id={(run) => run.job} onOpen={choose} selected={(run) => set.has(run.job)} height="60vh"
        sort={{ key: "created", down: true }} />
      <p className="text-xs text-muted">{t("compare.runs", { n: rows.length })}{chosen.length >= CHOSEN_MAX && ` · ${t("compare.limit", { n: CHOSEN_MAX })}`}</p>
      {picked.length > 0 && <Chosen runs={picked} onNone={() => onChosen([])} />}
      <Card title={t("compare.parallel")}><Parallel runs={data.runs} axes={axes} chosen={set} ranges={ranges} onRanges={setRanges} /></Card>
      {annotated && <Annotate run={annotated} onClose={() => setAnnotated(undefined)} />}
    </div>
  );
}

export default function ComparePage() {
  const { t, of } = useTexts();
  const query = useQueryParams();
  const [q, setQ] = useState(query.get("q") ?? "");
  const [shown, setShown] = useState(keptColumns);
  const status = query.get("status") ?? "", starred = query.get("starred") === "1";
  const chosen = useMemo(() => (query.get("runs") ?? "").split(",").filter(Boolean).slice(0, CHOSEN_MAX), [query]);
  const search = useDeferredValue(q.trim());
  const runs = useRuns({ q: search, status, starred, ...shown });
  useTitle(t("compare"));
  return (
    <>
      <PageHead title={t("compare")} />
      <p className="mb-4 max-w-prose text-sm text-muted">{t("compare.lead")}</p>
      <div className="mb-4 flex flex-wrap items-end gap-3">
        <Select label={t("status")} value={status} onChange={(to) => setQuery({ status: to })}
          options={[["", t("all")], ...statuses.map((s): [string, string] => [s, of("status", s)])]} />
        <div className="min-w-40 flex-1 sm:max-w-72">
          <Input type="search" aria-label={t("search")} placeholder={t("search")} value={q} onChange={(e) => setQ(e.target.value)} />
        </div>
        <Switch label={t("compare.starred")} checked={starred} onChange={(on) => setQuery({ starred: on ? "1" : "" })} />
        <Columns shown={shown} onChange={(to) => {
          keep(KEY, JSON.stringify(to));
          setShown(to);
        }} />
      </div>
      <Show of={runs} lines={8}>
        {(data) => (data.runs.length
          ? <Table data={data} shown={shown} chosen={chosen} onChosen={(to) => setQuery({ runs: to.join(",") })} />
          : <Empty title={search || status || starred ? t("nothingFound") : t("compare.none")} />)}
      </Show>
    </>
  );
}
