// How good the model is after an epoch: scores, each class, what is mistaken for what - down to the pictures.
import { useInfiniteQuery } from "@tanstack/react-query";
import { useState } from "react";

import { useTexts } from "../../i18n";
import { Paged } from "../../parts/more";
import { Thumb } from "../../parts/picture";
import { Button, Card, Dialog, Empty, Select, Show } from "../../parts/ui";
import type { ClassScore, Job, Validation } from "../../types";
import { Confusion } from "./confusion";
import { getResults, type ResultFilter, resultsPath, useValidation, useValidations } from "./queries";

type Column = keyof ClassScore;

function Scores({ of: v }: { of: Validation }) {
  const { t, percent, number } = useTexts();
  const cells: [string, string][] = [
    [t("accuracy"), percent(v.accuracy)], [t("top5"), percent(v.top5)], [t("precision"), percent(v.precision)],
    [t("recall"), percent(v.recall)], ["F1", percent(v.f1)], [t("loss"), number(v.loss, 4)],
  ];
  return (
    <dl className="grid grid-cols-2 gap-3 sm:grid-cols-3 lg:grid-cols-6">
      {cells.map(([name, value]) => (
        <div key={name} className="card !p-3">
          <dt className="text-xs text-muted">{name}</dt>
          <dd className="numbers text-lg font-semibold">{value}</dd>
        </div>
      ))}
    </dl>
  );
}

function Classes({ rows, onOpen }: { rows: ClassScore[]; onOpen: (label: number) => void }) {
  const { t, percent, number } = useTexts();
  const [by, setBy] = useState<Column>("f1");
  const [down, setDown] = useState(false);
  const columns: [Column, string][] = [["class", t("class")], ["precision", t("precision")], ["recall", t("recall")], ["f1", "F1"], ["support", t("picturesWord")]];
  const sorted = rows.map((row, label) => ({ row, label })).sort((a, b) => {
    const x = a.row[by], y = b.row[by];
    const d = typeof x === "string" || typeof y === "string" ? String(x).localeCompare(String(y)) : x - y;
    return down ? -d : d;
  });
  return (
    <div className="max-h-[32rem] overflow-auto" tabIndex={0} role="region" aria-label={t("classesWord")}>
      <table className="numbers w-full text-sm [&_td]:px-2 [&_th]:px-2">
        <thead className="sticky top-0 bg-surface">
          <tr>
            {columns.map(([key, text]) => (
              <th key={key} aria-sort={by === key ? (down ? "descending" : "ascending") : "none"} className={key === "class" ? "" : "!text-right"}>
                <button type="button" className="min-h-8 font-medium hover:text-foreground" onClick={() => {
                  setDown(by === key ? !down : false);
                  setBy(key);
                }}>
                  {text} <span aria-hidden="true">{by === key ? (down ? "↓" : "↑") : ""}</span>
                </button>
              </th>
            ))}
          </tr>
        </thead>
        <tbody className="divide-y divide-border">
          {sorted.map(({ row, label }) => (
            <tr key={row.class}>
              <th scope="row" className="!text-sm !font-normal !text-foreground">
                <button type="button" className="link text-left" onClick={() => onOpen(label)}>{row.class}</button>
              </th>
              <td className="text-right">{percent(row.precision)}</td>
              <td className="text-right">{percent(row.recall)}</td>
              <td className="text-right">{percent(row.f1)}</td>
              <td className="text-right">{number(row.support)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Pictures({ job, of: v, filter, title, onClose }: { job: Job; of: Validation; filter: ResultFilter; title: string; onClose: () => void }) {
  const { t, percent } = useTexts();
  const list = useInfiniteQuery({
    queryKey: ["job", job.job, "results", v.epoch, filter],
    queryFn: ({ pageParam }) => getResults(resultsPath(job.job, v.epoch, filter, pageParam)),
    initialPageParam: 0,
    getNextPageParam: (page) => page.next,
    staleTime: Infinity,
  });
  return (
    <Dialog wide title={title} onClose={onClose}>
      <Paged of={list} items={(page) => page.images} empty={<Empty title={t("picture.none")} />}>
        {(all) => (
          <ul className="grid grid-cols-2 gap-3 sm:grid-cols-4 lg:grid-cols-6">
            {all.map((one) => (
              <li key={one.index} className="min-w-0 text-xs">
                <a href={`/datasets/${job.dataset}/blobs/${one.sha256}`} target="_blank" rel="noreferrer" title={one.name}>
                  <Thumb src={`/datasets/${job.dataset}/blobs/${one.sha256}?thumb=1`} alt={one.name} />
                </a>
                <p className="mt-1 truncate">{v.classes[one.label]}</p>
                <p className={`numbers truncate ${one.label === one.predicted ? "text-success" : "text-destructive"}`}>
                  {v.classes[one.predicted]} {percent(one.confidence, 0)}
                </p>
              </li>
            ))}
          </ul>
        )}
      </Paged>
    </Dialog>
  );
}

function Detail({ job, of: v }: { job: Job; of: Validation }) {
  const { t } = useTexts();
  const [open, setOpen] = useState<{ filter: ResultFilter; title: string }>();
  const name = (i: number) => v.classes[i] ?? String(i);
  return (
    <div className="space-y-5">
      <Scores of={v} />
      <div className="flex flex-wrap items-center gap-3">
        <p className="text-sm text-muted">{t("validation.of", { n: v.images, split: v.split })}</p>
        <Button onClick={() => setOpen({ filter: { correct: "false" }, title: t("validation.wrong") })}>{t("validation.wrong")}</Button>
      </div>
      <div className="grid items-start gap-5 xl:grid-cols-[5fr_4fr]">
        <Card title={t("confusion")}>
          {v.confusion
            ? <Confusion classes={v.classes} counts={v.confusion}
                onOpen={(label, predicted) => setOpen({ filter: { label, predicted }, title: t("validation.cell", { label: name(label), predicted: name(predicted) }) })} />
            : <p className="text-sm text-muted">{t("confusion.large", { n: v.classes.length })}</p>}
        </Card>
        <Card title={t("classesWord")}>
          <Classes rows={v.per_class} onOpen={(label) => setOpen({ filter: { label }, title: name(label) })} />
        </Card>
      </div>
      {open && <Pictures job={job} of={v} filter={open.filter} title={open.title} onClose={() => setOpen(undefined)} />}
    </div>
  );
}

export function ValidationView({ job }: { job: Job }) {
  const { t } = useTexts();
  const list = useValidations(job.job);
  const [chosen, setChosen] = useState<number>();
  const epochs = list.data?.map((v) => v.epoch) ?? [];
  const best = job.best && epochs.includes(job.best.epoch) ? job.best.epoch : undefined;
  const epoch = chosen ?? best ?? epochs.at(-1);
  const validation = useValidation(job.job, epoch);
  return (
    <Show of={list}>
      {(all) => all.length === 0 ? <Empty title={t("validation.none")} /> : (
        <div className="space-y-5">
          {all.length > 1 && (
            <Select label={t("epoch")} value={String(epoch)} onChange={(to) => setChosen(Number(to))}
              options={all.map((v) => [String(v.epoch), v.epoch === job.best?.epoch ? t("validation.best", { n: v.epoch }) : String(v.epoch)])} />
          )}
          <Show of={validation} lines={6}>{(v) => <Detail job={job} of={v} />}</Show>
        </div>
      )}
    </Show>
  );
}
