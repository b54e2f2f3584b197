// Try the model: drop pictures, see what it takes them for.
import { useMutation } from "@tanstack/react-query";
import { useEffect, useRef, useState } from "react";

import { api, withQuery } from "../../api";
import { useTexts } from "../../i18n";
import { Drop } from "../../parts/drop";
import type { Named } from "../../parts/tar";
import { Bar, Button, Empty, ErrorNote, Select, Show } from "../../parts/ui";
import { Overlay } from "../../parts/picture";
import type { Job, Prediction, Task } from "../../types";
import { jobPath } from "../jobs/queries";
import { shapesOf } from "./objects";
import { useCheckpoints } from "./queries";

const TOP = 5;
const AT_ONCE = 16; // pictures in one request
const DRAWN_AT_ONCE = 4; // where the server draws the masks
const CONFIDENCE_LEAST = 0.05; // boxes are asked for from here on; the threshold hides those below it
const CONFIDENCE = 0.25;
type Result = Prediction["results"][number];
interface Tried { id: number; name: string; url: string; task?: string; result?: Result; drawn?: string; error?: Error }
let ids = 0;

const isDrawn = (task: string) => task === "segmentation" || task === "semantic";

/** How many of each class were found, most first. */
function countsOf(found: Result["predictions"]): [string, number][] {
  const counts = new Map<string, number>();
  for (const p of found) counts.set(p.class, (counts.get(p.class) ?? 0) + 1);
  return [...counts].sort((a, b) => b[1] - a[1]);
}

function Boxes({ tried, threshold }: { tried: Tried; threshold: number }) {
  const { t, number } = useTexts();
  const { result } = tried;
  const found = (result?.predictions ?? []).filter((p) => (p.confidence ?? 0) >= threshold);
  const marks = found.map((p) => ({ class_id: p.class_id, box: p.box as [number, number, number, number] }));
  const classes: string[] = [];
  for (const p of found) classes[p.class_id] = p.class;
  return (
    <li className="card space-y-2 !p-3">
      <div className="relative">
        <img src={tried.drawn ?? tried.url} alt={tried.name} className="w-full rounded bg-raised" />
        {result && !tried.drawn && <Overlay shapes={shapesOf(marks)} width={result.width} height={result.height} classes={classes} names />}
      </div>
      <p className="truncate text-sm text-muted" title={tried.name}>{tried.name}</p>
      {tried.error && <ErrorNote error={tried.error} />}
      {result?.error && <ErrorNote error={new Error(result.error)} />}
      {!result && !tried.error && <p role="status" className="text-sm text-muted">{t("try.busy")}</p>}
      {result && !result.error && (
        <p className="numbers text-sm">
          {countsOf(found).map(([name, n]) => `${name} ${number(n)}`).join(" · ") || t("try.nothing")}
          <span className="text-xs text-muted"> · {number(result.ms, 1)} ms</span>
        </p>
      )}
    </li>
  );
}

function Shares({ tried }: { tried: Tried }) {
  const { t, percent } = useTexts();
  return (
    <li className="card space-y-2 !p-3">
      <img src={tried.drawn ?? tried.url} alt={tried.name} className="w-full rounded bg-raised" />
      <p className="truncate text-sm text-muted" title={tried.name}>{tried.name}</p>
      {tried.error && <ErrorNote error={tried.error} />}
      {tried.result?.error && <ErrorNote error={new Error(tried.result.error)} />}
      {!tried.result && !tried.error && <p role="status" className="text-sm text-muted">{t("try.busy")}</p>}
      <p className="numbers text-sm">{tried.result?.predictions.map((p) => `${p.class} ${percent(p.share ?? 0)}`).join(" · ")}</p>
    </li>
  );
}

function Card({ tried }: { tried: Tried }) {
  const { t, percent, number } = useTexts();
  const { result } = tried;
  return (
    <li className="card flex flex-col gap-4 !p-3 sm:flex-row sm:items-start">
      <img src={tried.url} alt={tried.name} className="aspect-square w-full rounded bg-raised object-contain sm:w-36" />
      <div className="min-w-0 flex-1 space-y-2">
        <p className="truncate text-sm text-muted" title={tried.name}>{tried.name}</p>
        {tried.error && <ErrorNote error={tried.error} />}
        {result?.error && <ErrorNote error={new Error(result.error)} />}
        {!result && !tried.error && <p role="status" className="text-sm text-muted">{t("try.busy")}</p>}
        {result && !result.error && (
          <>
            <ol className="space-y-2">
              {result.predictions.map((p, i) => (
                <li key={p.class_id} className="space-y-1">
                  <p className={`flex justify-between gap-3 text-sm ${i ? "" : "font-semibold"}`}>
                    <span className="truncate">{p.class}</span><span className="numbers">{percent(p.confidence ?? 0)}</span>
                  </p>
                  <Bar share={p.confidence ?? 0} tone={i ? "muted" : "primary"} />
                </li>
              ))}
            </ol>
            <p className="numbers text-xs text-muted">{number(result.ms, 1)} ms</p>
          </>
        )}
      </div>
    </li>
  );
}

