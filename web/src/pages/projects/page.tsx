// Projects and who belongs to them.
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";

import { api } from "../../api";
import { useTexts } from "../../i18n";
import { Badge, Button, Card, Confirm, Dialog, Empty, ErrorNote, Field, Input, PageHead, Show } from "../../parts/ui";
import { Link, navigate, useTitle } from "../../router";
import { useMay } from "../../session";
import type { Project } from "../../types";
import { Sections } from "../account/sections";

interface Member { user_id: string; email: string; name: string; role: string }
const memberRoles = ["viewer", "engineer", "manager", "owner"];

function Add({ onClose }: { onClose: () => void }) {
  const { t } = useTexts();
  const client = useQueryClient();
  const [name, setName] = useState("");
  const [description, setDescription] = useState("");
  const add = useMutation({
    mutationFn: () => api.post<Project>("/projects", { name, description }),
    onSuccess: (made) => {
      void client.invalidateQueries({ queryKey: ["projects"] });
      navigate(`/app/projects/${made.id}`);
    },
  });
  const submit = (e: FormEvent) => {
    e.preventDefault();
    add.mutate();
  };
  return (
    <Dialog title={t("projects.add")} onClose={onClose}>
      <form onSubmit={submit} className="space-y-4">
        <Field label={t("name")}><Input required maxLength={200} value={name} onChange={(e) => setName(e.target.value)} /></Field>
        <Field label={t("description")}><textarea className="field" rows={3} value={description} onChange={(e) => setDescription(e.target.value)} /></Field>
        {add.isError && <ErrorNote error={add.error} />}
        <div className="flex justify-end gap-2">
          <Button onClick={onClose}>{t("back")}</Button>
          <Button type="submit" look="primary" busy={add.isPending}>{t("projects.add")}</Button>
        </div>
      </form>
    </Dialog>
  );
}

function Members({ project }: { project: Project }) {
  const { t, of } = useTexts();
  const client = useQueryClient();
  const key = ["projects", project.id, "members"];
  const path = `/projects/${project.id}/members`;
  const list = useQuery({ queryKey: key, queryFn: async () => (await api.get<{ members: Member[] }>(path)).members });
  const [email, setEmail] = useState("");
  const [role, setRole] = useState("engineer");
  const again = () => client.invalidateQueries({ queryKey: key });
  const put = useMutation({ mutationFn: (one: { email: string; role: string }) => api.post(path, one), onSuccess: again });
  const remove = useMutation({ mutationFn: (user: string) => api.delete(`${path}/${user}`), onSuccess: again });
  const admin = useMay("manager");
  const may = admin || project.my_role === "owner" || project.my_role === "manager";
  const options = memberRoles.map((r) => <option key={r} value={r}>{of("role", r)}</option>);
  return (
    <Card title={t("members")}>
      <Show of={list}>
        {(all) => all.length ? (
          <ul className="divide-y divide-border">
            {all.map((m) => (
              <li key={m.user_id} className="flex flex-wrap items-center gap-3 py-2 text-sm">
                <span className="min-w-0 basis-full truncate sm:flex-1 sm:basis-40">{m.name || m.email} <span className="text-muted">{m.name && m.email}</span></span>
                {may ? (
                  <>
                    <select className="field !w-auto" aria-label={`${t("role")}: ${m.email}`} value={m.role}
                      onChange={(e) => put.mutate({ email: m.email, role: e.target.value })}>{options}</select>
                    <Button look="danger" onClick={() => remove.mutate(m.user_id)}>{t("remove")}</Button>
                  </>
                ) : <Badge>{of("role", m.role)}</Badge>}
              </li>
            ))}
          </ul>
        ) : <Empty title={t("members.none")} />}
      </Show>
      {may && (
        <form className="mt-4 grid items-end gap-3 sm:grid-cols-[2fr_1fr_auto]" onSubmit={(e) => {
          e.preventDefault();
          put.mutate({ email, role }, { onSuccess: () => setEmail("") });
        }}>
          <Field label={t("email")}><Input required value={email} onChange={(e) => setEmail(e.target.value)} /></Field>
          <Field label={t("role")}><select className="field" value={role} onChange={(e) => setRole(e.target.value)}>{options}</select></Field>
          <Button type="submit" className="mb-1" busy={put.isPending}>{t("members.add")}</Button>
        </form>
      )}
      {(put.isError || remove.isError) && <div className="mt-3"><ErrorNote error={put.error ?? remove.error} /></div>}
    </Card>
  );
}

function One({ id }: { id: string }) {
  const { t } = useTexts();
  const client = useQueryClient();
  const project = useQuery({ queryKey: ["projects", id], queryFn: () => api.get<Project>(`/projects/${encodeURIComponent(id)}`) });
  const [removing, setRemoving] = useState(false);
  const remove = useMutation({
    mutationFn: () => api.delete(`/projects/${id}`),
    onSuccess: () => {
      void client.invalidateQueries({ queryKey: ["projects"], exact: true });
      navigate("/app/projects");
    },
  });
  return (
    <Show of={project}>
      {(p) => (
        <>
          <PageHead title={p.name} above={<Link className="link text-sm" href="/app/projects">{t("projects")}</Link>}>
            <Button look="danger" onClick={() => setRemoving(true)}>{t("delete")}</Button>
          </PageHead>
          {p.description && <p className="mb-5 max-w-prose text-sm text-muted">{p.description}</p>}
          <Members project={p} />
          {removing && (
            <Confirm title={t("projects.delete", { name: p.name })} text={t("projects.deleteText")} action={t("delete")} busy={remove.isPending}
              error={remove.error} onConfirm={() => remove.mutate()} onClose={() => setRemoving(false)} />
          )}
        </>
      )}
    </Show>
  );
}

function All() {
  const { t, of } = useTexts();
  const may = useMay("engineer");
  const list = useQuery({ queryKey: ["projects"], queryFn: async () => (await api.get<{ projects: Project[] }>("/projects")).projects });
  const [adding, setAdding] = useState(false);
  return (
    <>
      <PageHead title={t("projects")}>{may && <Button look="primary" onClick={() => setAdding(true)}>{t("projects.add")}</Button>}</PageHead>
      <Sections />
      <Show of={list}>
        {(all) => all.length ? (
          <ul className="card divide-y divide-border !p-0">
            {all.map((p) => (
              <li key={p.id} className="relative flex flex-wrap items-center gap-3 px-4 py-3 hover:bg-raised">
                <div className="min-w-0 flex-1">
                  <Link href={`/app/projects/${p.id}`} className="font-medium after:absolute after:inset-0">{p.name}</Link>
                  <p className="truncate text-sm text-muted">{p.description}</p>
                </div>
                {p.my_role && <Badge>{of("role", p.my_role)}</Badge>}
              </li>
            ))}
          </ul>
        ) : <Empty title={t("projects.none")} />}
      </Show>
      {adding && <Add onClose={() => setAdding(false)} />}
    </>
  );
}

export default function ProjectsPage({ open }: { open?: string }) {
  const { t } = useTexts();
  useTitle(t("projects"));
  return open ? <One id={open} /> : <All />;
}
