// What the run's process uses while it trains: processors, memory, disk, and whether the network waits for pictures.
import { useMemo } from "react";

import { useTexts } from "../../i18n";
import { Chart, type Series, short } from "../../parts/chart";
import { Card, Empty } from "../../parts/ui";
import type { Course } from "../../types";
import { timeOf } from "./charts";

const MIB = 2 ** 20;
const rows = [
  ["cpu", "system/cpu", 1], ["memory", "system/memory", 1 / MIB], ["read", "system/read", 1 / MIB], ["wait", "system/wait", 100],
  ["speed", "images_per_second", 1],
] as const;

/** Over time, in the unit that its label names. */
export function loadOf(course: Course, name: string, factor: number, label: string): Series {
  const { ms } = timeOf(course);
  const values = course.metrics[name] ?? [];
  const at = values.flatMap((v, i) => (v === null || v === undefined ? [] : [i]));
  const from = course.time[0] ?? 0;
  return {
    key: name, label, x: Float64Array.from(at, (i) => ((course.time[i] ?? 0) - from) / ms),
    y: Float64Array.from(at, (i) => (values[i] as number) * factor),
  };
}

export default function System({ course }: { course: Course }) {
  const { t, of } = useTexts();
  const all = useMemo(() => rows.map(([key, name, factor]) => ({ key, series: loadOf(course, name, factor, of("system", key)) }))
    .filter((one) => one.series.x.length > 0), [course, of]);
  if (!all.length) return <Empty title={t("watch.systemNone")} />;
  return (
    <div className="grid gap-5 md:grid-cols-2 xl:grid-cols-3">
      {all.map(({ key, series }) => (
        <Card key={key} title={series.label} aside={<span className="numbers text-sm font-medium">{short(series.y[series.y.length - 1])}</span>}>
          <Chart label={series.label} series={[series]} xLabel={of("axis", timeOf(course).unit)} height={140} />
        </Card>
      ))}
    </div>
  );
}
