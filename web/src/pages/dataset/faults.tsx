// What the import found wrong, by file and line, and what it did about it; a fault leads to its picture.
import { useState } from "react";

import { useTexts } from "../../i18n";
import { Paged } from "../../parts/more";
import { Badge, Button, Empty, Select } from "../../parts/ui";
import { Link, setQuery } from "../../router";
import type { Version } from "../../types";
import { useFaults } from "../datasets/queries";

const tone = (severity: string) => (severity === "error" ? "destructive" : severity === "warning" ? "warning" : "muted");

export function FaultReport({ version }: { version: Version }) {
  const { t, of } = useTexts();
  const [code, setCode] = useState("");
  const list = useFaults(version.dataset, version.version, code);
  const counts = Object.entries(version.stats?.fault_counts ?? {});
  if (!version.faults) return <Empty title={t("fault.none")} />;
  return (
    <div className="space-y-4">
      <div className="flex flex-wrap items-end gap-3">
        <Select label={t("fault.code")} value={code} onChange={setCode}
          options={[["", `${t("all")} (${version.faults})`], ...counts.map(([name, n]): [string, string] => [name, `${of("faultCode", name)} (${n})`])]} />
        {code && <Button onClick={() => setQuery({ tab: "", fault: code, picture: "" })}>{t("fault.pictures")}</Button>}
      </div>
      <Paged of={list} items={(page) => page.faults} empty={<Empty title={t("nothingFound")} />}>
        {(all) => (
          <ul className="card divide-y divide-border !p-0">
            {all.map((one) => (
              <li key={one.n} className="space-y-1 px-4 py-3 text-sm">
                <p className="flex flex-wrap items-center gap-2">
                  <Badge tone={tone(one.severity)}>{of("severity", one.severity)}</Badge>
                  <span>{of("faultCode", one.code)}</span>
                  <code className="break-all text-muted">{one.file || t("fault.whole")}{one.line ? `:${one.line}` : ""}</code>
                </p>
                <p>{one.message}</p>
                {one.action && <p className="text-muted">{one.action}</p>}
                {one.index >= 0 && (
                  <Link className="link inline-block py-1" href={`/app/datasets/${version.dataset}?version=${version.number}&picture=${one.index}`}>
                    {t("fault.look")}
                  </Link>
                )}
              </li>
            ))}
          </ul>
        )}
      </Paged>
    </div>
  );
}
