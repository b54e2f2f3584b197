// The third step: what the model says of pictures that it has not learned from, and of one's own.
import { useMemo } from "react";

import { api } from "../../api";
import { useTexts } from "../../i18n";
import { Overlay } from "../../parts/picture";
import { ErrorNote, Icon, icons, Loading } from "../../parts/ui";
import type { Job, Picture, Prediction, Task } from "../../types";
import { shapesOf } from "../job/objects";
import { Bench } from "../try/bench";
import { onServer } from "../try/runner";
import { usePictures, usePredictions } from "./queries";

const SHOWN = 8;
type Result = Prediction["results"][number];

function Said({ picture, result }: { picture: Picture; result: Result | undefined }) {
  const { t, percent } = useTexts();
  const boxes = result?.predictions.filter((one) => one.box) ?? [];
  const classes: string[] = [];
  for (const one of boxes) classes[one.class_id] = one.class;
  const first = result?.predictions[0];
  const right = picture.label !== null && first?.class === picture.label;
  return (
    <li className="min-w-0 space-y-1.5">
      <div className="relative">
        <img src={picture.url} alt={picture.label ?? picture.name} className="aspect-square w-full rounded bg-raised object-cover" />
        {result && boxes.length > 0 && (
          <Overlay shapes={shapesOf(boxes.map((one) => ({ class_id: one.class_id, box: one.box as [number, number, number, number] })))}
            width={result.width} height={result.height} classes={classes} names />
        )}
      </div>
      {!result ? <Loading lines={1} /> : picture.label === null ? (
        <p className="numbers text-xs text-muted">{boxes.length ? t("first.found", { n: boxes.length }) : t("try.nothing")}</p>
      ) : first && (
        <p className={`flex items-center gap-1.5 text-sm ${right ? "text-success" : "text-destructive"}`}>
          <Icon d={right ? icons.check : icons.close} size={16} />
          <span className="truncate font-medium">{first.class}</span>
          <span className="numbers ml-auto text-xs text-muted">{percent(first.confidence ?? 0, 0)}</span>
          {!right && <span className="sr-only">{t("first.wrong", { label: picture.label })}</span>}
        </p>
      )}
    </li>
  );
}

function Unseen({ job, dataset, version }: { job: Job; dataset: string; version: string | undefined }) {
  const { t } = useTexts();
  const pictures = usePictures(dataset, version, SHOWN);
  const said = usePredictions(job.job, job.best?.epoch ?? 0, pictures.data ?? []);
  const error = pictures.error ?? said.error;
  if (error) return <ErrorNote error={error} retry={() => void (pictures.error ? pictures : said).refetch()} />;
  return (
    <ul aria-label={t("first.unseen")} className="grid grid-cols-2 gap-3 sm:grid-cols-4 lg:grid-cols-8">
      {(pictures.data ?? []).map((one, i) => <Said key={one.index} picture={one} result={said.data?.[i]} />)}
    </ul>
  );
}

const send = (path: string, init?: RequestInit) => api.send(path, init);

export function TryModel({ job, task, dataset, version }: { job: Job; task: Task; dataset: string; version: string | undefined }) {
  const { t } = useTexts();
  const runner = useMemo(() => onServer(`/training/jobs/${job.job}/predict?checkpoint=best`, task, send), [job.job, task]);
  return (
    <div className="space-y-5">
      <p className="text-sm text-muted">{t("first.tryText")}</p>
      <Unseen job={job} dataset={dataset} version={version} />
      <Bench runner={runner} where="server" task={task} name={job.name} />
    </div>
  );
}
