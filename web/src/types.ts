// The API's types by the names that the pages use.  Most come from the server's tables (gen/api.ts); what the
// tables do not hold - JSON members and replies without a table - stands here by hand.
import type { Reply } from "./gen/api";

type With<T, More> = Omit<T, keyof More> & More;

export type Account = Reply<"GET /auth/me">;
export type Project = Reply<"GET /projects/{id}">;
export type Dataset = With<Reply<"GET /datasets/{id}">, { colours: Record<string, number> | null }>;
export type Import = Reply<"GET /datasets/imports/{id}">;
export type Prediction = Reply<"POST /training/jobs/{id}/predict">;

export interface Page { next: string | null }
export interface Datasets extends Page { datasets: Dataset[] }
export interface Queued { import: string; dataset: string; dataset_name: string; state: string; size: number }

export const splits = ["train", "val", "test", "none"] as const;
export type Split = (typeof splits)[number];
export type ClassCount = { name: string; images: number; shapes: number } & Record<Split, number>;
export interface Stats {
  classes: ClassCount[];
  width: { min: number; max: number };
  height: { min: number; max: number };
  sizes: { side_max: number; images: number }[];
  types: Record<string, number>;
  duplicates: number;
  other_files: number;
  fault_counts: Record<string, number>;
}
export type Version = With<Reply<"GET /datasets/{id}/versions/{v}">, {
  classes: string[];
  split: { method: string; train: number; val: number; test: number; seed: number };
  stats: Stats | null;
}>;
export interface Fault {
  index: number; n: number; severity: string; code: string; file: string; line: number; image: string; message: string; action: string;
}
export interface Faults extends Page { total: number; faults: Fault[] }

/** In pixels: boxes [class,x,y,w,h], polygons [class,x1,y1,..], quads [x1,y1,..,x4,y4,text]. */
export interface Shapes { boxes?: number[][]; polygons?: number[][]; quads?: (number | string)[][] }
export interface Picture {
  index: number; name: string; split: Split; sha256: string; bytes: number; width: number; height: number; type: string;
  label: string | null; label_id: number; shapes: Shapes; url: string; thumb_url: string;
}
export interface Pictures extends Page { images: Picture[] }
/** The index of every n-th picture of a filter. */
export interface Anchors { count: number; every: number; anchors: number[] }

export const diffKinds = ["added", "removed", "changed", "relabelled", "moved"] as const;
export type DiffKind = (typeof diffKinds)[number];
export type Diff = { from: string; to: string; classes: { name: string; from: number | null; to: number | null }[] }
  & Record<DiffKind, { count: number; first: string[] }>;
export interface DiffPictures extends Page { pictures: { name: string; from: Picture | null; to: Picture | null }[] }

export type Draft = With<Reply<"GET /datasets/{id}/draft">, { classes: string[] }>;
export interface DraftEdits extends Page { edits: { index: number; revision: number; state: "edited" | "suggested"; label_id: number }[] }
/** A picture of the draft's base with its labels as they stand in the draft. */
export interface DraftPicture extends Picture {
  revision: number; state: "base" | "edited" | "suggested"; scores: number[]; updated_by: string;
  base: { label_id: number; shapes: Shapes };
}

export type FieldValue = string | number | boolean | null | string[];
export interface FormField {
  name: string;
  type: "bool" | "int" | "float" | "str" | "select" | "json" | "multiselect" | "time";
  default: FieldValue;
  min?: number;
  max?: number;
  options?: string[];
  group: string;
  required: boolean;
  advanced: boolean;
  description: string;
}
export interface Model {
  framework: string; name: string; title: string; task: string; parameters: number; description: string;
  image_size: number; config_schema: FormField[]; measured?: Measured | null;
}
export interface Measured {
  image_size: number; batch_size: number; params: number; weights_bytes: number; memory_bytes: number;
  train_images_per_second: number; images_per_second: number;
}
export interface Preset { name: string; title: string; help: string; settings: Record<string, Record<string, FieldValue>> }
export interface Check {
  ok: boolean;
  errors: { field: string; message: string }[];
  warnings: { field: string; code: string; message: string }[];
  estimate: { basis: "runs" | "measured" | null; seconds: number | null; least: number | null; most: number | null; runs: number; measured: Measured | null; reason: string | null } | null;
}
export interface Models {
  models: Model[];
  trainers: { framework: string; state: "up" | "down"; error: string | null }[];
}

