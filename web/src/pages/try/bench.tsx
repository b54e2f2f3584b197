// The bench: pictures in - dropped, chosen, pasted, or from the camera - and what the model says of them, drawn
// and as a table that can be downloaded.
import { useEffect, useRef, useState } from "react";

import type { Answer, Settings } from "../../engine/answer";
import { useTexts } from "../../i18n";
import { Drop } from "../../parts/drop";
import { Button, ErrorNote, Icon, icons } from "../../parts/ui";
import type { Task } from "../../types";
import { Camera } from "./camera";
import { Marks } from "../../parts/marks";
import { countsOf, csvOf, jsonOf, median, type Row, type Runner, save, shownOf } from "./runner";
import { Said } from "./said";

const KEPT_MAX = 500; // pictures that are held in memory
const ACCEPT = "image/jpeg,image/png,image/webp";
const DEFAULTS: Settings = { top: 5, confidence: 0.25, iou: 0.7 };

interface Tried {
  id: number; name: string; picture: Blob; url: string;
  /** What was said last, and who said it. */
  answer?: Answer; error?: unknown; by?: Runner;
}
let ids = 0;

const unanswered = ({ id, name, picture, url }: Tried): Tried => ({ id, name, picture, url });

function Slider({ label, value, min, max, step, digits, onChange, onDone }: {
  label: string; value: number; min: number; max: number; step: number; digits: number; onChange: (to: number) => void; onDone?: () => void;
}) {
  const { number } = useTexts();
  return (
    <label className="flex min-w-0 flex-col gap-1 text-xs text-muted">
      {label}
      <span className="flex items-center gap-3">
        <input type="range" min={min} max={max} step={step} value={value} className="min-h-10 w-44 min-w-0 accent-primary"
          onChange={(e) => onChange(Number(e.target.value))} onPointerUp={onDone} onKeyUp={onDone} />
        <span className="numbers w-9 text-sm text-foreground">{number(value, digits)}</span>
      </span>
    </label>
  );
}

function Card({ tried, task, threshold }: { tried: Tried; task: Task; threshold: number }) {
  const { t, number } = useTexts();
  const { answer } = tried;
  const small = task === "classification";
  return (
    <li className={`card flex flex-col gap-3 !p-3 ${small ? "sm:flex-row sm:items-start" : ""}`}>
      <div className={`relative ${small ? "w-full sm:w-36" : ""}`}>
        <img src={tried.url} alt={tried.name} className={`w-full rounded bg-raised ${small ? "aspect-square object-contain" : ""}`} />
        {answer && !answer.error && <Marks marks={small ? [] : shownOf(answer, task, threshold)} width={answer.width} height={answer.height} />}
      </div>
      <div className="min-w-0 flex-1 space-y-2">
        <p className="truncate text-sm text-muted" title={tried.name}>{tried.name}</p>
        {tried.error ? <ErrorNote error={tried.error} /> : null}
        {!answer && !tried.error && <p role="status" className="text-sm text-muted">{t("bench.busy")}</p>}
        {answer && <Said answer={answer} task={task} threshold={threshold} />}
        {answer && !answer.error && <p className="numbers text-xs text-muted">{number(answer.ms, 1)} ms</p>}
      </div>
    </li>
  );
}

