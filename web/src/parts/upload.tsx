// Pictures into a dataset: the place to drop them, and what becomes of each upload.
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect } from "react";

import { api } from "../api";
import { useTexts } from "../i18n";
import type { Dataset } from "../types";
import { abortUpload, dismissUpload, findInterrupted, pauseUpload, resumeUpload, startUpload, type Upload, useUploads } from "../uploads";
import { Drop } from "./drop";
import { Button, ButtonLink, ErrorNote, Progress } from "./ui";

const accept = ".zip,.tar,.tgz,.gz,.xz,.zst,.jpg,.jpeg,.png,.webp,.txt,.json,.xml,.yaml";

function useLine({ phase, state, sent, bytes: size }: Upload): string {
  const { t, bytes, percent } = useTexts();
  const part = { part: percent(sent, 0), size: bytes(size) };
  switch (phase) {
    case "sending": return t("upload.sending", part);
    case "paused": return t("upload.paused", part);
    case "waiting": return t("upload.waiting", part);
    case "interrupted": return t("upload.interrupted", part);
    case "importing": return t("upload.importing", { part: percent(state?.progress ?? 0, 0), n: state?.images ?? 0 });
    case "done": return t("upload.done", { n: state?.images ?? 0, faults: state?.faults ?? 0 });
    case "failed": return t("upload.failed");
  }
}

function Line({ upload }: { upload: Upload }) {
  const { t } = useTexts();
  const { phase, state, id } = upload;
  const text = useLine(upload);
  const made = useQuery({
    queryKey: ["dataset", state?.dataset], queryFn: () => api.get<Dataset>(`/datasets/${state?.dataset}`), enabled: phase === "done" && Boolean(state),
  });
  const open = phase === "sending" || phase === "paused" || phase === "waiting" || phase === "interrupted";
  return (
    <li className="card space-y-3" data-phase={phase}>
      <div className="flex flex-wrap items-center gap-x-4 gap-y-2">
        <div className="min-w-0 flex-1 basis-56">
          <p className="truncate font-medium">{upload.name}</p>
          <p className="numbers text-sm text-muted" aria-live="polite">{text}</p>
        </div>
        {phase === "done" && state && (
          <>
            <ButtonLink href={`/app/datasets/${state.dataset}`}>{t("upload.look")}</ButtonLink>
            {made.data?.classes === 0
              ? <ButtonLink look="primary" href={`/app/datasets/${state.dataset}/label`}>{t("label.start")}</ButtonLink>
              : <ButtonLink look="primary" href={`/app/train?dataset=${state.dataset}`}>{t("train.start")}</ButtonLink>}
          </>
        )}
        {(phase === "sending" || phase === "waiting") && <Button onClick={() => pauseUpload(id)}>{t("upload.pause")}</Button>}
        {phase === "paused" && <Button look="primary" onClick={() => resumeUpload(id)}>{t("upload.resume")}</Button>}
        {open && <Button onClick={() => abortUpload(id)}>{t("cancel")}</Button>}
        {(phase === "done" || phase === "failed") && <Button look="quiet" onClick={() => dismissUpload(id)}>{t("dismiss")}</Button>}
      </div>
      {(open || phase === "importing") && <Progress value={phase === "importing" ? (state?.progress ?? 0) : upload.sent} label={upload.name} />}
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
  useEffect(() => void findInterrupted(), []);
  if (!uploads.length) return null;
  return <ul aria-label={t("upload.list")} className="space-y-3">{uploads.map((one) => <Line key={one.id} upload={one} />)}</ul>;
}
