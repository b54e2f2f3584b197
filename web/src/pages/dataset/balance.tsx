// How many pictures each class and each split has.
import { useState } from "react";

import { useTexts } from "../../i18n";
import { Button, Card, Empty, Facts } from "../../parts/ui";
import { splits, type Split, type Version } from "../../types";

const tones: Record<Split, string> = { train: "bg-[rgb(var(--series-1))]", val: "bg-[rgb(var(--series-2))]", test: "bg-[rgb(var(--series-3))]", none: "bg-muted/50" };
const SHOWN = 30;

export function SplitBar({ version }: { version: Version }) {
  const { of, number, percent } = useTexts();
  const present = splits.filter((s) => version[s] > 0);
  return (
    <div className="space-y-2">
      <div className="flex h-3 overflow-hidden rounded bg-raised" aria-hidden="true">
        {present.map((s) => <div key={s} className={tones[s]} style={{ width: `${(100 * version[s]) / Math.max(1, version.images)}%` }} />)}
      </div>
      <ul className="numbers flex flex-wrap gap-x-5 gap-y-1 text-sm">
        {present.map((s) => (
          <li key={s} className="flex items-center gap-2">
            <span className={`h-2.5 w-2.5 rounded-sm ${tones[s]}`} aria-hidden="true" />
            {of("split", s)} <b className="font-medium">{number(version[s])}</b>
            <span className="text-muted">{percent(version[s] / Math.max(1, version.images), 0)}</span>
          </li>
        ))}
      </ul>
    </div>
  );
}

export function Balance({ version }: { version: Version }) {
  const { t, number, of } = useTexts();
  const [all, setAll] = useState(false);
  const stats = version.stats;
  if (!stats) return <Empty title={t("dataset.noStats")} />;
  const counted = (c: (typeof stats.classes)[number]) => (version.task === "classification" ? c.images : c.shapes);
  const rows = stats.classes;
  const most = Math.max(1, ...rows.map(counted));
  return (
    <div className="grid gap-5 lg:grid-cols-[2fr_1fr]">
      <Card title={version.task === "classification" ? t("dataset.balance") : t("dataset.balanceShapes")}>
        {rows.length ? (
          <table className="numbers w-full text-sm">
            <thead className="sr-only"><tr><th>{t("class")}</th><th>{t("picturesWord")}</th><th>{t("splits")}</th></tr></thead>
            <tbody>
              {rows.slice(0, all ? undefined : SHOWN).map((c) => (
                <tr key={c.name}>
                  <th scope="row" className="max-w-[8rem] truncate !px-0 !py-1.5 !text-sm !font-normal !text-foreground sm:max-w-[14rem]" title={c.name}>{c.name}</th>
                  <td className="w-full !py-1.5">
                    <div className="flex h-2.5 overflow-hidden rounded-sm bg-raised" title={splits.filter((s) => c[s]).map((s) => `${of("split", s)} ${c[s]}`).join(", ")}>
                      {version.task === "classification"
                        ? splits.map((s) => <div key={s} className={tones[s]} style={{ width: `${(100 * c[s]) / most}%` }} />)
                        : <div className={tones.train} style={{ width: `${(100 * c.shapes) / most}%` }} />}
                    </div>
                  </td>
                  <td className="!px-0 !py-1.5 text-right">{number(counted(c))}</td>
                </tr>
              ))}
            </tbody>
          </table>
        ) : <p className="text-sm text-muted">{t("dataset.noClasses")}</p>}
        {rows.length > SHOWN && !all && <Button className="mt-3" onClick={() => setAll(true)}>{t("showAll", { n: rows.length })}</Button>}
      </Card>
      <div className="space-y-5">
        <Card title={t("splits")}><SplitBar version={version} /></Card>
        <Card title={t("dataset.facts")}>
          <Facts rows={[
            [t("format"), version.format],
            [t("width"), `${stats.width.min} – ${stats.width.max}`],
            [t("height"), `${stats.height.min} – ${stats.height.max}`],
            [t("types"), Object.entries(stats.types).map(([name, n]) => `${name} ${number(n)}`).join(", ")],
            [t("duplicates"), number(stats.duplicates)],
            [t("otherFiles"), number(stats.other_files)],
          ]} />
        </Card>
      </div>
    </div>
  );
}
