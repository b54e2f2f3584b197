// Boxes, masks and names over a picture.
import { useEffect, useRef } from "react";

import type { Mark } from "../engine/answer";
import { PALETTE } from "./colours";
import { Overlay } from "./picture";

const ALPHA = 110; // of 255: the picture shows through

/** The tokens of the series as numbers, as the page has them now. */
function colours(): [number, number, number][] {
  const style = getComputedStyle(document.documentElement);
  return Array.from({ length: PALETTE }, (_, i) => {
    const [r = 0, g = 0, b = 0] = style.getPropertyValue(`--series-${i + 1}`).trim().split(/\s+/).map(Number);
    return [r, g, b];
  });
}

const GROUND = "background"; // the class of what is none of the others: the picture stays as it is there

/** RGBA of all masks on the grid of the first: later ones go below earlier ones, which are surer. */
export function painted(marks: Mark[], palette: [number, number, number][]): { width: number; height: number; data: Uint8ClampedArray } | undefined {
  const first = marks.find((m) => m.mask)?.mask;
  if (!first) return undefined;
  const { width, height } = first, data = new Uint8ClampedArray(width * height * 4);
  for (const { mask, class_id, class: name } of [...marks].reverse()) {
    if (!mask || name === GROUND || mask.width !== width || mask.height !== height) continue;
    const [r, g, b] = palette[class_id % palette.length] ?? [0, 0, 0];
    for (let i = 0; i < mask.inside.length; i++)
      if (mask.inside[i]) data.set([r, g, b, ALPHA], 4 * i);
  }
  return { width, height, data };
}

function Masks({ marks }: { marks: Mark[] }) {
  const ref = useRef<HTMLCanvasElement>(null);
  useEffect(() => {
    const canvas = ref.current, area = painted(marks, colours());
    const context = canvas?.getContext("2d");
    if (!canvas || !area || !context) return;
    canvas.width = area.width;
    canvas.height = area.height;
    const image = context.createImageData(area.width, area.height);
    image.data.set(area.data);
    context.putImageData(image, 0, 0);
  }, [marks]);
  return <canvas ref={ref} className="pointer-events-none absolute inset-0 h-full w-full" aria-hidden="true" />;
}

export function Marks({ marks, width, height }: { marks: Mark[]; width: number; height: number }) {
  const boxes = marks.flatMap((m) => (m.box ? [[m.class_id, ...m.box]] : []));
  const names: string[] = [];
  for (const m of marks) names[m.class_id] = m.class;
  return (
    <>
      {marks.some((m) => m.mask) && <Masks marks={marks} />}
      {boxes.length > 0 && <Overlay shapes={{ boxes }} width={width} height={height} classes={names} names />}
    </>
  );
}
