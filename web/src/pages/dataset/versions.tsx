// The versions of a dataset and where each came from; two of them are compared picture by picture.
import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { useState } from "react";

import { api, withQuery } from "../../api";
import { useTexts } from "../../i18n";
import type { Colours } from "../../parts/colours";
import { Paged } from "../../parts/more";
import { Overlay, Thumb } from "../../parts/picture";
import { Badge, Card, Empty, Select, Show } from "../../parts/ui";
import { UploadPlace, Uploads } from "../../parts/upload";
import { Link, setQuery, useQueryParams } from "../../router";
import { useMay } from "../../session";
import { type Dataset, type Diff, type DiffKind, diffKinds, type DiffPictures, type Picture, type Version } from "../../types";
import { datasetPath } from "../datasets/queries";

const PAGE = 24;

function Side({ picture, version, colours, alone }: { picture: Picture | null; version: Version; colours: Colours | null; alone?: boolean }) {
  const { t, of } = useTexts();
  if (!picture) return <div className="grid aspect-square place-items-center rounded border border-dashed border-border text-xs text-muted">{t("diff.absent")}</div>;
  return (
    <figure className="min-w-0">
      <Link href={`/app/datasets/${version.dataset}?version=${version.number}&picture=${picture.index}`} title={picture.name}>
        <Thumb src={picture.thumb_url} alt={picture.name}>
          <Overlay shapes={picture.shapes} width={picture.width} height={picture.height} classes={version.classes} colours={colours} />
        </Thumb>
      </Link>
      <figcaption className="mt-1 truncate text-xs text-muted">
        {alone ? picture.name.split("/").at(-1) : `${version.number}: ${[picture.label, of("split", picture.split)].filter(Boolean).join(" · ")}`}
      </figcaption>
    </figure>
  );
}

function Pictures({ from, to, kind, colours }: { from: Version; to: Version; kind: DiffKind; colours: Colours | null }) {
  const { t } = useTexts();
  const path = `${datasetPath(from.dataset, from.version)}/diff/${to.version}/${kind}`;
  const list = useInfiniteQuery({
    queryKey: ["dataset", from.dataset, "diff", from.version, to.version, kind],
    queryFn: ({ pageParam, signal }) => api.get<DiffPictures>(withQuery(path, { cursor: pageParam, limit: PAGE }), signal),
    initialPageParam: "",
    getNextPageParam: (page) => page.next,
    staleTime: Infinity,
  });
  const pair = kind === "changed" || kind === "relabelled" || kind === "moved";
  return (
    <Paged of={list} items={(page) => page.pictures} empty={<Empty title={t("picture.none")} />}>
      {(all) => (
        <ul className={`grid gap-3 ${pair ? "sm:grid-cols-2 lg:grid-cols-3" : "grid-cols-3 sm:grid-cols-4 md:grid-cols-6 lg:grid-cols-8"}`}>
          {all.map((one) => pair ? (
            <li key={one.name} className="min-w-0 space-y-1 rounded border border-border p-2">
              <div className="grid grid-cols-2 gap-2">
                <Side picture={one.from} version={from} colours={colours} />
                <Side picture={one.to} version={to} colours={colours} />
              </div>
              <p className="truncate text-xs" title={one.name}>{one.name}</p>
            </li>
          ) : <li key={one.name} className="min-w-0"><Side picture={one.to ?? one.from} version={one.to ? to : from} colours={colours} alone /></li>)}
        </ul>
      )}
    </Paged>
  );
}

