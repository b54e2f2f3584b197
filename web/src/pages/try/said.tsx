// An answer in words: classes with their confidence, how many objects of what, which areas.
import type { Answer } from "../../engine/answer";
import { useTexts } from "../../i18n";
import { Bar, ErrorNote } from "../../parts/ui";
import type { Task } from "../../types";
import { countsOf, shownOf } from "./runner";

export function Said({ answer, task, threshold }: { answer: Answer; task: Task; threshold: number }) {
  const { t, percent, number } = useTexts();
  if (answer.error) return <ErrorNote error={new Error(answer.error)} />;
  const marks = shownOf(answer, task, threshold);
  if (task === "detection" || task === "segmentation")
    return <p className="text-sm">{countsOf(marks).map(([name, n]) => `${name} ${number(n)}`).join(" · ") || t("bench.nothing")}</p>;
  return (
    <ol className="space-y-2">
      {marks.map((m, i) => (
        <li key={m.class_id} className="space-y-1">
          <p className={`flex justify-between gap-3 text-sm ${i ? "" : "font-semibold"}`}>
            <span className="truncate">{m.class}</span><span className="numbers">{percent(m.confidence ?? m.share ?? 0)}</span>
          </p>
          <Bar share={m.confidence ?? m.share ?? 0} tone={i ? "muted" : "primary"} />
        </li>
      ))}
    </ol>
  );
}
