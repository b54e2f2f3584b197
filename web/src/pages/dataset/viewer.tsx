// One picture of a version in full size with its labels; the arrow keys go on to its neighbours.
import { useEffect, useState } from "react";

import { useTexts } from "../../i18n";
import type { Colours } from "../../parts/colours";
import { Overlay } from "../../parts/picture";
import { Button, ButtonLink, Dialog, Facts, Loading } from "../../parts/ui";
import { useMay } from "../../session";
import type { Picture, Version } from "../../types";

export function Viewer({ picture, rank, count, version, colours, onMove, onClose }: {
  picture: Picture | undefined; rank: number; count: number; version: Version; colours: Colours | null;
  onMove: (to: number) => void; onClose: () => void;
}) {
  const { t, bytes, of, number } = useTexts();
  const [labels, setLabels] = useState(true);
  const may = useMay("engineer");
  useEffect(() => {
    const key = (e: KeyboardEvent) => {
      if (e.key === "ArrowRight" && rank + 1 < count) onMove(rank + 1);
      if (e.key === "ArrowLeft" && rank > 0) onMove(rank - 1);
    };
    window.addEventListener("keydown", key);
    return () => window.removeEventListener("keydown", key);
  }, [rank, count, onMove]);
  const one = picture;
  const shapes = one ? (one.shapes.boxes?.length ?? 0) + (one.shapes.polygons?.length ?? 0) + (one.shapes.quads?.length ?? 0) : 0;
  return (
    <Dialog wide title={one?.name ?? t("loading")} onClose={onClose}>
      {one ? (
        <div className="relative mx-auto w-full bg-raised" style={{ aspectRatio: `${one.width}/${one.height}`, maxWidth: `calc(65dvh * ${one.width / one.height})` }}>
          <img src={one.url} alt={one.label ?? one.name} className="absolute inset-0 h-full w-full object-contain"
            style={one.width < 128 ? { imageRendering: "pixelated" } : undefined} />
          {labels && <Overlay shapes={one.shapes} width={one.width} height={one.height} classes={version.classes} colours={colours} names />}
        </div>
      ) : <Loading lines={6} />}
      <div className="mt-4 flex flex-wrap items-center gap-2">
        <Button disabled={rank === 0} onClick={() => onMove(rank - 1)}>{t("previous")}</Button>
        <Button disabled={rank + 1 >= count} onClick={() => onMove(rank + 1)}>{t("next")}</Button>
        <span className="numbers text-sm text-muted">{number(rank + 1)} / {number(count)}</span>
        {may && one && <ButtonLink href={`/app/datasets/${version.dataset}/label?version=${version.number}&picture=${one.index}`}>{t("label.this")}</ButtonLink>}
        {shapes > 0 && (
          <label className="ml-auto flex min-h-10 items-center gap-2 text-sm">
            <input type="checkbox" checked={labels} onChange={(e) => setLabels(e.target.checked)} />{t("picture.labels")}
          </label>
        )}
      </div>
      {one && (
        <div className="mt-4">
          <Facts rows={[
            ...(one.label ? [[t("class"), one.label] as [string, string]] : []),
            ...(shapes ? [[t("picture.shapes"), String(shapes)] as [string, string]] : []),
            [t("split"), of("split", one.split)],
            [t("size"), `${one.width} × ${one.height}, ${bytes(one.bytes)}, ${one.type}`],
            ["SHA-256", <code key="sha" className="break-all text-xs">{one.sha256}</code>],
          ]} />
        </div>
      )}
    </Dialog>
  );
}
