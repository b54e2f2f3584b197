// The end of a draft: a version with a message, or nothing.
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect, useState } from "react";

import { api } from "../../api";
import { useTexts } from "../../i18n";
import { Button, ButtonLink, Confirm, Dialog, ErrorNote, Field, Progress } from "../../parts/ui";
import { navigate } from "../../router";
import type { Draft, Import } from "../../types";
import { draftPath } from "./queries";

const POLL_MS = 400;

export function Commit({ dataset, draft, labelled, settled, onClose }: {
  dataset: string; draft: Draft; labelled: number; settled: () => Promise<void>; onClose: () => void;
}) {
  const { t, percent } = useTexts();
  const client = useQueryClient();
  const [message, setMessage] = useState("");
  const [val, setVal] = useState("20");
  const commit = useMutation({
    mutationFn: async () => {
      await settled();
      return api.post<Import>(`${draftPath(dataset)}/commit`, { message, val: Number(val) / 100 });
    },
  });
  const id = commit.data?.import;
  const run = useQuery({
    queryKey: ["import", id],
    queryFn: () => api.get<Import>(`/datasets/imports/${id}`),
    enabled: Boolean(id),
    refetchInterval: (query) => (query.state.data && ["done", "failed"].includes(query.state.data.state) ? false : POLL_MS),
  });
  const state = run.data?.state;
  useEffect(() => {
    if (state !== "done") return undefined;
    void client.invalidateQueries({ queryKey: ["dataset", dataset], predicate: (query) => query.queryKey[2] !== "draft" });
    void client.invalidateQueries({ queryKey: ["datasets"] });
    return () => void client.resetQueries({ queryKey: ["dataset", dataset, "draft"] }); // the page asks for the next one
  }, [state, client, dataset]);
  if (state === "done")
    return (
      <Dialog title={t("commit.done")} onClose={() => navigate(`/app/datasets/${dataset}`)}>
        <div className="space-y-4 text-sm">
          <p role="status">{t("commit.doneText", { n: run.data?.images ?? 0 })}</p>
          <div className="flex flex-wrap justify-end gap-2">
            <ButtonLink href={`/app/datasets/${dataset}?tab=versions`}>{t("commit.compare")}</ButtonLink>
            <Button onClick={onClose}>{t("commit.goOn")}</Button>
            <ButtonLink look="primary" href={`/app/train?dataset=${dataset}`}>{t("train.start")}</ButtonLink>
          </div>
        </div>
      </Dialog>
    );
  const failed = state === "failed" ? new Error(run.data?.error ?? "") : commit.error ?? run.error;
  const busy = commit.isPending || (Boolean(id) && state !== "failed");
  return (
    <Dialog title={t("commit.title")} {...(!busy && { onClose })}>
      <form onSubmit={(e) => {
        e.preventDefault();
        commit.mutate();
      }} className="space-y-4">
        <p className="text-sm text-muted">{t("commit.text", { n: labelled })}{draft.suggested > 0 && ` ${t("commit.suggested", { n: draft.suggested })}`}</p>
        <Field label={t("commit.message")} help={t("commit.messageHelp")}>
          <textarea className="field" rows={2} maxLength={2000} value={message} onChange={(e) => setMessage(e.target.value)} autoFocus />
        </Field>
        <Field label={t("commit.val")} help={t("commit.valHelp")}>
          <input className="field" type="number" min={0} max={90} step={1} required value={val} onChange={(e) => setVal(e.target.value)} />
        </Field>
        {busy && id && <Progress value={run.data?.progress ?? 0} label={t("commit.title")} />}
        {busy && id && <p role="status" className="text-sm text-muted">{t("commit.running", { part: percent(run.data?.progress ?? 0, 0) })}</p>}
        {failed && <ErrorNote error={failed} />}
        <div className="flex justify-end gap-2">
          <Button disabled={busy} onClick={onClose}>{t("back")}</Button>
          <Button type="submit" look="primary" busy={busy}>{t("commit.do")}</Button>
        </div>
      </form>
    </Dialog>
  );
}

export function Discard({ dataset, draft, onClose }: { dataset: string; draft: Draft; onClose: () => void }) {
  const { t } = useTexts();
  const client = useQueryClient();
  const discard = useMutation({
    mutationFn: () => api.delete(draftPath(dataset)),
    onSuccess: () => {
      navigate(`/app/datasets/${dataset}`);
      client.removeQueries({ queryKey: ["dataset", dataset, "draft"] });
    },
  });
  return (
    <Confirm title={t("discard.title")} text={t("discard.text", { n: draft.base_number })} action={t("discard.do")} busy={discard.isPending}
      lost={[t("discard.edited", { n: draft.edited }), ...(draft.suggested ? [t("discard.suggested", { n: draft.suggested })] : [])]}
      error={discard.error} onConfirm={() => discard.mutate()} onClose={onClose} />
  );
}
