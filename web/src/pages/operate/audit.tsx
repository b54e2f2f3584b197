// The audit log, by page.
import { useDeferredValue, useState } from "react";

import { useTexts } from "../../i18n";
import { Switch } from "../../parts/controls";
import { Paged } from "../../parts/more";
import { type Column, DataTable } from "../../parts/table";
import { Badge, Empty, Input } from "../../parts/ui";
import { useMay } from "../../session";
import { type Entry, useAudit } from "./queries";

function List() {
  const { t, time } = useTexts();
  const [q, setQ] = useState("");
  const [refused, setRefused] = useState(false);
  const list = useAudit({ q: useDeferredValue(q.trim()), refused });
  const columns: Column<Entry>[] = [
    { key: "when", title: t("audit.when"), width: 200, cell: (one) => time(one.at) },
    { key: "who", title: t("audit.who"), width: 170, cell: (one) => one.actor || <span className="text-muted">{t("audit.nobody")}</span> },
    { key: "status", title: t("audit.status"), width: 90, cell: (one) => <Badge tone={one.status < 400 ? "success" : "destructive"}>{one.status}</Badge> },
    { key: "what", title: t("audit.what"), width: 260, cell: (one) => <code className="text-xs">{one.action}</code> },
    { key: "where", title: t("audit.where"), width: 240, cell: (one) => <code className="text-xs text-muted" title={one.object}>{one.object}</code> },
    { key: "from", title: t("audit.from"), width: 190, cell: (one) => <span className="text-muted">{one.address}{one.credential === "token" && ` · ${t("audit.by")}`}</span> },
  ];
  return (
    <div className="space-y-4">
      <p className="text-sm text-muted">{t("audit.lead")}</p>
      <div className="flex flex-wrap items-center gap-4">
        <div className="min-w-40 flex-1 sm:max-w-72"><Input type="search" aria-label={t("search")} placeholder={t("search")} value={q} onChange={(e) => setQ(e.target.value)} /></div>
        <Switch label={t("audit.refused")} checked={refused} onChange={setRefused} />
      </div>
      <Paged of={list} items={(page) => page.entries} empty={<Empty title={t("nothingFound")} />}>
        {(all) => <DataTable label={t("operate.audit")} rows={all} columns={columns} id={(one) => String(one.id)} />}
      </Paged>
    </div>
  );
}

export function AuditTab() {
  const { t } = useTexts();
  return useMay("admin") ? <List /> : <Empty title={t("audit.adminsOnly")} />;
}
