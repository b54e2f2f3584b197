// Who answers: the server, or the engine in this tab.  The bench (bench.tsx) does not care which.
import { type Answer, type Mark, maskOf, type Settings } from "../../engine/answer";
import { TabModel } from "../../engine/tab";
import type { Task } from "../../types";

export interface Asking { name: string; picture: Blob }
export interface Runner {
  where: "server" | "tab";
  /** Pictures in one request. */
  atOnce: number;
  run(pictures: Asking[], settings: Settings): Promise<Answer[]>;
  close?(): void;
}

export const CONFIDENCE_LEAST = 0.05; // asked for from here on; the slider hides those below it
const MASK_SIDE = 640; // pixels a side of the masks that are drawn
const AT_ONCE: Record<Task, number> = { classification: 16, detection: 8, segmentation: 4, semantic: 4 };

interface ServerMark extends Omit<Mark, "mask"> { mask?: { size: [number, number]; counts: string } | null }
interface ServerAnswer {
  results: { file: string; width: number; height: number; predictions: ServerMark[]; error?: string | null; ms: number }[];
}

function markOf({ mask, confidence, share, box, ...rest }: ServerMark): Mark {
  return {
    ...rest, ...(typeof confidence === "number" && { confidence }), ...(typeof share === "number" && { share }), ...(box && { box }),
    ...(mask && { mask: maskOf(mask, MASK_SIDE) }),
  };
}

/** Asks `path`, a predict route; `send` is a fetch that throws what goes wrong. */
export function onServer(path: string, task: Task, send: (path: string, init: RequestInit) => Promise<Response>, atOnce = AT_ONCE[task]): Runner {
  return {
    where: "server",
    atOnce,
    run: async (pictures, { top, iou }) => {
      const form = new FormData();
      for (const one of pictures) form.append("image", one.picture, one.name);
      const query = new URLSearchParams({ top_k: String(top), confidence: String(CONFIDENCE_LEAST), iou: String(iou), max: "300", masks: "true" });
      const reply = await send(`${path}${path.includes("?") ? "&" : "?"}${query}`, { method: "POST", body: form });
      const { results } = (await reply.json()) as ServerAnswer;
      return results.map(({ width, height, predictions, error, ms }) => ({
        width, height, ms, marks: predictions.map(markOf), ...(error && { error }),
      }));
    },
  };
}

export function inTab(model: TabModel): Runner {
  return {
    where: "tab",
    atOnce: 1,
    run: async (pictures, settings) => {
      const answers: Answer[] = [];
      for (const one of pictures)
        try {
          answers.push(await model.run(one.picture, { ...settings, confidence: CONFIDENCE_LEAST }));
        } catch (e) { // a picture that cannot be read has its own error, as on the server
          answers.push({ width: 0, height: 0, marks: [], ms: 0, error: e instanceof Error ? e.message : String(e) });
        }
      return answers;
    },
    close: () => model.close(),
  };
}

/** What is shown at a threshold: classes and areas always, objects from it on. */
export const shownOf = (answer: Answer, task: Task, threshold: number): Mark[] =>
  task === "detection" || task === "segmentation" ? answer.marks.filter((m) => (m.confidence ?? 0) >= threshold) : answer.marks;

/** How many of each class, most first. */
export function countsOf(marks: Mark[]): [string, number][] {
  const counts = new Map<string, number>();
  for (const m of marks) counts.set(m.class, (counts.get(m.class) ?? 0) + 1);
  return [...counts].sort((a, b) => b[1] - a[1]);
}

// ---- results as files

export interface Row { file: string; answer: Answer }

/** RFC 4180; a cell that a spreadsheet would take for a formula is kept text by an apostrophe. */
const cell = (value: string | number) => {
  const text = typeof value === "string" && /^[=+\-@\t\r]/.test(value) ? `'${value}` : String(value);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
};

/** A line for each class, object or area of each picture. */
export function csvOf(rows: Row[], task: Task, threshold: number): string {
  const head = ["file", "width", "height", "class", "class_id", "confidence", "share", "x", "y", "box_width", "box_height", "ms", "error"];
  const lines = rows.flatMap(({ file, answer }) => {
    const of = (m?: Mark) => [file, answer.width, answer.height, m?.class ?? "", m?.class_id ?? "", m?.confidence ?? "", m?.share ?? "",
      ...(m?.box ?? ["", "", "", ""]), answer.ms, answer.error ?? ""].map(cell).join(",");
    const marks = shownOf(answer, task, threshold);
    return marks.length ? marks.map(of) : [of()];
  });
  return [head.join(","), ...lines, ""].join("\r\n");
}

export function jsonOf(rows: Row[], task: Task, threshold: number): string {
  return JSON.stringify({ task, results: rows.map(({ file, answer }) => ({
    file, width: answer.width, height: answer.height, ms: answer.ms, ...(answer.error && { error: answer.error }),
    predictions: shownOf(answer, task, threshold).map(({ mask: _, ...rest }) => rest),
  })) }, null, 1);
}

export function save(name: string, text: string, type: string) {
  const url = URL.createObjectURL(new Blob([text], { type }));
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 0);
}

export function median(values: number[]): number {
  const sorted = [...values].sort((a, b) => a - b), half = sorted.length >> 1;
  return sorted.length % 2 ? (sorted[half] ?? 0) : ((sorted[half - 1] ?? 0) + (sorted[half] ?? 0)) / 2;
}
