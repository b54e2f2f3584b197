// Accounts, for managers: add, change role, deactivate, make a login link.
import { useInfiniteQuery, useMutation, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";

import { api, Problem, withQuery } from "../../api";
import type { Body } from "../../gen/api";
import { useTexts } from "../../i18n";
import { Copy } from "../../parts/copy";
import { Paged } from "../../parts/more";
import { Badge, Button, Dialog, Empty, ErrorNote, Field, Input, PageHead } from "../../parts/ui";
import { useTitle } from "../../router";
import { useMay, useSession } from "../../session";
import type { Account } from "../../types";
import { Sections } from "../account/sections";

const PAGE = 100;
const roles = ["viewer", "engineer", "manager", "admin"] as const;

function RoleSelect({ value, ...rest }: { value: string; onChange: (to: (typeof roles)[number]) => void; disabled?: boolean; id?: string; "aria-label"?: string }) {
  const { of } = useTexts();
  const admin = useMay("admin");
  const { onChange, ...others } = rest;
  return (
    <select className="field !w-auto" value={value} onChange={(e) => onChange(e.target.value as (typeof roles)[number])} {...others}>
      {roles.filter((r) => admin || r === "viewer" || r === "engineer" || r === value).map((r) => <option key={r} value={r}>{of("role", r)}</option>)}
    </select>
  );
}

function Add({ onClose }: { onClose: () => void }) {
  const { t } = useTexts();
  const client = useQueryClient();
  const [form, setForm] = useState({ email: "", name: "", password: "", role: "engineer" as (typeof roles)[number] });
  const add = useMutation({
    mutationFn: () => {
      const body: Body<"POST /users"> = { email: form.email, name: form.name, role: form.role };
      if (form.password) body.password = form.password;
      return api.post<Account>("/users", body);
    },
    onSuccess: async () => {
      await client.invalidateQueries({ queryKey: ["users"] });
      onClose();
    },
  });
  const field = add.error instanceof Problem ? add.error.field : undefined;
  const errorOf = (name: string) => (field === name ? add.error?.message : undefined);
  const submit = (e: FormEvent) => {
    e.preventDefault();
    add.mutate();
  };
  return (
    <Dialog title={t("users.add")} onClose={onClose}>
      <form onSubmit={submit} className="space-y-4">
        <Field label={t("email")} error={errorOf("email")}><Input type="email" required value={form.email} onChange={(e) => setForm({ ...form, email: e.target.value })} /></Field>
        <Field label={t("name")} error={errorOf("name")}><Input value={form.name} onChange={(e) => setForm({ ...form, name: e.target.value })} /></Field>
        <Field label={t("role")} error={errorOf("role")}><RoleSelect value={form.role} onChange={(role) => setForm({ ...form, role })} /></Field>
        <Field label={t("password")} help={t("users.passwordHelp")} error={errorOf("password")}>
          <Input type="password" autoComplete="new-password" minLength={10} value={form.password} onChange={(e) => setForm({ ...form, password: e.target.value })} />
        </Field>
        {add.isError && !(field && field in form) && <ErrorNote error={add.error} />}
        <div className="flex justify-end gap-2">
          <Button onClick={onClose}>{t("back")}</Button>
          <Button type="submit" look="primary" busy={add.isPending}>{t("users.add")}</Button>
        </div>
      </form>
    </Dialog>
  );
}

function Row({ user }: { user: Account }) {
  const { t, ago } = useTexts();
  const { me } = useSession();
  const client = useQueryClient();
  const change = useMutation({
    mutationFn: (body: Body<"PATCH /users/{id}"> & { active?: boolean }) => api.patch<Account>(`/users/${user.id}`, body),
    onSuccess: () => client.invalidateQueries({ queryKey: ["users"] }),
  });
  const link = useMutation({ mutationFn: () => api.post<{ link: string; minutes: number }>(`/users/${user.id}/login-link`) });
  const self = user.id === me.id;
  return (
    <li className="flex flex-wrap items-center gap-x-4 gap-y-2 px-4 py-3">
      <div className="min-w-0 flex-1 basis-52">
        <p className={`truncate font-medium ${user.active ? "" : "text-muted line-through"}`}>{user.name || user.email}</p>
        <p className="truncate text-sm text-muted">{user.email}</p>
      </div>
      <span className="text-xs text-muted">{user.last_login_at ? ago(user.last_login_at) : t("users.never")}</span>
      {!user.active && <Badge tone="warning">{t("users.inactive")}</Badge>}
      <RoleSelect aria-label={`${t("role")}: ${user.email}`} value={user.role} disabled={self || change.isPending} onChange={(role) => change.mutate({ role })} />
      <Button busy={link.isPending} disabled={!user.active} onClick={() => link.mutate()}>{t("users.link")}</Button>
      <Button look={user.active ? "danger" : "plain"} disabled={self} busy={change.isPending} onClick={() => change.mutate({ active: !user.active })}>
        {user.active ? t("users.deactivate") : t("users.activate")}
      </Button>
      {link.data && (
        <div className="basis-full space-y-1 text-sm">
          <p className="text-muted">{t("users.linkText", { n: link.data.minutes })}</p>
          <Copy text={link.data.link} />
        </div>
      )}
      {(change.isError || link.isError) && <div className="basis-full"><ErrorNote error={change.error ?? link.error} /></div>}
    </li>
  );
}

export default function UsersPage() {
  const { t } = useTexts();
  const manager = useMay("manager");
  const [adding, setAdding] = useState(false);
  const list = useInfiniteQuery({
    queryKey: ["users"],
    queryFn: async ({ pageParam }) => (await api.get<{ users: Account[] }>(withQuery("/users", { after: pageParam, limit: PAGE }))).users,
    initialPageParam: "",
    getNextPageParam: (page) => (page.length === PAGE ? page.at(-1)?.email : undefined),
    enabled: manager,
  });
  useTitle(t("users"));
  return (
    <>
      <PageHead title={t("users")}>{manager && <Button look="primary" onClick={() => setAdding(true)}>{t("users.add")}</Button>}</PageHead>
      <Sections />
      {manager ? (
        <Paged of={list} items={(page) => page} empty={<Empty title={t("nothingFound")} />}>
          {(all) => <ul className="card divide-y divide-border !p-0">{all.map((one) => <Row key={one.id} user={one} />)}</ul>}
        </Paged>
      ) : <Empty title={t("mayNot")} />}
      {adding && <Add onClose={() => setAdding(false)} />}
    </>
  );
}
