// A dataset in a list.
import { useTexts } from "../../i18n";
import { Badge } from "../../parts/ui";
import { Link } from "../../router";
import type { Dataset } from "../../types";

export function DatasetRow({ dataset }: { dataset: Dataset }) {
  const { t, bytes, ago, of } = useTexts();
  return (
    <li className="relative flex flex-wrap items-center gap-x-4 gap-y-1 px-4 py-3 hover:bg-raised">
      <div className="min-w-0 flex-1 basis-56">
        <Link href={`/app/datasets/${dataset.id}`} className="block truncate font-medium after:absolute after:inset-0">{dataset.name}</Link>
        <p className="numbers text-sm text-muted">
          {dataset.versions
            ? `${t("pictures", { n: dataset.images })} · ${t("classes", { n: dataset.classes })} · ${bytes(dataset.bytes)} · ${ago(dataset.updated_at)}`
            : t("dataset.noVersion")}
        </p>
      </div>
      {dataset.faults > 0 && <Badge tone="warning">{t("faults", { n: dataset.faults })}</Badge>}
      {dataset.task && <Badge>{of("task", dataset.task)}</Badge>}
    </li>
  );
}