function Table({ all, task, threshold }: { all: Tried[]; task: Task; threshold: number }) {
  const { t, number, percent } = useTexts();
  const line = (answer: Answer): [string, string] => {
    const marks = shownOf(answer, task, threshold), [first] = marks;
    if (!first) return [t("bench.nothing"), ""];
    if (task === "detection" || task === "segmentation")
      return [countsOf(marks).map(([name, n]) => `${name} ${number(n)}`).join(" · "), percent(first.confidence ?? 0)];
    return [first.class, percent(first.confidence ?? first.share ?? 0)];
  };
  return (
    <div className="card overflow-x-auto !p-0" tabIndex={0} role="region" aria-label={t("bench.results")}>
      <table className="w-full text-sm">
        <thead className="border-b border-border">
          <tr>
            <th scope="col">{t("bench.file")}</th>
            <th scope="col">{t("bench.answer")}</th>
            <th scope="col" className="!text-right">{t("bench.confidence")}</th>
            <th scope="col" className="!text-right">{t("bench.time")}</th>
          </tr>
        </thead>
        <tbody className="divide-y divide-border">
          {all.map(({ id, name, answer, error }) => {
            const why = answer?.error ?? (error instanceof Error ? error.message : error ? String(error) : undefined);
            const [text, sure] = answer && !why ? line(answer) : ["", ""];
            return (
              <tr key={id}>
                <td className="max-w-64 truncate" title={name}>{name}</td>
                <td className={why ? "text-destructive" : ""}>{why ?? (answer ? text : t("bench.busy"))}</td>
                <td className="numbers text-right">{sure}</td>
                <td className="numbers whitespace-nowrap text-right text-muted">{answer && !why ? `${number(answer.ms, 1)} ms` : ""}</td>
              </tr>
            );
          })}
        </tbody>
      </table>
    </div>
  );
}

/** What a person pastes: pictures from the clipboard. */
function usePaste(onFiles: (files: File[]) => void) {
  const take = useRef(onFiles);
  take.current = onFiles;
  useEffect(() => {
    const paste = (e: ClipboardEvent) => {
      const files = [...(e.clipboardData?.files ?? [])].filter((f) => f.type.startsWith("image/"));
      if (!files.length) return;
      e.preventDefault();
      take.current(files);
    };
    document.addEventListener("paste", paste);
    return () => document.removeEventListener("paste", paste);
  }, []);
}

