// What went wrong, in the reader's language where we know it, else in the server's words.
import { Problem, unreachable } from "../api";
import { useTexts } from "../i18n";
import { Button } from "./button";

export function useErrorText() {
  const { t } = useTexts();
  return (error: unknown): string => {
    const code = error instanceof Problem ? error.code : "";
    if (code === unreachable) return t(code);
    return error instanceof Error ? error.message : String(error);
  };
}

export function ErrorNote({ error, retry }: { error: unknown; retry?: () => void }) {
  const { t, named } = useTexts();
  const text = useErrorText();
  const code = error instanceof Problem && error.status > 0 ? error.code : "";
  const title = named("problem", code, ""); // what the server says in detail is in English
  return (
    <div role="alert" className="flex flex-wrap items-center gap-x-4 gap-y-2 rounded border border-destructive/50 bg-destructive/5 px-4 py-3 text-sm">
      <p className="min-w-0 flex-1 break-words">
        {title && <span className="block font-medium">{title}</span>}
        <span {...(title && { lang: "en", className: "text-muted" })}>{text(error)}</span> {code && <code className="ml-1 text-xs text-muted">{code}</code>}
      </p>
      {retry && <Button onClick={retry}>{t("retry")}</Button>}
    </div>
  );
}
