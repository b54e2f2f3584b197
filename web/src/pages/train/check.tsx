// What the server says of a training before it is made: what is wrong or doubtful, how long it will take, what it needs.
import { useQuery } from "@tanstack/react-query";
import { useEffect, useState } from "react";

import { api } from "../../api";
import type { Body } from "../../gen/api";
import { useTexts } from "../../i18n";
import { Card, Facts } from "../../parts/ui";
import type { Check } from "../../types";
import { humanise } from "./form";

const PAUSE_MS = 500; // after the last change

/** The value as it was when it last stood still; compared as text. */
function useSettled<T>(value: T): T {
  const [settled, setSettled] = useState(value);
  const text = JSON.stringify(value);
  useEffect(() => {
    const timer = window.setTimeout(() => setSettled(JSON.parse(text) as T), PAUSE_MS);
    return () => window.clearTimeout(timer);
  }, [text]);
  return settled;
}

export interface Checked { check: Check | undefined; measuring: boolean }

/** Doubts come at once; the speed is measured behind them, where no earlier run tells it. */
export function useCheck(body: Body<"POST /training/jobs"> | undefined): Checked {
  const settled = useSettled(body ?? null);
  const ask = (measure: boolean) => ({
    queryKey: ["check", measure, settled], queryFn: () => api.post<Check>(`/training/check?measure=${measure}`, settled),
    enabled: settled !== null, staleTime: 60_000,
  });
  const quick = useQuery(ask(false));
  const whole = useQuery({ ...ask(true), enabled: settled !== null && quick.data?.ok === true });
  return { check: whole.data ?? quick.data, measuring: quick.data?.ok === true && whole.isFetching };
}

function Warnings({ of: check }: { of: Check }) {
  const { t, of, language } = useTexts();
  if (!check.ok) return null; // the fault stands at its field
  if (!check.warnings.length) return <p className="text-sm text-success">{t("check.fine")}</p>;
  return (
    <div role="status" className="rounded border border-warning/50 bg-warning/5 px-4 py-3 text-sm">
      <p className="font-medium">{t("check.warnings", { n: check.warnings.length })}</p>
      <ul className="mt-1 list-disc space-y-1 pl-5">
        {check.warnings.map((w) => {
          const label = of("field", w.field), own = of("warn", w.code);
          return (
            <li key={w.code + w.field + w.message}>
              <b className="font-medium">{w.field === "dataset" ? t("dataset") : label === w.field ? humanise(w.field) : label}</b>:{" "}
              {language === "en" || own === w.code ? w.message : own}
            </li>
          );
        })}
      </ul>
    </div>
  );
}

/** "12 min" of milliseconds: a rough time, roughly said. */
export function roughly(seconds: number, language: string): string {
  const [value, unit] = seconds < 90 ? [seconds, "second"] : seconds < 5400 ? [seconds / 60, "minute"] : [seconds / 3600, "hour"];
  return new Intl.NumberFormat(language, { style: "unit", unit, unitDisplay: "short", maximumFractionDigits: value < 10 && unit !== "second" ? 1 : 0 }).format(value as number);
}

export function CheckCard({ of: { check, measuring } }: { of: Checked }) {
  const { t, bytes, number, language } = useTexts();
  if (!check) return null;
  const e = check.estimate, m = e?.measured;
  return (
    <Card title={t("check.title")}>
      <div className="grid gap-5 lg:grid-cols-[2fr_3fr]">
        <div className="space-y-1" aria-live="polite">
          {e?.basis && e.seconds !== null ? (
            <>
              <p className="text-2xl font-semibold">{t("check.time", { time: roughly(e.seconds, language) })}</p>
              <p className="text-sm text-muted">
                {t("check.range", { least: roughly(e.least ?? 0, language), most: roughly(e.most ?? 0, language) })},{" "}
                {e.basis === "runs" ? t("check.runs", { n: e.runs }) : t("check.measured")}
              </p>
            </>
          ) : <p className="text-sm text-muted">{measuring ? t("check.busy") : `${t("check.unknown")} ${e?.reason ?? ""}`}</p>}
          {m && (
            <div className="pt-2">
              <Facts rows={[[t("check.memory"), bytes(m.memory_bytes)], [t("check.size"), bytes(m.weights_bytes)],
                [t("check.speed"), t("check.perSecond", { n: number(m.train_images_per_second, m.train_images_per_second < 10 ? 1 : 0) })]]} />
            </div>
          )}
        </div>
        <Warnings of={check} />
      </div>
    </Card>
  );
}
