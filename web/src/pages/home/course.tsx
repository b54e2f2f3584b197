// How well it does, epoch by epoch, while it learns.
import { lazy, Suspense } from "react";

import { useTexts } from "../../i18n";
import { useMetrics } from "../job/queries";

const Chart = lazy(async () => ({ default: (await import("../../parts/chart")).Chart }));
const scores = ["val/accuracy", "val/map50", "val/miou", "val/mask_map50"];

export function Course({ job }: { job: string }) {
  const { t, of } = useTexts();
  const metrics = useMetrics(job);
  const name = scores.find((one) => metrics.data?.metrics[one]);
  const points = (name && metrics.data?.metrics[name]) || [];
  if (!name || points.length < 2) return null;
  const label = of("metric", name === "val/accuracy" ? "accuracy" : name === "val/miou" ? "miou" : "map");
  return (
    <Suspense fallback={<div className="h-40" />}>
      <Chart label={label} xLabel={t("epoch")} height={160} series={[{ key: name, label, x: points.map((p) => p.epoch), y: points.map((p) => p.value ?? Number.NaN) }]} />
    </Suspense>
  );
}
