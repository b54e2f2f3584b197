// What the program was told when it started.
import { useTexts } from "../../i18n";
import { Card, Empty, Show } from "../../parts/ui";
import { useMay } from "../../session";
import { type Setting, useSettings } from "./queries";

function Group({ title, rows }: { title: string; rows: Setting[] }) {
  const { t, named } = useTexts();
  return (
    <Card title={named("settingGroup", title, title)}>
      <dl className="divide-y divide-border text-sm">
        {rows.map((one) => (
          <div key={one.name} className="grid gap-x-4 gap-y-1 py-2.5 sm:grid-cols-[16rem_1fr_auto]">
            <dt className="min-w-0"><code className="break-words font-medium">{one.name}</code></dt>
            <dd className="min-w-0">
              <p className="numbers break-all">{one.value || <span className="text-muted">{t("setting.empty")}</span>}</p>
              <p className="text-xs text-muted">{named("settingHelp", one.name, one.help)}</p>
            </dd>
            <dd className={`text-xs ${one.source === "default" ? "text-muted" : "font-medium text-info"}`}>{named("settingSource", one.source, one.source)}</dd>
          </div>
        ))}
      </dl>
    </Card>
  );
}

function All() {
  const { t } = useTexts();
  const settings = useSettings();
  return (
    <div className="space-y-5">
      <p className="max-w-prose text-sm text-muted">{t("setting.lead")}</p>
      <Show of={settings} lines={8}>
        {(all) => <>{[...new Set(all.map((one) => one.group))].map((group) => <Group key={group} title={group} rows={all.filter((one) => one.group === group)} />)}</>}
      </Show>
    </div>
  );
}

export function SettingsTab() {
  const { t } = useTexts();
  return useMay("admin") ? <All /> : <Empty title={t("audit.adminsOnly")} />;
}
