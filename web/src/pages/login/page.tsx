// Log-in by e-mail and password; a new installation is entered by the link that `anneal serve` prints.
import { useMutation } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";

import { api } from "../../api";
import { useTexts } from "../../i18n";
import { Mark, Preferences } from "../../parts/brand";
import { Button, ErrorNote, Field, Input } from "../../parts/ui";
import { useTitle } from "../../router";

export function LoginForm({ email: known = "", onDone }: { email?: string; onDone: () => void }) {
  const { t } = useTexts();
  const [email, setEmail] = useState(known);
  const [password, setPassword] = useState("");
  const login = useMutation({
    mutationFn: () => api.post("/auth/login", { email, password }),
    onSuccess: onDone,
  });
  const submit = (e: FormEvent) => {
    e.preventDefault();
    login.mutate();
  };
  return (
    <form onSubmit={submit} className="space-y-4">
      <Field label={t("email")}>
        <Input type="email" autoComplete="username" required autoFocus={!known} value={email} onChange={(e) => setEmail(e.target.value)} />
      </Field>
      <Field label={t("password")}>
        <Input type="password" autoComplete="current-password" required autoFocus={Boolean(known)} value={password}
          onChange={(e) => setPassword(e.target.value)} />
      </Field>
      {login.isError && <ErrorNote error={login.error} />}
      <Button type="submit" look="primary" busy={login.isPending} className="w-full">{t("login")}</Button>
    </form>
  );
}

export function LoginPage({ problem, onDone }: { problem?: Error | undefined; onDone: () => void }) {
  const { t } = useTexts();
  useTitle(t("login"));
  return (
    <main className="mx-auto flex min-h-dvh max-w-sm flex-col justify-center gap-6 p-6">
      <div className="flex items-center gap-3">
        <Mark size={36} />
        <div>
          <h1 className="text-xl font-semibold">Anneal</h1>
          <p className="text-sm text-muted">{t("tagline")}</p>
        </div>
      </div>
      {problem && <ErrorNote error={problem} />}
      <div className="card"><LoginForm onDone={onDone} /></div>
      <p className="text-sm text-muted">{t("login.linkHint")}</p>
      <Preferences />
    </main>
  );
}
