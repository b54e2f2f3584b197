// Pictures into a dataset: the place to drop them, and what becomes of each upload.
import { useQueryClient } from "@tanstack/react-query";

import { useTexts } from "../i18n";
import { abortUpload, dismissUpload, startUpload, type Upload, useUploads } from "../uploads";
import { Drop } from "./drop";
import { Button, ButtonLink, ErrorNote, Progress } from "./ui";

const accept = ".zip,.tar,.tgz,.gz,.xz,.zst,.jpg,.jpeg,.png,.webp,.txt,.json,.xml,.yaml";

function Line({ upload }: { upload: Upload }) {
  const { t, bytes, percent } = useTexts();
  const { phase, state } = upload;
  const part = phase === "sending" ? upload.sent : (state?.progress ?? 0);
  const text = phase === "sending" ? t("upload.sending", { part: percent(upload.sent, 0), size: bytes(upload.bytes) })
    : phase === "importing" ? t("upload.importing", { part: percent(part, 0), n: state?.images ?? 0 })
      : phase === "done" ? t("upload.done", { n: state?.images ?? 0, faults: state?.faults ?? 0 }) : t("upload.failed");
  return (
    <li className="card space-y-3" data-phase={phase}>
      <div className="flex flex-wrap items-center gap-x-4 gap-y-2">
        <div className="min-w-0 flex-1">
          <p className="truncate font-medium">{upload.name}</p>
          <p className="numbers text-sm text-muted" aria-live="polite">{text}</p>
        </div>
        {phase === "done" && state && (
          <>
            <ButtonLink href={`/app/datasets/${state.dataset}`}>{t("upload.look")}</ButtonLink>
            <ButtonLink look="primary" href={`/app/train?dataset=${state.dataset}`}>{t("train.start")}</ButtonLink>
          </>
        )}
        {phase === "sending" && <Button onClick={() => abortUpload(upload.id)}>{t("cancel")}</Button>}
        {(phase === "done" || phase === "failed") && <Button look="quiet" onClick={() => dismissUpload(upload.id)}>{t("dismiss")}</Button>}
      </div>
      {(phase === "sending" || phase === "importing") && <Progress value={part} label={upload.name} />}
      {phase === "failed" && <ErrorNote error={upload.error ?? new Error(state?.error ?? "")} />}
    </li>
  );
}

export function UploadPlace({ name, title }: { name?: string; title: string }) {
  const { t } = useTexts();
  const client = useQueryClient();
  return <Drop folder accept={accept} title={title} hint={t("upload.hint")} onFiles={(files) => void startUpload(client, files, name)} />;
}

export function Uploads() {
  const { t } = useTexts();
  const uploads = useUploads();
  if (!uploads.length) return null;
  return <ul aria-label={t("upload.list")} className="space-y-3">{uploads.map((one) => <Line key={one.id} upload={one} />)}</ul>;
}
