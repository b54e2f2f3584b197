// What the first run asks of the server: sample data, a few of its pictures, a quick training.
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";

import { api, withQuery } from "../../api";
import type { FieldValue, Import, Job, Picture, Pictures, Prediction, Queued, Version } from "../../types";
import { datasetPath } from "../datasets/queries";
import { jobPath } from "../jobs/queries";

export type SampleKind = "glyphs" | "shapes";
/** Small enough to be learned within a minute. */
const samples: Record<SampleKind, { count: number; size: number }> = { glyphs: { count: 1800, size: 32 }, shapes: { count: 240, size: 160 } };

const POLL_MS = 300;

/** Draws sample data and waits until it is a dataset; the data is the import's end. */
export function useSample() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: async (kind: SampleKind) => {
      const queued = await api.post<Queued>("/datasets/sample", { kind, ...samples[kind] });
      for (;;) {
        const state = await api.get<Import>(`/datasets/imports/${queued.import}`);
        if (state.state === "failed") throw new Error(state.error ?? state.message);
        if (state.state === "done") return state;
        await new Promise((done) => setTimeout(done, POLL_MS));
      }
    },
    onSettled: () => client.invalidateQueries({ queryKey: ["datasets"] }),
  });
}

/** Some pictures of a version, of the split that was not trained on where there is one. */
export const usePictures = (dataset: string, version: string | undefined, limit: number) => useQuery({
  queryKey: ["dataset", dataset, "some", version, limit],
  queryFn: async () => {
    const of = (split: string) => api.get<Pictures>(withQuery(`${datasetPath(dataset, version)}/images`, { split, limit: 60 }));
    const some = await of("val").then((page) => (page.images.length ? page : of("")));
    const step = Math.max(1, Math.floor(some.images.length / limit));
    return some.images.filter((_, i) => i % step === 0).slice(0, limit);
  },
  enabled: Boolean(dataset && version),
  staleTime: Infinity,
});

const small = (version: Version) => (version.stats?.width.max ?? 0) <= 200 && (version.stats?.height.max ?? 0) <= 200;
const LOOKED_AT = 17_000; // pictures in all epochs: enough to see it learn, soon done

/** A small network and few epochs; undefined: no network learns this task. */
export function quickConfig(task: string, version: Version): Record<string, FieldValue> | undefined {
  const epochs = Math.max(5, Math.min(30, Math.round(LOOKED_AT / Math.max(1, version.train))));
  const size = small(version) ? "tiny" : "n";
  if (task === "classification")
    return size === "tiny" ? { model: "tiny", epochs, batch_size: 16, flip: 0 } : { model: "mobilenetv3-small", epochs };
  if (task === "detection" || task === "segmentation") return { model: `${task === "detection" ? "detect" : "segment"}-${size}`, epochs };
  return task === "semantic" ? { model: `semseg-${size}`, epochs } : undefined;
}

export function useQuickTraining() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (config: { dataset: string; config: Record<string, FieldValue> }) => api.post<Job>("/training/jobs", config),
    onSuccess: () => client.invalidateQueries({ queryKey: ["jobs"] }),
  });
}

/** What the best checkpoint says of these pictures. */
export const usePredictions = (job: string, epoch: number, pictures: Picture[]) => useQuery({
  queryKey: ["job", job, "said", epoch, pictures.map((one) => one.sha256)],
  queryFn: async ({ signal }) => {
    const form = new FormData();
    for (const one of pictures) form.append("image", await (await api.send(one.url, { signal })).blob(), one.name);
    const reply = await api.send(withQuery(`${jobPath(job)}/predict`, { checkpoint: "best", top_k: 3, confidence: 0.25, masks: "false" }), { method: "POST", body: form, signal });
    return ((await reply.json()) as Prediction).results;
  },
  enabled: pictures.length > 0,
  staleTime: Infinity,
  placeholderData: (old) => old,
});
