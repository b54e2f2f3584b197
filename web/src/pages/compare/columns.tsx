// The columns of the comparison: what every run has, then the settings and metrics that are asked for.
import { useTexts } from "../../i18n";
import { Checkbox } from "../../parts/controls";
import { short } from "../../parts/chart";
import type { Column } from "../../parts/table";
import { StatusBadge } from "../../parts/ui";
import { Link } from "../../router";
import { scoreName } from "../../types";
import type { Run } from "./runs";

/** Fits a row's links and buttons to its height; a click on them is not one on the row. */
const own = (e: { stopPropagation(): void }) => e.stopPropagation();

export function useColumns({ settings, metrics, chosen, onChoose, onStar, onAnnotate }: {
  settings: string[]; metrics: string[]; chosen: ReadonlySet<string>;
  onChoose: (run: Run) => void; onStar?: ((run: Run) => void) | undefined; onAnnotate: (run: Run) => void;
}): Column<Run>[] {
  const { t, ago, duration } = useTexts();
  const text = (value: unknown) => (value === null || value === undefined ? "" : Array.isArray(value) ? value.join(", ") : String(value));
  return [
    {
      key: "choose", title: "✓", width: 44, pinned: true,
      cell: (run) => <span onClick={own}><Checkbox hideLabel label={t("compare.choose", { name: run.name })} checked={chosen.has(run.job)} onChange={() => onChoose(run)} /></span>,
    },
    {
      key: "name", title: t("name"), width: 220, pinned: true, value: (run) => run.name,
      cell: (run) => <span onClick={own}><Link href={`/app/jobs/${run.job}`} className="font-medium hover:underline">{run.name}</Link></span>,
    },
    {
      key: "starred", title: "★", width: 56, value: (run) => Number(run.starred),
      cell: (run) => (
        <button type="button" disabled={!onStar} aria-pressed={run.starred} className={`min-h-8 min-w-8 text-left ${run.starred ? "text-warning" : "text-muted"}`}
          aria-label={t(run.starred ? "compare.unstar" : "compare.star", { name: run.name })}
          onClick={(e) => {
            own(e);
            onStar?.(run);
          }}>
          {run.starred ? "★" : "☆"}
        </button>
      ),
    },
    { key: "status", title: t("status"), width: 120, value: (run) => (run.paused ? "paused" : run.status), cell: (run) => <StatusBadge status={run.status} paused={run.paused} /> },
    {
      key: "best", title: t("compare.best"), width: 170, align: "right", value: (run) => run.best,
      cell: (run) => (run.best === null ? "" : <span title={scoreName(run.best_metric)}>{short(run.best)} <span className="text-xs text-muted">{scoreName(run.best_metric)}</span></span>),
    },
    ...metrics.map((name): Column<Run> => ({
      key: `metric ${name}`, title: name, width: 120, align: "right", value: (run) => run.metrics[name], cell: (run) => short(run.metrics[name]),
    })),
    { key: "model", title: t("model"), width: 130, value: (run) => run.model },
    { key: "dataset", title: t("dataset"), width: 140, value: (run) => run.dataset },
    ...settings.map((name): Column<Run> => ({
      key: `setting ${name}`, title: name, width: 120, align: "right",
      value: (run) => {
        const value = run.settings[name];
        return typeof value === "number" ? value : text(value);
      },
      cell: (run) => text(run.settings[name]),
    })),
    { key: "epoch", title: t("epoch"), width: 90, align: "right", value: (run) => run.epoch, cell: (run) => `${run.epoch}/${run.epochs}` },
    {
      key: "took", title: t("compare.took"), width: 110, align: "right",
      value: (run) => (run.started_at && run.ended_at ? run.ended_at - run.started_at : undefined),
      cell: (run) => (run.started_at && run.ended_at ? duration(run.ended_at - run.started_at) : ""),
    },
    { key: "created", title: t("created"), width: 130, value: (run) => run.created_at, cell: (run) => ago(run.created_at) },
    { key: "by", title: t("compare.by"), width: 130, value: (run) => run.created_by },
    {
      key: "tags", title: t("compare.tagsWord"), width: 200, value: (run) => run.tags.join(", "),
      cell: (run) => (
        <button type="button" aria-label={t("compare.annotate", { name: run.name })} className="flex min-h-8 w-full min-w-16 items-center gap-1 truncate text-left text-muted hover:text-foreground"
          onClick={(e) => {
            own(e);
            onAnnotate(run);
          }}>
          {run.tags.join(", ") || (run.notes ? "" : "…")}{run.notes && ` ✎ ${run.notes}`}
        </button>
      ),
    },
  ];
}