/** runner: undefined while it is being made; pictures wait for it. */
export function Bench({ runner, where, task, name }: { runner: Runner | undefined; where: Runner["where"]; task: Task; name: string }) {
  const { t, number } = useTexts();
  const [settings, setSettings] = useState(DEFAULTS);
  const [taken, setTaken] = useState<Tried[]>([]);
  const tried = taken.map((one) => (one.by === runner ? one : unanswered(one))); // what another said does not count here, not for a moment
  const [table, setTable] = useState(false);
  const [camera, setCamera] = useState(false);
  const [left, setLeft] = useState(false); // pictures went as there were too many
  const latest = useRef({ runner, settings, tried });
  latest.current = { runner, settings, tried };
  const turn = useRef<Promise<void>>(Promise.resolve());
  const round = useRef(0); // what was asked before the settings changed is not taken any more
  useEffect(() => () => latest.current.tried.forEach((one) => URL.revokeObjectURL(one.url)), []);

  const ask = (some: Tried[]) => {
    const mine = round.current;
    turn.current = turn.current.then(async () => {
      const { runner: asked } = latest.current;
      for (let i = 0; asked && i < some.length && mine === round.current; i += asked.atOnce) {
        const part = some.slice(i, i + asked.atOnce), place = new Map(part.map((one, k) => [one.id, k]));
        const told = await asked
          .run(part.map((one) => ({ name: one.name, picture: one.picture })), latest.current.settings)
          .then((answers) => ({ answers, error: undefined }), (error: unknown) => ({ answers: [], error }));
        if (mine !== round.current) return;
        setTaken((had) => had.map((one) => {
          const k = place.get(one.id), answer = k === undefined ? undefined : told.answers[k];
          if (k === undefined) return one;
          return { ...unanswered(one), by: asked, ...(answer ? { answer } : { error: told.error }) };
        }));
      }
    });
  };
  const take = (pictures: { name: string; picture: Blob }[]) => {
    const some = pictures.slice(0, KEPT_MAX).map((one): Tried => ({ ...one, id: ++ids, url: URL.createObjectURL(one.picture) }));
    const all = [...some, ...latest.current.tried], gone = all.slice(KEPT_MAX);
    gone.forEach((one) => URL.revokeObjectURL(one.url));
    setLeft(gone.length > 0 || pictures.length > KEPT_MAX);
    setTaken(all.slice(0, KEPT_MAX));
    ask(some);
  };
  const again = () => { // settings that the engine itself must know
    round.current++;
    ask(latest.current.tried);
  };
  useEffect(() => { // another runner is asked anew
    round.current++;
    if (runner) ask(latest.current.tried);
  }, [runner]);
  const count = (prefix: "bench.pasted" | "bench.snapped") => t(prefix, { n: ++ids });
  usePaste((files) => take(files.map((f) => ({ name: f.name && f.name !== "image.png" ? f.name : `${count("bench.pasted")}.png`, picture: f }))));

  const done = tried.filter((one) => one.answer);
  const rows: Row[] = done.flatMap((one) => (one.answer ? [{ file: one.name, answer: one.answer }] : [])).reverse();
  const objects = task === "detection" || task === "segmentation";
  const times = rows.filter((r) => !r.answer.error).map((r) => r.answer.ms);
  return (
    <div className="space-y-5">
      <div className="flex flex-wrap items-end gap-x-6 gap-y-3">
        {objects && (
          <>
            <Slider label={t("bench.threshold")} value={settings.confidence} min={0.05} max={1} step={0.01} digits={2}
              onChange={(confidence) => setSettings({ ...settings, confidence })} />
            <Slider label={t("bench.iou")} value={settings.iou} min={0.05} max={1} step={0.05} digits={2}
              onChange={(iou) => setSettings({ ...settings, iou })} onDone={again} />
          </>
        )}
        {task === "classification" && (
          <Slider label={t("bench.top")} value={settings.top} min={1} max={10} step={1} digits={0}
            onChange={(top) => setSettings({ ...settings, top })} onDone={again} />
        )}
      </div>
      <Drop title={t("bench.drop")} hint={t(where === "tab" ? "bench.hintTab" : "bench.hintServer")} accept={ACCEPT}
        onFiles={(files) => take(files.map((f) => ({ name: f.path, picture: f.file })))}>
        {!camera && <Button look="quiet" onClick={() => setCamera(true)}><Icon d={icons.camera} />{t("bench.camera")}</Button>}
      </Drop>
      {camera && runner && (
        <Camera runner={runner} task={task} settings={settings} threshold={settings.confidence} onClose={() => setCamera(false)}
          onPicture={(picture) => take([{ name: `${count("bench.snapped")}.jpg`, picture }])} />
      )}
      {tried.length > 0 && (
        <>
          <div className="flex flex-wrap items-center gap-x-4 gap-y-2">
            <div role="group" aria-label={t("bench.results")} className="flex rounded border border-border">
              {[false, true].map((as) => (
                <button key={String(as)} type="button" aria-pressed={table === as} onClick={() => setTable(as)}
                  className={`min-h-10 px-3 text-sm ${table === as ? "bg-raised font-medium" : "text-muted hover:text-foreground"}`}>
                  {t(as ? "bench.table" : "bench.pictures")}
                </button>
              ))}
            </div>
            <p role="status" className="numbers min-w-0 flex-1 basis-48 text-sm text-muted">
              {done.length < tried.length ? t("bench.progress", { n: done.length, all: tried.length })
                : times.length > 0 && t("bench.speed", { ms: number(median(times), 1), n: times.length })}
              {left && <span className="block">{t("bench.tooMany", { n: KEPT_MAX })}</span>}
            </p>
            <Button disabled={!rows.length} onClick={() => save(`${name}.csv`, csvOf(rows, task, settings.confidence), "text/csv")}>{t("bench.csv")}</Button>
            <Button disabled={!rows.length} onClick={() => save(`${name}.json`, jsonOf(rows, task, settings.confidence), "application/json")}>{t("bench.json")}</Button>
            <Button look="quiet" onClick={() => {
              round.current++;
              tried.forEach((one) => URL.revokeObjectURL(one.url));
              setTaken([]);
              setLeft(false);
            }}>{t("bench.clear")}</Button>
          </div>
          {table ? <Table all={tried} task={task} threshold={settings.confidence} /> : (
            <ul className="grid gap-4 lg:grid-cols-2">
              {tried.map((one) => <Card key={one.id} tried={one} task={task} threshold={settings.confidence} />)}
            </ul>
          )}
        </>
      )}
    </div>
  );
}
