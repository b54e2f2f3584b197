// The pictures of a version: previews with labels, filters, and one of them in full size.
import { useDeferredValue, useEffect, useState } from "react";

import { useTexts } from "../../i18n";
import { Paged } from "../../parts/more";
import { Overlay, Thumb } from "../../parts/picture";
import { Button, Dialog, Empty, Facts, Input, Select } from "../../parts/ui";
import { splits, type Picture, type Version } from "../../types";
import { usePictures } from "../datasets/queries";

function Large({ pictures, at, version, onMove, onClose }: {
  pictures: Picture[]; at: number; version: Version; onMove: (to: number) => void; onClose: () => void;
}) {
  const { t, bytes, of } = useTexts();
  const [labels, setLabels] = useState(true);
  const one = pictures[at];
  const count = pictures.length;
  useEffect(() => {
    const key = (e: KeyboardEvent) => {
      if (e.key === "ArrowRight" && at + 1 < count) onMove(at + 1);
      if (e.key === "ArrowLeft" && at > 0) onMove(at - 1);
    };
    window.addEventListener("keydown", key);
    return () => window.removeEventListener("keydown", key);
  }, [at, count, onMove]);
  if (!one) return null;
  const shapes = (one.shapes.boxes?.length ?? 0) + (one.shapes.polygons?.length ?? 0) + (one.shapes.quads?.length ?? 0);
  return (
    <Dialog wide title={one.name} onClose={onClose}>
      <div className="relative mx-auto w-full bg-raised" style={{ aspectRatio: `${one.width}/${one.height}`, maxWidth: `calc(65dvh * ${one.width / one.height})` }}>
        <img src={one.url} alt={one.label ?? one.name} className="absolute inset-0 h-full w-full object-contain [image-rendering:auto]"
          style={one.width < 128 ? { imageRendering: "pixelated" } : undefined} />
        {labels && <Overlay shapes={one.shapes} width={one.width} height={one.height} classes={version.classes} names />}
      </div>
      <div className="mt-4 flex flex-wrap items-center gap-2">
        <Button disabled={at === 0} onClick={() => onMove(at - 1)}>{t("previous")}</Button>
        <Button disabled={at + 1 >= count} onClick={() => onMove(at + 1)}>{t("next")}</Button>
        {shapes > 0 && (
          <label className="ml-2 flex min-h-10 items-center gap-2 text-sm">
            <input type="checkbox" checked={labels} onChange={(e) => setLabels(e.target.checked)} />{t("picture.labels")}
          </label>
        )}
      </div>
      <div className="mt-4">
        <Facts rows={[
          ...(one.label ? [[t("class"), one.label] as [string, string]] : []),
          ...(shapes ? [[t("picture.shapes"), String(shapes)] as [string, string]] : []),
          [t("split"), of("split", one.split)],
          [t("size"), `${one.width} × ${one.height}, ${bytes(one.bytes)}, ${one.type}`],
          ["SHA-256", <code key="sha" className="break-all text-xs">{one.sha256}</code>],
        ]} />
      </div>
    </Dialog>
  );
}

export function Gallery({ version }: { version: Version }) {
  const { t, of } = useTexts();
  const [split, setSplit] = useState("");
  const [cls, setClass] = useState("");
  const [fault, setFault] = useState("");
  const [q, setQ] = useState("");
  const [open, setOpen] = useState<number>();
  const list = usePictures(version.dataset, version.version, { split, class: cls, fault, q: useDeferredValue(q.trim()) });
  const faults = Object.keys(version.stats?.fault_counts ?? {});
  const any: [string, string] = ["", t("all")];
  return (
    <div className="space-y-4">
      <div className="flex flex-wrap items-end gap-3">
        <Select label={t("split")} value={split} onChange={setSplit}
          options={[any, ...splits.filter((s) => version[s] > 0).map((s): [string, string] => [s, `${of("split", s)} (${version[s]})`])]} />
        {version.classes.length > 0 && (
          <Select label={t("class")} value={cls} onChange={setClass} options={[any, ...version.classes.map((c): [string, string] => [c, c])]} />
        )}
        {faults.length > 0 && (
          <Select label={t("fault")} value={fault} onChange={setFault}
            options={[any, ...faults.map((f): [string, string] => [f, f.replaceAll("_", " ")])]} />
        )}
        <div className="min-w-40 flex-1 sm:max-w-64">
          <Input type="search" aria-label={t("searchName")} placeholder={t("searchName")} value={q} onChange={(e) => setQ(e.target.value)} />
        </div>
      </div>
      <Paged of={list} items={(page) => page.images} empty={<Empty title={t("picture.none")} />}>
        {(all) => (
          <>
            <ul className="grid grid-cols-3 gap-2 sm:grid-cols-4 md:grid-cols-6 lg:grid-cols-8">
              {all.map((one, i) => (
                <li key={one.index} className="min-w-0">
                  <button type="button" onClick={() => setOpen(i)} className="block w-full text-left" title={one.name}>
                    <Thumb src={one.thumb_url} alt={one.label ?? one.name}>
                      <Overlay shapes={one.shapes} width={one.width} height={one.height} classes={version.classes} />
                    </Thumb>
                    <span className="mt-1 block truncate text-xs text-muted">{one.label ?? one.name.split("/").at(-1)}</span>
                  </button>
                </li>
              ))}
            </ul>
            {open !== undefined && <Large pictures={all} at={open} version={version} onMove={setOpen} onClose={() => setOpen(undefined)} />}
          </>
        )}
      </Paged>
    </div>
  );
}
