// The mark, and the choice of language and theme.
import { type Language, languages, useTexts } from "../i18n";
import { setTheme, type Theme, useTheme } from "../theme";

export function Mark({ size = 28 }: { size?: number }) {
  return <img src="/favicon.svg" width={size} height={size} alt="" />;
}

export function Preferences() {
  const { t, language, setLanguage } = useTexts();
  const chosen = useTheme();
  const themes: [Theme, string][] = [["system", t("theme.system")], ["light", t("theme.light")], ["dark", t("theme.dark")]];
  const look = "min-h-10 w-full min-w-0 rounded border border-border bg-surface py-1.5 pl-2.5 text-foreground";
  return (
    <div className="grid grid-cols-2 gap-2 text-xs text-muted">
      <label className="flex min-w-0 flex-col gap-1">
        {t("language")}
        <select className={look} value={language} onChange={(e) => setLanguage(e.target.value as Language)}>
          {Object.entries(languages).map(([key, name]) => <option key={key} value={key} lang={key}>{name}</option>)}
        </select>
      </label>
      <label className="flex min-w-0 flex-col gap-1">
        {t("theme")}
        <select className={look} value={chosen} onChange={(e) => setTheme(e.target.value as Theme)}>
          {themes.map(([key, name]) => <option key={key} value={key}>{name}</option>)}
        </select>
      </label>
    </div>
  );
}
