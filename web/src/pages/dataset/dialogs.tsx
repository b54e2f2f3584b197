// What one can do with a dataset: describe it, delete it.
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";

import { api } from "../../api";
import { useTexts } from "../../i18n";
import { Button, Confirm, Dialog, ErrorNote, Field, Input } from "../../parts/ui";
import { navigate } from "../../router";
import type { Dataset } from "../../types";
import { datasetPath } from "../datasets/queries";

export function Describe({ dataset, onClose }: { dataset: Dataset; onClose: () => void }) {
  const { t } = useTexts();
  const client = useQueryClient();
  const [name, setName] = useState(dataset.name);
  const [description, setDescription] = useState(dataset.description);
  const save = useMutation({
    mutationFn: () => api.put<Dataset>(datasetPath(dataset.id), { name, description }),
    onSuccess: (now) => {
      client.setQueryData(["dataset", dataset.id], now);
      void client.invalidateQueries({ queryKey: ["datasets"] });
      onClose();
    },
  });
  const submit = (e: FormEvent) => {
    e.preventDefault();
    save.mutate();
  };
  return (
    <Dialog title={t("describe")} onClose={onClose}>
      <form onSubmit={submit} className="space-y-4">
        <Field label={t("name")}><Input required value={name} onChange={(e) => setName(e.target.value)} /></Field>
        <Field label={t("description")}>
          <textarea className="field" rows={4} value={description} onChange={(e) => setDescription(e.target.value)} />
        </Field>
        {save.isError && <ErrorNote error={save.error} />}
        <div className="flex justify-end gap-2">
          <Button onClick={onClose}>{t("back")}</Button>
          <Button type="submit" look="primary" busy={save.isPending}>{t("save")}</Button>
        </div>
      </form>
    </Dialog>
  );
}

export function Remove({ dataset, onClose }: { dataset: Dataset; onClose: () => void }) {
  const { t } = useTexts();
  const client = useQueryClient();
  const remove = useMutation({
    mutationFn: () => api.delete(datasetPath(dataset.id)),
    onSuccess: () => {
      void client.invalidateQueries({ queryKey: ["datasets"] });
      navigate("/app/datasets");
    },
  });
  return (
    <Confirm title={t("dataset.delete", { name: dataset.name })} action={t("delete")} busy={remove.isPending} error={remove.error}
      text={t("dataset.deleteText", { versions: dataset.versions, images: dataset.images })}
      onConfirm={() => remove.mutate()} onClose={onClose} />
  );
}
