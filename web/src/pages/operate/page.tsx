// For those who keep the program running.
import { type ComponentType } from "react";

import { useTexts } from "../../i18n";
import { Tabs } from "../../parts/tabs";
import { Empty, PageHead } from "../../parts/ui";
import { setQuery, useQueryParams, useTitle } from "../../router";
import { useMay } from "../../session";
import { AuditTab } from "./audit";
import { HealthTab } from "./health";
import { SettingsTab } from "./settings";
import { StorageTab } from "./storage";
import { UseTab } from "./use";
import { WebhooksTab } from "./webhooks";

const tabs = { health: HealthTab, use: UseTab, storage: StorageTab, webhooks: WebhooksTab, audit: AuditTab, settings: SettingsTab } satisfies Record<string, ComponentType>;
type Tab = keyof typeof tabs;

export default function OperatePage() {
  const { t } = useTexts();
  const asked = useQueryParams().get("tab") ?? "";
  const tab: Tab = asked in tabs ? (asked as Tab) : "health";
  const manager = useMay("manager");
  const Panel = tabs[tab];
  useTitle(t("operate"));
  return (
    <>
      <PageHead title={t("operate")} />
      {manager ? (
        <Tabs label={t("operate")} value={tab} onChange={(to) => setQuery({ tab: to === "health" ? "" : to })}
          tabs={(Object.keys(tabs) as Tab[]).map((key) => [key, t(`operate.${key}`)])}>
          <Panel />
        </Tabs>
      ) : <Empty title={t("mayNot")} />}
    </>
  );
}
