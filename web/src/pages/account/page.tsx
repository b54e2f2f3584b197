// One's own account: name, password, API tokens, language and theme, log out.
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";

import { api, Problem } from "../../api";
import type { Body } from "../../gen/api";
import { useTexts } from "../../i18n";
import { Preferences } from "../../parts/brand";
import { Copy } from "../../parts/copy";
import { Button, Card, Confirm, Empty, ErrorNote, Facts, Field, Input, PageHead, Show } from "../../parts/ui";
import { useTitle } from "../../router";
import { useSession } from "../../session";
import type { Account, Token } from "../../types";
import { Sections } from "./sections";

function useSaveMe() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (body: Body<"PATCH /auth/me">) => api.patch<Account>("/auth/me", body),
    onSuccess: (me) => client.setQueryData(["me"], me),
  });
}

function Profile() {
  const { t, of, time } = useTexts();
  const { me } = useSession();
  const [name, setName] = useState(me.name);
  const save = useSaveMe();
  return (
    <Card title={t("profile")}>
      <form className="space-y-4" onSubmit={(e) => {
        e.preventDefault();
        save.mutate({ name });
      }}>
        <Facts rows={[[t("email"), me.email], [t("role"), of("role", me.role)], [t("lastLogin"), time(me.last_login_at)]]} />
        <Field label={t("name")}><Input autoComplete="name" required maxLength={200} value={name} onChange={(e) => setName(e.target.value)} /></Field>
        {save.isError && <ErrorNote error={save.error} />}
        <Button type="submit" busy={save.isPending} disabled={name === me.name}>{t("save")}</Button>
        {save.isSuccess && name === me.name && <span role="status" className="ml-3 text-sm text-success">{t("saved")}</span>}
      </form>
    </Card>
  );
}

function Password() {
  const { t } = useTexts();
  const [old, setOld] = useState("");
  const [fresh, setFresh] = useState("");
  const save = useSaveMe();
  const field = save.error instanceof Problem ? save.error.field : undefined;
  const submit = (e: FormEvent) => {
    e.preventDefault();
    save.mutate({ ...(old ? { old_password: old } : {}), new_password: fresh }, {
      onSuccess: () => {
        setOld("");
        setFresh("");
      },
    });
  };
  return (
    <Card title={t("password.change")}>
      <form className="space-y-4" onSubmit={submit}>
        <Field label={t("password.old")} help={t("password.oldHelp")} error={field === "old_password" ? save.error?.message : undefined}>
          <Input type="password" autoComplete="current-password" value={old} onChange={(e) => setOld(e.target.value)} />
        </Field>
        <Field label={t("password.new")} help={t("password.newHelp")} error={field === "new_password" ? save.error?.message : undefined}>
          <Input type="password" autoComplete="new-password" required minLength={10} value={fresh} onChange={(e) => setFresh(e.target.value)} />
        </Field>
        {save.isError && field !== "old_password" && field !== "new_password" && <ErrorNote error={save.error} />}
        <Button type="submit" busy={save.isPending}>{t("password.change")}</Button>
        {save.isSuccess && <span role="status" className="ml-3 text-sm text-success">{t("saved")}</span>}
      </form>
    </Card>
  );
}

function Tokens() {
  const { t, time, ago } = useTexts();
  const client = useQueryClient();
  const list = useQuery({ queryKey: ["tokens"], queryFn: async () => (await api.get<{ tokens: Token[] }>("/auth/tokens")).tokens });
  const [name, setName] = useState("");
  const [scopes, setScopes] = useState("*");
  const [revoking, setRevoking] = useState<Token>();
  const again = () => client.invalidateQueries({ queryKey: ["tokens"] });
  const make = useMutation({
    mutationFn: () => api.post<Token & { token: string }>("/auth/tokens", { name, scopes }),
    onSuccess: () => {
      setName("");
      return again();
    },
  });
  const revoke = useMutation({
    mutationFn: (token: Token) => api.delete(`/auth/tokens/${token.id}`),
    onSuccess: () => {
      setRevoking(undefined);
      return again();
    },
  });
  const submit = (e: FormEvent) => {
    e.preventDefault();
    make.mutate();
  };
  return (
    <Card title={t("tokens")} className="lg:col-span-2">
      <p className="mb-4 max-w-prose text-sm text-muted">{t("tokens.text")}</p>
      <form onSubmit={submit} className="mb-4 grid items-end gap-3 sm:grid-cols-[2fr_2fr_auto]">
        <Field label={t("tokens.name")}><Input required maxLength={200} value={name} onChange={(e) => setName(e.target.value)} /></Field>
        <Field label={t("tokens.scopes")}>
          <Input required list="scopes" value={scopes} onChange={(e) => setScopes(e.target.value)} />
        </Field>
        <datalist id="scopes">
          {["*", "datasets:read datasets:write jobs:read jobs:write", "datasets:read jobs:read"].map((s) => <option key={s} value={s} />)}
        </datalist>
        <Button type="submit" className="mb-1" busy={make.isPending}>{t("tokens.make")}</Button>
      </form>
      {make.isError && <ErrorNote error={make.error} />}
      {make.data && (
        <div role="status" className="mb-4 space-y-2 rounded border border-success/50 bg-success/5 p-4 text-sm">
          <p className="font-medium">{t("tokens.once")}</p>
          <Copy text={make.data.token} />
        </div>
      )}
      <Show of={list}>
        {(all) => all.length ? (
          <ul className="divide-y divide-border">
            {all.map((one) => (
              <li key={one.id} className="flex flex-wrap items-center gap-x-4 gap-y-1 py-2 text-sm">
                <span className="min-w-0 flex-1 basis-40 truncate font-medium">{one.name}</span>
                <code className="min-w-0 truncate text-xs text-muted">{one.scopes}</code>
                <span className="text-xs text-muted">{t("created")} {time(one.created_at)}</span>
                <span className="text-xs text-muted">{one.last_used_at ? t("tokens.used", { when: ago(one.last_used_at) }) : t("tokens.unused")}</span>
                <Button look="danger" onClick={() => setRevoking(one)}>{t("tokens.revoke")}</Button>
              </li>
            ))}
          </ul>
        ) : <Empty title={t("tokens.none")} />}
      </Show>
      {revoking && (
        <Confirm title={t("tokens.revokeTitle", { name: revoking.name })} text={t("tokens.revokeText")} action={t("tokens.revoke")} busy={revoke.isPending}
          error={revoke.error} onConfirm={() => revoke.mutate(revoking)} onClose={() => setRevoking(undefined)} />
      )}
    </Card>
  );
}

export default function AccountPage() {
  const { t } = useTexts();
  const { me, logout } = useSession();
  const [leaving, setLeaving] = useState(false);
  useTitle(t("account"));
  return (
    <>
      <PageHead title={me.name || me.email}>
        <Button busy={leaving} onClick={() => {
          setLeaving(true);
          void logout();
        }}>{t("logout")}</Button>
      </PageHead>
      <Sections />
      <div className="grid items-start gap-5 lg:grid-cols-2">
        <Profile />
        <Password />
        <Tokens />
        <Card title={t("display")} className="lg:hidden"><Preferences /></Card>
      </div>
    </>
  );
}
