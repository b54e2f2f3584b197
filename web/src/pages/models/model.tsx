// One registered model: what is live, its versions, its history, its links.
import { type FormEvent, useState } from "react";

import { api } from "../../api";
import { useTexts } from "../../i18n";
import { Badge, Button, ButtonLink, ErrorNote, Field, PageHead, Show } from "../../parts/ui";
import { Link, useTitle } from "../../router";
import { useMay } from "../../session";
import { Links, Policy } from "./links";
import { LiveAndHistory } from "./live";
import { modelPath, type RegistryModel, useChange, useModel, useVersions } from "./queries";
import { Register } from "./register";
import { Versions } from "./versions";

function About({ model }: { model: RegistryModel }) {
  const { t } = useTexts();
  const may = useMay("engineer");
  const [text, setText] = useState<string>();
  const put = useChange((description: string) => api.put(modelPath(model.id), { description }), () => setText(undefined));
  if (text === undefined)
    return (
      <div className="mb-6 flex flex-wrap items-start gap-x-3 text-sm">
        <p className="max-w-prose whitespace-pre-line break-words text-muted">{model.description || t("registry.noAbout")}</p>
        {may && <button type="button" className="link" onClick={() => setText(model.description)}>{t("registry.editAbout")}</button>}
      </div>
    );
  return (
    <form className="mb-6 max-w-prose space-y-3" onSubmit={(e: FormEvent) => {
      e.preventDefault();
      put.mutate(text);
    }}>
      <Field label={t("description")}><textarea className="field" rows={3} maxLength={4096} value={text} onChange={(e) => setText(e.target.value)} autoFocus /></Field>
      {put.isError && <ErrorNote error={put.error} />}
      <div className="flex gap-2">
        <Button type="submit" look="primary" busy={put.isPending}>{t("registry.save")}</Button>
        <Button onClick={() => setText(undefined)}>{t("back")}</Button>
      </div>
    </form>
  );
}

export default function ModelPage({ name }: { name: string }) {
  const { t, of } = useTexts();
  useTitle(name);
  const may = useMay("engineer");
  const model = useModel(name);
  const versions = useVersions(name);
  const [adding, setAdding] = useState(false);
  return (
    <Show of={model}>
      {(m) => (
        <>
          <PageHead title={m.name} above={
            <div className="flex items-center gap-3 text-sm"><Link className="link" href="/app/models">{t("registry.title")}</Link><Badge>{of("task", m.task)}</Badge></div>
          }>
            <ButtonLink look="primary" href={`/app/try?model=${encodeURIComponent(m.name)}`}>{t("registry.try")}</ButtonLink>
          </PageHead>
          <About model={m} />
          <div className="flex flex-col gap-5">
            <LiveAndHistory model={m} />
            <Show of={versions}>
              {(all) => (
                <>
                  <Versions model={m} versions={all} {...(may && { onAdd: () => setAdding(true) })} />
                  <div className="grid gap-5 lg:grid-cols-2">
                    <Links model={m} versions={all} />
                    <Policy model={m} />
                  </div>
                </>
              )}
            </Show>
          </div>
          {adding && <Register model={m.id} onClose={() => setAdding(false)} />}
        </>
      )}
    </Show>
  );
}
