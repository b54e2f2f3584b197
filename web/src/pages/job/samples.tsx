// Training pictures as they enter the network, with their labels: one sheet, shown cell by cell.
import { useTexts } from "../../i18n";
import { Overlay } from "../../parts/picture";
import { Empty, Show } from "../../parts/ui";
import type { Job, Samples } from "../../types";
import { useSamples } from "./queries";

/** Where a cell of the sheet stands, in parts of a cell. */
export function place(s: Samples, i: number) {
  const step = (s.cell + s.gap) / s.cell, column = i % s.columns, row = Math.floor(i / s.columns);
  return { width: `${((s.columns * (s.cell + s.gap) - s.gap) / s.cell) * 100}%`, left: `${-column * step * 100}%`, top: `${-row * step * 100}%` };
}

function Cell({ of: s, i, src }: { of: Samples; i: number; src: string }) {
  const { t, percent } = useTexts();
  const one = s.pictures[i];
  if (!one) return null;
  const labels = one.labels.map(([cls, share]) => `${s.classes[cls] ?? cls}${one.labels.length > 1 ? ` ${percent(share, 0)}` : ""}`);
  const text = one.boxes.length ? t("watch.objects", { n: one.boxes.length }) : labels.join(", ");
  return (
    <li className="min-w-0 text-xs">
      <span className="relative block aspect-square overflow-hidden rounded bg-raised">
        <img src={src} alt={`${one.name}: ${text}`} className="absolute h-auto max-w-none" style={place(s, i)} />
        {one.boxes.length > 0 && <Overlay shapes={{ boxes: one.boxes }} width={one.size} height={one.size} classes={s.classes} names />}
      </span>
      <p className="mt-1 truncate" title={one.name}>{text || one.name}</p>
    </li>
  );
}

export function SamplesView({ job }: { job: Job }) {
  const { t } = useTexts();
  const samples = useSamples(job.job);
  return (
    <Show of={samples} lines={4}>
      {(s) => s === null || !s.pictures.length ? <Empty title={t("watch.samplesNone")} /> : (
        <div className="space-y-4">
          <p className="max-w-prose text-sm text-muted">{t("watch.samplesText")}</p>
          <ul className="grid grid-cols-2 gap-3 sm:grid-cols-4 xl:grid-cols-8">
            {s.pictures.map((one, i) => <Cell key={one.name + i} of={s} i={i} src={`/training/jobs/${job.job}/samples/sheet`} />)}
          </ul>
        </div>
      )}
    </Show>
  );
}