function ByClass({ diff }: { diff: Diff }) {
  const { t, number } = useTexts();
  const rows = diff.classes.filter((c) => c.from !== c.to);
  if (!rows.length) return <p className="text-sm text-muted">{t("diff.sameClasses")}</p>;
  const signed = (n: number) => (n > 0 ? `+${number(n)}` : number(n));
  return (
    <div className="max-h-72 overflow-auto" tabIndex={0} role="region" aria-label={t("diff.byClass")}>
      <table className="numbers w-full text-sm">
        <thead><tr><th>{t("class")}</th><th className="!text-right">{t("diff.before")}</th><th className="!text-right">{t("diff.after")}</th><th className="!text-right">{t("diff.change")}</th></tr></thead>
        <tbody className="divide-y divide-border">
          {rows.map((c) => (
            <tr key={c.name}>
              <td className="max-w-48 truncate">{c.name} {c.from === null && <Badge tone="success">{t("diff.newClass")}</Badge>}</td>
              <td className="text-right">{c.from === null ? "–" : number(c.from)}</td>
              <td className="text-right">{c.to === null ? "–" : number(c.to)}</td>
              <td className={`text-right ${(c.to ?? 0) < (c.from ?? 0) ? "text-destructive" : "text-success"}`}>{signed((c.to ?? 0) - (c.from ?? 0))}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Difference({ from, to, colours }: { from: Version; to: Version; colours: Colours | null }) {
  const { t, number, of } = useTexts();
  const [chosen, setChosen] = useState<DiffKind>();
  const diff = useQuery({
    queryKey: ["dataset", from.dataset, "diff", from.version, to.version],
    queryFn: () => api.get<Diff>(`${datasetPath(from.dataset, from.version)}/diff/${to.version}`),
    staleTime: Infinity,
  });
  return (
    <Show of={diff} lines={4}>
      {(d) => {
        const kind = chosen ?? diffKinds.find((k) => d[k].count > 0);
        if (!kind) return <Empty title={t("diff.none")} />;
        return (
          <div className="space-y-4">
            <div className="flex flex-wrap gap-2" role="group" aria-label={t("diff.kinds")}>
              {diffKinds.map((k) => (
                <button key={k} type="button" aria-pressed={k === kind} disabled={!d[k].count} onClick={() => setChosen(k)}
                  className={`min-h-10 rounded border px-3 text-sm disabled:opacity-50 ${k === kind ? "border-primary text-primary" : "border-border"}`}>
                  {of("diffKind", k)} <b className="numbers font-semibold">{number(d[k].count)}</b>
                </button>
              ))}
            </div>
            <Pictures key={kind} from={from} to={to} kind={kind} colours={colours} />
            <h3 className="pt-2 text-sm font-semibold">{t("diff.byClass")}</h3>
            <ByClass diff={d} />
          </div>
        );
      }}
    </Show>
  );
}

function Compare({ versions, colours }: { versions: Version[]; colours: Colours | null }) {
  const { t } = useTexts();
  const query = useQueryParams();
  const find = (number: string | null) => versions.find((v) => String(v.number) === number);
  const to = find(query.get("to")) ?? versions[0];
  const from = find(query.get("from")) ?? versions.find((v) => v.version === to?.base_version) ?? versions.find((v) => v !== to);
  if (!from || !to) return null;
  const options = versions.map((v): [string, string] => [String(v.number), `${v.number}${v.message ? ` · ${v.message.slice(0, 40)}` : ""}`]);
  return (
    <Card title={t("diff.title")}>
      <div className="space-y-5">
        <div className="flex flex-wrap gap-3">
          <Select label={t("diff.before")} value={String(from.number)} onChange={(n) => setQuery({ from: n })} options={options} />
          <Select label={t("diff.after")} value={String(to.number)} onChange={(n) => setQuery({ to: n })} options={options} />
        </div>
        {from === to ? <Empty title={t("diff.same")} /> : <Difference key={`${from.number}-${to.number}`} from={from} to={to} colours={colours} />}
      </div>
    </Card>
  );
}

export function Versions({ versions, dataset }: { versions: Version[]; dataset: Dataset }) {
  const { t, time, number, bytes, of } = useTexts();
  const may = useMay("engineer");
  const numberOf = (hash: string | null) => versions.find((v) => v.version === hash)?.number;
  return (
    <div className="space-y-5">
      <div className="overflow-x-auto rounded border border-border bg-surface" tabIndex={0} role="region" aria-label={t("versions")}>
        <table className="numbers w-full text-sm">
          <thead className="border-b border-border">
            <tr><th>{t("version")}</th><th>{t("versions.origin")}</th><th>{t("picturesWord")}</th><th>{t("splits")}</th><th>{t("size")}</th><th>{t("faultsWord")}</th><th>{t("created")}</th></tr>
          </thead>
          <tbody className="divide-y divide-border">
            {versions.map((v) => (
              <tr key={v.version}>
                <td className="whitespace-nowrap"><Link className="link" href={`?version=${v.number}`} onClick={(e) => {
                  e.preventDefault();
                  setQuery({ version: String(v.number), tab: "" });
                }}>{v.number}</Link> <code className="ml-2 text-xs text-muted">{v.version.slice(0, 8)}</code></td>
                <td className="max-w-64">
                  <p className="truncate" title={v.message}>{v.message || of("origin", v.kind)}</p>
                  {numberOf(v.base_version) !== undefined && <p className="text-xs text-muted">{t("versions.from", { n: numberOf(v.base_version) ?? 0 })}</p>}
                </td>
                <td>{number(v.images)}</td>
                <td className="whitespace-nowrap">{v.train} / {v.val} / {v.test}</td>
                <td className="whitespace-nowrap">{bytes(v.bytes)}</td>
                <td>{number(v.faults)}</td>
                <td className="whitespace-nowrap text-muted">{time(v.created_at)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      {versions.length > 1 && <Compare versions={versions} colours={dataset.colours} />}
      {may && <UploadPlace name={dataset.name} title={t("upload.version")} />}
      <Uploads />
    </div>
  );
}
