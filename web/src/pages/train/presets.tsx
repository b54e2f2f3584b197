// Settings under one name.  A preset fills the form; what is changed afterwards is one's own.
import { useTexts } from "../../i18n";
import type { Preset } from "../../types";
import type { Settings } from "./form";

/** What a preset sets for a task; weights are never its business. */
export const settingsOf = (preset: Preset, task: string): Settings => ({ ...preset.settings[task] });

const same = (a: Settings, b: Settings) => {
  const keys = new Set([...Object.keys(a), ...Object.keys(b)]);
  return [...keys].every((key) => key === "weights" || a[key] === b[key]);
};

/** The preset that these settings are; undefined: one's own. */
export const presetOf = (presets: Preset[], task: string, settings: Settings) => presets.find((one) => same(settingsOf(one, task), settings))?.name;

export function Presets({ presets, task, settings, onChange }: {
  presets: Preset[]; task: string; settings: Settings; onChange: (to: Settings) => void;
}) {
  const { t, of } = useTexts();
  const chosen = presetOf(presets, task, settings);
  const pick = (one: Preset) => onChange({ ...settingsOf(one, task), ...(settings["weights"] ? { weights: settings["weights"] } : {}) });
  return (
    <fieldset className="mb-6">
      <legend className="mb-2 text-sm font-semibold">{t("preset.title")}</legend>
      <div className="grid gap-3 sm:grid-cols-2 xl:grid-cols-4">
        {presets.map((one) => {
          const title = of("preset", one.name), help = of("presetHelp", one.name);
          return (
            <label key={one.name} className={`flex cursor-pointer gap-3 rounded border p-3 focus-within:outline focus-within:outline-2 focus-within:outline-primary ${chosen === one.name ? "border-primary bg-primary/5" : "border-border hover:bg-raised"}`}>
              <input type="radio" name="preset" className="mt-1 self-start" checked={chosen === one.name} onChange={() => pick(one)} />
              <span className="min-w-0">
                <span className="block text-sm font-medium">{title === one.name ? one.title : title}</span>
                <span className="block text-xs text-muted">{help === one.name ? one.help : help}</span>
              </span>
            </label>
          );
        })}
      </div>
      {!chosen && <p className="mt-2 text-xs text-muted">{t("preset.own")}</p>}
    </fieldset>
  );
}
