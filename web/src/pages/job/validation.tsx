// How good the model is after an epoch: scores, each class, what is mistaken for what - down to the pictures.
import { useState } from "react";

import { useTexts } from "../../i18n";
import { Button, Card, Empty, Select, Show } from "../../parts/ui";
import type { ClassScore, Job, Validation } from "../../types";
import { Confusion } from "./confusion";
import { BoxCurves, ClassCurves } from "./curves";
import { RecallCurves } from "./objects";
import { type ResultFilter, useValidation, useValidations } from "./queries";
import { hasBoxes as boxes, Viewer } from "./viewer";

function Scores({ of: v }: { of: Validation }) {
  const { t, percent, number } = useTexts();
  const share = (value: number | undefined) => (value === undefined || value < 0 ? "–" : percent(value));
  const masks: [string, string][] = v.task === "segmentation" ? [["mask mAP50", share(v.mask_map50)], ["mask mAP", share(v.mask_map)]] : [];
  const cells: [string, string][] = boxes(v)
    ? [["mAP50", share(v.map50)], ["mAP", share(v.map)], ...masks, [t("precision"), share(v.precision)], [t("recall"), share(v.recall)],
      ["F1", share(v.f1)], [t("validation.threshold"), number(v.best_confidence ?? 0, 3)]]
    : v.task === "semantic"
      ? [["mIoU", share(v.miou)], ["Dice", share(v.dice)], [t("validation.pixelAccuracy"), share(v.accuracy)], [t("validation.meanAccuracy"), share(v.mean_accuracy)]]
      : [[t("accuracy"), share(v.accuracy)], [t("top5"), share(v.top5)], [t("precision"), share(v.precision)],
        [t("recall"), share(v.recall)], ["F1", share(v.f1)], [t("loss"), number(v.loss ?? 0, 4)]];
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

type Column = Exclude<keyof ClassScore, "precision_at_recall">;

function columnsOf(v: Validation): Column[] {
  if (v.task === "semantic") return ["class", "iou", "dice"];
  const masks: Column[] = v.task === "segmentation" ? ["mask_ap50"] : [];
  return boxes(v) ? ["class", "ap50", "ap", ...masks, "precision", "recall", "support"] : ["class", "precision", "recall", "f1", "support"];
}

function Classes({ of: v, onOpen }: { of: Validation; onOpen: (label: number) => void }) {
  const { t, percent, number } = useTexts();
  const columns = columnsOf(v);
  const [by, setBy] = useState<Column>(columns[1] ?? "class");
  const [down, setDown] = useState(false);
  const titles: Record<Column, string> = {
    class: t("class"), precision: t("precision"), recall: t("recall"), f1: "F1", support: boxes(v) ? t("objectsWord") : t("picturesWord"),
    ap50: "AP50", ap: "AP", mask_ap50: "mask AP50", mask_ap: "mask AP", iou: "IoU", dice: "Dice",
  };
  const text = (row: ClassScore, key: Column) => {
    const value = row[key];
    if (typeof value !== "number") return value ?? "–";
    return key === "support" ? number(value) : value < 0 ? "–" : percent(value);
  };
  const sorted = v.per_class.map((row, label) => ({ row, label })).sort((a, b) => {
    const x = a.row[by] ?? -1, y = b.row[by] ?? -1;
    const d = typeof x === "string" || typeof y === "string" ? String(x).localeCompare(String(y)) : x - y;
    return down ? -d : d;
  });
  return (
    <div className="max-h-[32rem] overflow-auto" tabIndex={0} role="region" aria-label={t("classesWord")}>
      <table className="numbers w-full text-sm [&_td]:px-2 [&_th]:px-2">
        <thead className="sticky top-0 bg-surface">
          <tr>
            {columns.map((key) => (
              <th key={key} aria-sort={by === key ? (down ? "descending" : "ascending") : "none"} className={key === "class" ? "" : "!text-right"}>
                <button type="button" className="min-h-8 font-medium hover:text-foreground" onClick={() => {
                  setDown(by === key ? !down : false);
                  setBy(key);
                }}>
                  {titles[key]} <span aria-hidden="true">{by === key ? (down ? "↓" : "↑") : ""}</span>
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
              {columns.slice(1).map((key) => <td key={key} className="text-right">{text(row, key)}</td>)}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Detail({ job, of: v }: { job: Job; of: Validation }) {
  const { t } = useTexts();
  const [opened, setOpened] = useState<{ filter: ResultFilter; title: string; at: number }>();
  const [threshold, setThreshold] = useState(boxes(v) ? Math.max(0.01, v.best_confidence ?? 0.25) : 0.5);
  // a detector's matrix has one more row and column: what is there but was not found, what was found but is not there
  const names = boxes(v) ? [...v.classes, t("validation.background")] : v.classes;
  const name = (i: number) => names[i] ?? String(i);
  const open = (filter: ResultFilter, title: string, at = threshold) => setOpened({ filter, title, at });
  const cell = (label: number, predicted: number) => open({ label, predicted }, t("validation.cell", { label: name(label), predicted: name(predicted) }), Math.max(0.01, v.best_confidence ?? 0));
  const wrong = boxes(v) ? t("validation.mistakes") : t("validation.wrong");
  return (
    <div className="space-y-5">
      <Scores of={v} />
      <div className="flex flex-wrap items-center gap-3">
        <p className="text-sm text-muted">{t("validation.of", { n: v.images, split: v.split })}</p>
        {v.task !== "semantic" && <Button onClick={() => open({ correct: "false" }, wrong)}>{wrong}</Button>}
        <Button look="quiet" onClick={() => open({}, t("validation.all"))}>{t("validation.all")}</Button>
      </div>
      <div className="grid items-start gap-5 xl:grid-cols-[5fr_4fr]">
        <div className="min-w-0 space-y-5">
        <Card title={t("confusion")}>
          {v.confusion
            ? <Confusion classes={names} counts={v.confusion} pixels={v.task === "semantic"} onOpen={cell} />
            : <p className="text-sm text-muted">{t("confusion.large", { n: v.classes.length })}</p>}
        </Card>
        {boxes(v) && <BoxCurves job={job} of={v} at={threshold} onChange={setThreshold} />}
        {v.task === "classification" && <ClassCurves job={job} of={v} at={threshold} onChange={setThreshold} />}
        </div>
        <div className="min-w-0 space-y-5">
          <Card title={t("classesWord")}>
            <Classes of={v} onOpen={(label) => open({ class: label }, name(label))} />
          </Card>
          {boxes(v) && v.per_class.some((row) => row.precision_at_recall) && (
            <Card title={t("validation.curve")}><RecallCurves rows={v.per_class} /></Card>
          )}
        </div>
      </div>
      {opened && <Viewer job={job} of={v} filter={opened.filter} title={opened.title} threshold={opened.at} onClose={() => setOpened(undefined)} />}
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
        <div className="min-w-0 space-y-5">
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
