// The registered models: what each is, what of it is live.
import { useState } from "react";

import { useTexts } from "../../i18n";
import { Badge, Button, Empty, Input, PageHead, Show } from "../../parts/ui";
import { Link, setQuery, useQueryParams, useTitle } from "../../router";
import { useMay } from "../../session";
import { type RegistryModel, useModels } from "./queries";
import { Register } from "./register";

function Row({ model }: { model: RegistryModel }) {
  const { t, of, ago } = useTexts();
  return (
    <li className="relative flex flex-wrap items-center gap-x-4 gap-y-2 px-4 py-3 hover:bg-raised">
      <div className="min-w-0 flex-1 basis-56">
        <Link href={`/app/models/${encodeURIComponent(model.name)}`} className="font-medium after:absolute after:inset-0">{model.name}</Link>
        <p className="truncate text-sm text-muted">
          {of("task", model.task)} · {t("registry.versions", { n: model.versions })}{model.description && ` · ${model.description}`}
        </p>
      </div>
      <div className="flex flex-wrap gap-2">
        {model.aliases.length ? model.aliases.map((a) => <Badge key={a.alias} tone="success">{t("bench.live", { alias: a.alias, version: String(a.version) })}</Badge>)
          : <Badge>{t("registry.notLive")}</Badge>}
      </div>
      <span className="w-28 text-right text-sm text-muted">{ago(model.updated_at)}</span>
    </li>
  );
}

export default function ModelsPage() {
  const { t } = useTexts();
  useTitle(t("registry.title"));
  const may = useMay("engineer");
  const job = useQueryParams().get("register");
  const [adding, setAdding] = useState(job !== null);
  const [q, setQ] = useState("");
  const models = useModels();
  const close = () => {
    setQuery({ register: "" });
    setAdding(false);
  };
  return (
    <>
      <PageHead title={t("registry.title")}>{may && <Button look="primary" onClick={() => setAdding(true)}>{t("registry.register")}</Button>}</PageHead>
      <p className="mb-6 max-w-prose text-sm text-muted">{t("registry.intro")}</p>
      <Show of={models}>
        {(all) => {
          if (!all.length) return <Empty title={t("registry.none")}><p className="max-w-prose text-sm text-muted">{t("registry.noneText")}</p></Empty>;
          const found = all.filter((m) => m.name.includes(q.toLowerCase()));
          return (
            <div className="space-y-4">
              {all.length > 5 && (
                <div className="max-w-xs"><Input type="search" aria-label={t("registry.search")} placeholder={t("registry.search")} value={q} onChange={(e) => setQ(e.target.value)} /></div>
              )}
              {found.length ? <ul className="card divide-y divide-border !p-0">{found.map((m) => <Row key={m.id} model={m} />)}</ul>
                : <Empty title={t("registry.noHit")} />}
            </div>
          );
        }}
      </Show>
      {adding && <Register job={job ?? ""} onClose={close} />}
    </>
  );
}
