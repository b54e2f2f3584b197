// The chosen runs over each other: curves of a metric, and the settings in which they differ.
import { useState } from "react";

import { useTexts } from "../../i18n";
import { Chart } from "../../parts/chart";
import { Slider, Switch } from "../../parts/controls";
import { Button, Card, Loading, Select, Show } from "../../parts/ui";
import { Link } from "../../router";
import { type Run, differing, useConfigs, useCurves } from "./runs";

const first = ["val/accuracy", "val/map50", "val/miou", "val/loss", "loss"];

function Curves({ runs }: { runs: Run[] }) {
  const { t } = useTexts();
  const curves = useCurves(runs);
  const [picked, setPicked] = useState("");
  const [weight, setWeight] = useState(0);
  const [log, setLog] = useState(false);
  return (
    <Card title={t("compare.curves")}>
      <Show of={curves} lines={6}>
        {(all) => {
          const names = [...all.keys()].sort();
          const name = names.includes(picked) ? picked : first.find((one) => all.has(one)) ?? names[0];
          if (!name) return <p className="text-sm text-muted">{t("chart.none")}</p>;
          return (
            <div className="space-y-3">
              <div className="flex flex-wrap items-end gap-x-5 gap-y-2">
                <Select label={t("compare.metric")} value={name} onChange={setPicked} options={names.map((one) => [one, one])} />
                <Slider label={t("compare.smooth")} value={weight} max={0.99} onChange={setWeight} format={(v) => v.toFixed(2)} />
                <Switch label={t("compare.log")} checked={log} onChange={setLog} />
              </div>
              <Chart label={name} series={all.get(name) ?? []} xLabel={t("epoch")} height={300} weight={weight} log={log} />
            </div>
          );
        }}
      </Show>
    </Card>
  );
}

function Differences({ runs }: { runs: Run[] }) {
  const { t } = useTexts();
  const configs = useConfigs(runs);
  if (runs.length < 2) return null;
  return (
    <Card title={t("compare.differences")}>
      <Show of={configs} lines={4}>
        {(all) => {
          if (all.length !== runs.length) return <Loading lines={4} />;
          const names = differing(all);
          if (!names.length) return <p className="text-sm text-muted">{t("compare.same")}</p>;
          return (
            <div className="overflow-x-auto">
              <table className="w-full text-sm">
                <thead>
                  <tr>
                    <th scope="col" className="text-left">{t("compare.settings")}</th>
                    {runs.map((run) => <th key={run.job} scope="col" className="max-w-48 truncate px-3 text-left"><Link href={`/app/jobs/${run.job}`} className="hover:underline">{run.name}</Link></th>)}
                  </tr>
                </thead>
                <tbody className="divide-y divide-border">
                  {names.map((name) => (
                    <tr key={name}>
                      <th scope="row" className="py-1.5 pr-3 text-left font-normal text-muted">{name}</th>
                      {all.map((config, i) => <td key={runs[i]?.job ?? i} className="numbers px-3 py-1.5">{config[name] === null || config[name] === undefined ? "–" : String(config[name])}</td>)}
                    </tr>
                  ))}
                </tbody>
              </table>
            </div>
          );
        }}
      </Show>
    </Card>
  );
}

export function Chosen({ runs, onNone }: { runs: Run[]; onNone: () => void }) {
  const { t } = useTexts();
  return (
    <section aria-label={t("compare.chosen", { n: runs.length })} className="space-y-4">
      <div className="flex items-center justify-between gap-3">
        <p className="text-sm font-medium">{t("compare.chosen", { n: runs.length })}</p>
        <Button look="quiet" onClick={onNone}>{t("compare.clear")}</Button>
      </div>
      <Curves runs={runs} />
      <Differences runs={runs} />
    </section>
  );
}
