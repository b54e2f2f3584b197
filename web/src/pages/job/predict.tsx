// Try the model: drop pictures, see what it takes them for.
import { useMutation } from "@tanstack/react-query";
import { useEffect, useRef, useState } from "react";

import { api, withQuery } from "../../api";
import { useTexts } from "../../i18n";
import { Drop } from "../../parts/drop";
import type { Named } from "../../parts/tar";
import { Bar, Button, Empty, ErrorNote, Select, Show } from "../../parts/ui";
import type { Job, Prediction } from "../../types";
import { jobPath } from "../jobs/queries";
import { useCheckpoints } from "./queries";

const TOP = 5;
const AT_ONCE = 16; // pictures in one request
type Result = Prediction["results"][number];
interface Tried { id: number; name: string; url: string; result?: Result; error?: Error }
let ids = 0;

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
                    <span className="truncate">{p.class}</span><span className="numbers">{percent(p.confidence)}</span>
                  </p>
                  <Bar share={p.confidence} tone={i ? "muted" : "primary"} />
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

export function Predict({ job }: { job: Job }) {
  const { t } = useTexts();
  const source = job.kind === "test" ? (job.base_job ?? job.job) : job.job;
  const checkpoints = useCheckpoints(source);
  const [checkpoint, setCheckpoint] = useState("best");
  const [tried, setTried] = useState<Tried[]>([]);
  const ask = useMutation({
    mutationFn: async (some: { of: Tried; file: Named }[]) => {
      const form = new FormData();
      for (const { file } of some) form.append("image", file.file, file.path);
      const reply = await api.send(withQuery(`${jobPath(job.job)}/predict`, { checkpoint, top_k: TOP }), { method: "POST", body: form });
      return (await reply.json()) as Prediction;
    },
  });
  const urls = useRef<string[]>([]);
  useEffect(() => () => urls.current.forEach((url) => URL.revokeObjectURL(url)), []);
  const take = async (files: Named[]) => {
    const some = files.map((file) => ({ file, of: { id: ++ids, name: file.path, url: URL.createObjectURL(file.file) } }));
    urls.current.push(...some.map((s) => s.of.url));
    setTried((had) => [...some.map((s) => s.of), ...had]);
    for (let i = 0; i < some.length; i += AT_ONCE) {
      const part = some.slice(i, i + AT_ONCE);
      const place = (id: number) => part.findIndex((p) => p.of.id === id);
      try {
        const reply = await ask.mutateAsync(part);
        setTried((had) => had.map((one) => {
          const result = reply.results[place(one.id)];
          return result ? { ...one, result } : one;
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
              {tried.length > 0 && <Button look="quiet" onClick={() => setTried([])}>{t("try.clear")}</Button>}
            </div>
            <Drop title={t("try.drop")} hint={t("try.hint")} accept="image/jpeg,image/png,image/webp" onFiles={(files) => void take(files)} />
            {tried.length > 0 && (
              <ul aria-live="polite" className="grid gap-4 lg:grid-cols-2">{tried.map((one) => <Card key={one.id} tried={one} />)}</ul>
            )}
          </div>
        );
      }}
    </Show>
  );
}
