// The list of datasets, and the place to make one.
import { useDeferredValue, useState } from "react";

import { useTexts } from "../../i18n";
import { Paged } from "../../parts/more";
import { Card, Empty, Input, PageHead } from "../../parts/ui";
import { UploadPlace, Uploads } from "../../parts/upload";
import { useTitle } from "../../router";
import { useMay } from "../../session";
import { useDatasets } from "./queries";
import { DatasetRow } from "./row";

export default function DatasetsPage() {
  const { t } = useTexts();
  const [q, setQ] = useState("");
  const list = useDatasets(useDeferredValue(q.trim()));
  const may = useMay("engineer");
  useTitle(t("datasets"));
  return (
    <>
      <PageHead title={t("datasets")} />
      <div className="space-y-6">
        {may && <UploadPlace title={t("upload.title")} />}
        <Uploads />
        <Card className="!p-0">
          <div className="border-b border-border p-3">
            <Input type="search" aria-label={t("search")} placeholder={t("search")} value={q} onChange={(e) => setQ(e.target.value)} />
          </div>
          <Paged of={list} items={(page) => page.datasets}
            empty={<div className="p-4"><Empty title={q ? t("nothingFound") : t("dataset.none")} /></div>}>
            {(all) => <ul className="divide-y divide-border">{all.map((one) => <DatasetRow key={one.id} dataset={one} />)}</ul>}
          </Paged>
        </Card>
      </div>
    </>
  );
}
