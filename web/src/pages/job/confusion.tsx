// The confusion matrix: a row is a true class, a column what was predicted; the darker, the larger its share of
// the row.  A cell opens its pictures.
import { useTexts } from "../../i18n";

const SHOWN_MAX = 60; // classes; beyond, a cell is smaller than a finger and a screen

export function Confusion({ classes, counts, pixels, onOpen }: {
  classes: string[]; counts: number[][]; pixels: boolean; onOpen: (label: number, predicted: number) => void;
}) {
  const { t, number } = useTexts();
  const few = classes.length <= 20;
  if (classes.length > SHOWN_MAX) return <p className="text-sm text-muted">{t("confusion.large", { n: classes.length })}</p>;
  return (
    <div className="overflow-auto" tabIndex={0} role="region" aria-label={t("confusion")}>
      <table className={`numbers border-separate border-spacing-px text-xs ${few ? "w-full" : ""}`}>
        <caption className="caption-bottom pt-2 text-left text-xs text-muted">{t(pixels ? "confusion.pixels" : "confusion.hint")}</caption>
        <thead>
          <tr>
            <td className="!p-0" />
            {classes.map((c) => (
              <th key={c} scope="col" className="h-20 !p-0 align-bottom font-normal">
                <span className="mx-auto block max-h-20 rotate-180 truncate pt-1 [writing-mode:vertical-rl]" title={c}>{c}</span>
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {counts.map((row, label) => {
            const sum = row.reduce((a, b) => a + b, 0);
            return (
              <tr key={classes[label]}>
                <th scope="row" className="sticky left-0 max-w-[7rem] truncate bg-surface !px-2 !py-0 text-right font-normal" title={classes[label]}>{classes[label]}</th>
                {row.map((n, predicted) => {
                  const share = sum ? n / sum : 0;
                  const text = t("confusion.cell", { n, label: classes[label] ?? "", predicted: classes[predicted] ?? "" });
                  return (
                    <td key={predicted} className="!p-0">
                      <button type="button" disabled={!n} title={text} aria-label={text} onClick={() => onOpen(label, predicted)}
                        className={`grid h-8 place-items-center rounded-sm ${few ? "w-full min-w-8" : "w-7"} ${share > 0.55 ? "text-background" : ""} disabled:cursor-default`}
                        style={{ background: `rgb(var(--${label === predicted ? "series-2" : "series-1"}) / ${n ? 0.12 + 0.88 * share : 0.04})` }}>
                        {n ? number(n) : ""}
                      </button>
                    </td>
                  );
                })}
              </tr>
            );
          })}
        </tbody>
      </table>
    </div>
  );
}