/** "map50" is written mAP50 wherever people read it. */
export const scoreName = (metric: string) => metric.replace(/map/, "mAP").replace(/^miou$/, "mIoU").replace("mask_", "mask ");
export interface Best { epoch: number; metric: string; value: number }
export interface Warning { field: string; message: string }
export type Job = With<Reply<"GET /training/jobs/{id}">, {
  error: { code: string; text: string } | null;
  best: Best | null;
  tags: string[];
  config: Record<string, FieldValue>;
  warnings: Warning[] | null;
}>;
export interface Jobs extends Page { jobs: Job[] }
export type Status = Job["status"];
export const statuses: Status[] = ["pending", "queued", "running", "completed", "failed", "cancelled"];
export const hasEnded = (status: Status) => status === "completed" || status === "failed" || status === "cancelled";

export interface Point { epoch: number; step: number; value: number | null; time: number }
export interface Metrics { job: string; epoch: number; metrics: Record<string, Point[]> }
export const levels = ["debug", "info", "warning", "error"] as const;
export type Level = (typeof levels)[number];
export interface LogLine { seq: number; time: number; level: Level; epoch: number; message: string }
/** A run's course by step, as columns; `epochs` counts the part of the one under way. */
export interface Course { n: number[]; step: number[]; epochs: number[]; time: number[]; metrics: Record<string, (number | null)[]> }
/** What the sheet of training pictures shows; boxes are [class, x, y, width, height] of an input `size` wide. */
export interface Samples {
  columns: number; cell: number; gap: number; classes: string[];
  pictures: { name: string; size: number; labels: [number, number][]; boxes: number[][] }[];
}
export interface Logs { logs: LogLine[]; next: number | null }
export interface Checkpoint {
  epoch: number; is_best: boolean; is_last: boolean; is_periodic: boolean; metric: string; value: number;
  weights_sha256: string; weights_bytes: number; attempt: number; time: number; weights_url?: string;
}
export interface Attempt {
  attempt: number; status: string; trainer: string; reason: string | null; last_seq: number;
  created_at: string | null; started_at: string | null; ended_at: string | null;
}
/** What else stands in a validation depends on the task (src/spec/contract.h); -1 is "there is none". */
export type Task = "classification" | "detection" | "segmentation" | "semantic";
export interface ClassScore {
  class: string; support?: number; precision?: number; recall?: number; f1?: number;
  ap50?: number; ap?: number; mask_ap50?: number; mask_ap?: number; precision_at_recall?: number[];
  iou?: number; dice?: number;
}
export interface Validation {
  epoch: number; split: string; task?: Task; classes: string[]; images: number; per_class: ClassScore[]; confusion?: number[][];
  loss?: number; accuracy?: number; top5?: number; precision?: number; recall?: number; f1?: number;
  map50?: number; map?: number; map75?: number; mask_map50?: number; mask_map?: number; best_confidence?: number;
  miou?: number; dice?: number; mean_accuracy?: number;
  /** Precision, recall and F1 at confidence 0, .01 .. 1. */
  curves?: { precision: number[]; recall: number[]; f1: number[]; precision_at_recall?: number[] };
}
export interface Truth { class_id: number; box: [number, number, number, number]; prediction: number | null }
export interface Found { class_id: number; box: [number, number, number, number]; confidence: number; truth: number | null; iou: number; mask?: MaskText }
export interface MaskText { size: [number, number]; counts: string }
export interface Result {
  index: number; name: string; sha256: string;
  /** How hard it is (api/mistakes.h). */
  score?: number;
  label: number; predicted: number; confidence: number; top: [number, number][]; // classification
  width?: number; height?: number; truths?: Truth[]; predictions?: Found[]; matched?: number; missed?: number; false?: number; // boxes
  accuracy?: number; miou?: number; pixels?: number; areas?: { class_id: number; iou: number; mask?: MaskText }[]; // semantic
}
/** total: that match on all pages, where they are ranked. */
export interface Results { epoch: number; split: string; images: Result[]; total?: number; next: number | string | null }

export interface Token {
  id: string; name: string; scopes: string; created_at: string | null; expires_at: string | null; last_used_at: string | null;
}
