// The settings of a training run, made from the trainer's own schema: one group after the other, what few need
// folded away, and what the server says about a field beside it.
import { useId } from "react";

import { useTexts } from "../../i18n";
import { Field, Input } from "../../parts/ui";
import type { FieldValue, FormField } from "../../types";

export type Settings = Record<string, FieldValue>;

export const humanise = (name: string) => name.charAt(0).toUpperCase() + name.slice(1).replaceAll("_", " ");

/** First weights: those of an earlier run by its name, or what one types (a file's digest, a checkpoint). */
function Weights({ value, onChange, from, ...tie }: { value: string; onChange: (to: string) => void; from: [string, string][]; id?: string }) {
  const { t } = useTexts();
  const list = useId();
  return (
    <>
      <Input list={list} value={value} placeholder={t("train.weightsNone")} onChange={(e) => onChange(e.target.value)} {...tie} />
      <datalist id={list}>{from.map(([key, name]) => <option key={key} value={key}>{name}</option>)}</datalist>
    </>
  );
}

function Control({ field, value, onChange, weightsFrom, ...tie }: {
  field: FormField; value: FieldValue; onChange: (to: FieldValue) => void; weightsFrom: [string, string][]; id?: string;
}) {
  if (field.name === "weights") return <Weights value={value === null ? "" : String(value)} onChange={onChange} from={weightsFrom} {...tie} />;
  switch (field.type) {
    case "bool":
      return <input type="checkbox" className="block h-5 w-5" checked={value === true} onChange={(e) => onChange(e.target.checked)} {...tie} />;
    case "select":
      return (
        <select className="field" value={String(value)} onChange={(e) => onChange(e.target.value)} {...tie}>
          {field.options?.map((one) => <option key={one}>{one}</option>)}
        </select>
      );
    case "int": case "float":
      return (
        <Input type="number" inputMode={field.type === "int" ? "numeric" : "decimal"} min={field.min} max={field.max}
          step={field.type === "int" ? 1 : "any"} required value={value === null ? "" : String(value)}
          onChange={(e) => onChange(e.target.value === "" ? null : Number(e.target.value))} {...tie} />
      );
    default:
      return <Input value={value === null ? "" : String(value)} required={field.required} onChange={(e) => onChange(e.target.value)} {...tie} />;
  }
}

function One({ field, settings, onChange, error, weightsFrom }: {
  field: FormField; settings: Settings; onChange: (to: Settings) => void; error?: string | undefined; weightsFrom: [string, string][];
}) {
  const { t, of, named } = useTexts();
  const label = of("field", field.name);
  const value = settings[field.name] ?? field.default;
  const changed = field.name in settings && settings[field.name] !== field.default;
  const said = named("fieldHelp", field.name, field.description);
  const help = changed ? `${said} ${t("train.default", { value: String(field.default) })}` : said;
  return (
    <Field label={label === field.name ? humanise(field.name) : label} help={help} error={error}>
      <Control field={field} weightsFrom={weightsFrom} value={field.name in settings ? (settings[field.name] ?? null) : value}
        onChange={(to) => onChange({ ...settings, [field.name]: to })} />
    </Field>
  );
}

export function SettingsForm({ schema, settings, onChange, errorOf, weightsFrom = [] }: {
  schema: FormField[]; settings: Settings; onChange: (to: Settings) => void; errorOf: (name: string) => string | undefined; weightsFrom?: [string, string][];
}) {
  const { t, of } = useTexts();
  const shown = schema.filter((f) => f.name !== "model");
  const groups = [...new Set(shown.map((f) => f.group))];
  const list = (fields: FormField[]) => (
    <div className="grid gap-x-5 gap-y-4 sm:grid-cols-2 lg:grid-cols-3">
      {fields.map((f) => <One key={f.name} field={f} settings={settings} onChange={onChange} error={errorOf(f.name)} weightsFrom={weightsFrom} />)}
    </div>
  );
  return (
    <div className="space-y-6">
      {groups.map((group) => {
        const fields = shown.filter((f) => f.group === group);
        const plain = fields.filter((f) => !f.advanced), advanced = fields.filter((f) => f.advanced);
        const open = advanced.some((f) => errorOf(f.name) || (f.name in settings && settings[f.name] !== f.default));
        return (
          <fieldset key={group} className="border-t border-border pt-4 first:border-0 first:pt-0">
            <legend className="float-left mb-3 w-full text-sm font-semibold">{of("group", group)}</legend>
            <div className="clear-both space-y-4">
              {plain.length > 0 && list(plain)}
              {advanced.length > 0 && (
                <details open={open}>
                  <summary className="min-h-10 cursor-pointer py-2 text-sm text-muted">{t("train.advanced", { n: advanced.length })}</summary>
                  <div className="pt-2">{list(advanced)}</div>
                </details>
              )}
            </div>
          </fieldset>
        );
      })}
    </div>
  );
}
