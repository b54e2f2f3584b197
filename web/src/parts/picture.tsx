// A picture with its labels drawn over it, in the pixels of the original.
import { useState } from "react";

import { useTexts } from "../i18n";
import type { Shapes } from "../types";
import { classColour, type Colours } from "./colours";


function points(numbers: (number | string)[]): string {
  const out: string[] = [];
  for (let i = 0; i + 1 < numbers.length; i += 2) out.push(`${numbers[i]},${numbers[i + 1]}`);
  return out.join(" ");
}

export function Overlay({ shapes, width, height, classes, colours = null, names, dashed }: {
  shapes: Shapes; width: number; height: number; classes: string[]; colours?: Colours | null; names?: boolean; dashed?: boolean;
}) {
  const stroke = (cls: number) => classColour(cls, classes, colours);
  const line = { fill: "none", strokeWidth: 2, vectorEffect: "non-scaling-stroke" as const, ...(dashed ? { strokeDasharray: "5 4" } : {}) };
  const size = Math.max(width, height) / 42; // of the picture, so that small ones that are shown large keep small names
  const name = (x: number, y: number, cls: number, text: string, high = size) =>
    names && text ? (
      <text x={x} y={Math.max(high, y - high * 0.2)} fontSize={high} className="fill-on-picture" stroke={stroke(cls)}
        strokeWidth={high / 5} paintOrder="stroke">{text}</text>
    ) : null;
  return (
    <svg viewBox={`0 0 ${width} ${height}`} className="pointer-events-none absolute inset-0 h-full w-full" aria-hidden="true">
      {shapes.boxes?.map(([cls = 0, x = 0, y = 0, w = 0, h = 0], i) => (
        <g key={`b${i}`}>
          <rect x={x} y={y} width={w} height={h} stroke={stroke(cls)} {...line} />
          {name(x, y, cls, classes[cls] ?? "")}
        </g>
      ))}
      {shapes.polygons?.map(([cls = 0, ...xy], i) => (
        <g key={`p${i}`}>
          <polygon points={points(xy)} stroke={stroke(cls)} {...line} fill={stroke(cls)} fillOpacity={0.15} />
          {name(xy[0] ?? 0, xy[1] ?? 0, cls, classes[cls] ?? "")}
        </g>
      ))}
      {shapes.quads?.map((quad, i) => (
        <g key={`q${i}`}>
          <polygon points={points(quad.slice(0, 8))} stroke={stroke(1)} {...line} />
          {name(Number(quad[0]), Number(quad[1]), 1, String(quad[8] ?? ""), Math.min(size, Math.abs(Number(quad[7]) - Number(quad[1])) * 0.6))}
        </g>
      ))}
    </svg>
  );
}

/** A square preview; what cannot be loaded says so. */
export function Thumb({ src, alt, children }: { src: string; alt: string; children?: React.ReactNode }) {
  const { t } = useTexts();
  const [bad, setBad] = useState(false);
  return (
    <span className="relative block aspect-square overflow-hidden rounded bg-raised">
      {bad ? <span className="absolute inset-0 grid place-items-center p-2 text-center text-xs text-muted">{t("picture.broken")}</span>
        : <img src={src} alt={alt} loading="lazy" decoding="async" onError={() => setBad(true)} className="absolute inset-0 h-full w-full object-contain" />}
      {!bad && children}
    </span>
  );
}