/** As train_task_of (src/spec/train_task.c): the first part of a network's name tells its task. */
function taskOf(model: string): Task {
  return model.startsWith("detect-") ? "detection" : model.startsWith("segment-") ? "segmentation" : model.startsWith("semseg-") ? "semantic" : "classification";
}

const pngUrl = (base64: string) =>
  URL.createObjectURL(new Blob([Uint8Array.from(atob(base64), (c) => c.charCodeAt(0))], { type: "image/png" }));

export function Predict({ job }: { job: Job }) {
  const { t, number } = useTexts();
  const source = job.kind === "test" ? (job.base_job ?? job.job) : job.job;
  const checkpoints = useCheckpoints(source);
  const [checkpoint, setCheckpoint] = useState("best");
  const [tried, setTried] = useState<Tried[]>([]);
  const [threshold, setThreshold] = useState(CONFIDENCE);
  const task = taskOf(job.model);
  const ask = useMutation({
    mutationFn: async (some: { of: Tried; file: Named }[]) => {
      const form = new FormData();
      for (const { file } of some) form.append("image", file.file, file.path);
      const reply = await api.send(withQuery(`${jobPath(job.job)}/predict`, {
        checkpoint, top_k: TOP, confidence: isDrawn(task) ? threshold : CONFIDENCE_LEAST, masks: "false", draw: isDrawn(task) ? "true" : "",
      }), { method: "POST", body: form });
      return (await reply.json()) as Prediction;
    },
  });
  const urls = useRef<string[]>([]);
  useEffect(() => () => urls.current.forEach((url) => URL.revokeObjectURL(url)), []);
  const take = async (files: Named[]) => {
    const some = files.map((file) => ({ file, of: { id: ++ids, name: file.path, url: URL.createObjectURL(file.file) } }));
    urls.current.push(...some.map((s) => s.of.url));
    setTried((had) => [...some.map((s) => s.of), ...had]);
    const atOnce = isDrawn(task) ? DRAWN_AT_ONCE : AT_ONCE;
    for (let i = 0; i < some.length; i += atOnce) {
      const part = some.slice(i, i + atOnce);
      const place = (id: number) => part.findIndex((p) => p.of.id === id);
      try {
        const reply = await ask.mutateAsync(part);
        setTried((had) => had.map((one) => {
          const result = reply.results[place(one.id)];
          if (!result) return one;
          const drawn = result.drawn ? pngUrl(result.drawn) : undefined;
          if (drawn) urls.current.push(drawn);
          return { ...one, result, ...(drawn ? { drawn } : {}) };
        }));
      } catch (e) {
        setTried((had) => had.map((one) => (place(one.id) >= 0 ? { ...one, error: e as Error } : one)));
      }
    }
  };
  return (
    <Show of={checkpoints}>
      {(all) => {
        const kept = all.filter((c) => c.is_best || c.is_last || c.is_periodic);
        if (!kept.length) return <Empty title={t("try.none")} />;
        return (
          <div className="space-y-5">
            <div className="flex flex-wrap items-end justify-between gap-3">
              <Select label={t("checkpoint")} value={checkpoint} onChange={setCheckpoint}
                options={[["best", t("try.best")], ["last", t("try.last")],
                  ...kept.filter((c) => c.is_periodic).map((c): [string, string] => [String(c.epoch), `${t("epoch")} ${c.epoch}`])]} />
              {(task === "detection" || task === "segmentation") && (
                <label className="flex items-center gap-3 text-sm">{t("validation.threshold")}
                  <input type="range" min={CONFIDENCE_LEAST} max={1} step={0.01} value={threshold}
                    onChange={(e) => setThreshold(Number(e.target.value))} className="accent-primary" />
                  <span className="numbers w-10">{number(threshold, 2)}</span>
                </label>
              )}
              {tried.length > 0 && <Button look="quiet" onClick={() => setTried([])}>{t("try.clear")}</Button>}
            </div>
            <Drop title={t("try.drop")} hint={t("try.hint")} accept="image/jpeg,image/png,image/webp" onFiles={(files) => void take(files)} />
            {tried.length > 0 && (
              <ul aria-live="polite" className="grid gap-4 lg:grid-cols-2">
                {tried.map((one) => task === "classification" ? <Card key={one.id} tried={one} />
                  : task === "semantic" ? <Shares key={one.id} tried={one} /> : <Boxes key={one.id} tried={one} threshold={threshold} />)}
              </ul>
            )}
          </div>
        );
      }}
    </Show>
  );
}
