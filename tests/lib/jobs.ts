// What tests do with datasets and jobs through the API.
import { type Anneal, until } from "./anneal";

export async function upload(anneal: Anneal, name: string, archive: Buffer, ms = 60_000): Promise<any> {
  const reply = await fetch(`${anneal.url}/datasets/upload?name=${encodeURIComponent(name)}`, {
    method: "POST",
    headers: { authorization: `Bearer ${anneal.token}`, "content-type": "application/octet-stream" },
    body: new Blob([new Uint8Array(archive)]),
  });
  if (!reply.ok) throw new Error(`upload: ${reply.status} ${await reply.text()}`);
  const started = (await reply.json()) as any;
  return until("the import has ended", async () => {
    const state = await anneal.get(`/datasets/imports/${started.import}`);
    return (state.state === "done" || state.state === "failed") && state;
  }, ms);
}

export async function create(anneal: Anneal, dataset: string, config: Record<string, unknown>, more = {}): Promise<string> {
  const reply = await anneal.api("POST", "/training/jobs", { dataset, config, ...more });
  const job = (await reply.json()) as any;
  if (!reply.ok) throw new Error(`job: ${reply.status} ${JSON.stringify(job)}`);
  return job.job;
}

export async function ended(anneal: Anneal, job: string, ms = 240_000): Promise<any> {
  return until(`job ${job} has ended`, async () => {
    const state = await anneal.get(`/training/jobs/${job}`).catch(() => undefined);
    return state && ["completed", "failed", "cancelled"].includes(state.status) && state;
  }, ms);
}

/** Metrics as {name: {epoch: value}}, without what depends on the clock; fails on a value stored twice. */
export async function metrics(anneal: Anneal, job: string): Promise<Record<string, Record<string, number>>> {
  const reply = await anneal.get(`/training/jobs/${job}/metrics`);
  const out: Record<string, Record<string, number>> = {};
  for (const [name, points] of Object.entries(reply.metrics as Record<string, any[]>)) {
    if (name === "images_per_second" || name.startsWith("system/")) continue;
    const series: Record<string, number> = (out[name] = {});
    for (const point of points) {
      if (point.epoch in series) throw new Error(`${name} of epoch ${point.epoch} is stored twice`);
      series[point.epoch] = point.value;
    }
  }
  return out;
}
