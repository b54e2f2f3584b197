// The picture with its labels, to draw on: drag on the picture draws a box, drag on the chosen box moves it, its
// handles resize it; the wheel zooms, the middle button (or Space) pans.  Everything is done by keys too (keys.ts).
import { type PointerEvent as ReactPointerEvent, useEffect, useLayoutEffect, useRef, useState } from "react";

import { useTexts } from "../../i18n";
import { classColour, type Colours } from "../../parts/colours";
import { type Action, type Box, clip, type Editor, fit, type Handle, LEAST, moved, resized, type Size, type View, zoom } from "./editor";

const HANDLE = 10; // pixels of the screen
const DRAG = 3; // so far the pointer must go before a click is a drag
const WHEEL = 1.0015;
const handles: Handle[] = ["nw", "n", "ne", "e", "se", "s", "sw", "w"];
const cursors: Record<Handle, string> = { nw: "nwse-resize", se: "nwse-resize", ne: "nesw-resize", sw: "nesw-resize", n: "ns-resize", s: "ns-resize", e: "ew-resize", w: "ew-resize" };

type Drag =
  | { kind: "draw"; from: { x: number; y: number }; over: number | undefined; box: Box; far: boolean }
  | { kind: "move" | "resize"; at: number; from: { x: number; y: number }; first: Box; box: Box; handle: Handle; far: boolean }
  | { kind: "pan"; x: number; y: number; view: View };

/** The smallest box at a point: what lies within another can be reached. */
function boxAt(boxes: Box[], x: number, y: number): number | undefined {
  let best: number | undefined, area = Infinity;
  boxes.forEach(([, bx, by, w, h], i) => {
    if (x < bx || y < by || x > bx + w || y > by + h || w * h >= area) return;
    best = i;
    area = w * h;
  });
  return best;
}

const pointsOf = (numbers: (number | string)[]) => {
  const out: string[] = [];
  for (let i = 0; i + 1 < numbers.length; i += 2) out.push(`${numbers[i]},${numbers[i + 1]}`);
  return out.join(" ");
};

export interface CanvasProps {
  url: string; name: string; size: Size; editor: Editor; classes: string[]; colours: Colours | null; drawing: boolean; cls: number;
  scores: number[]; act: (action: Action) => void; view: View | undefined; setView: (view: View | undefined) => void;
}

export function Canvas({ url, name, size, editor, classes, colours, drawing, cls, scores, act, view, setView }: CanvasProps) {
  const { t, percent } = useTexts();
  const box = useRef<HTMLDivElement>(null);
  const [screen, setScreen] = useState<Size>({ width: 800, height: 600 });
  const [drag, setDrag] = useState<Drag>();
  const space = useRef(false);
  useLayoutEffect(() => {
    const element = box.current;
    if (!element) return undefined;
    const measure = () => setScreen({ width: element.clientWidth || 800, height: element.clientHeight || 600 });
    measure();
    const watch = new ResizeObserver(measure);
    watch.observe(element);
    return () => watch.disconnect();
  }, []);
  const fitted = fit(size, screen);
  const shown = view ?? fitted;
  const now = useRef({ shown, fitted, setView });
  now.current = { shown, fitted, setView };
  useEffect(() => { // React's own wheel listener is passive: the page would scroll
    const element = box.current;
    if (!element) return undefined;
    const wheel = (e: WheelEvent) => {
      e.preventDefault();
      const rect = element.getBoundingClientRect(), { shown: old, fitted: whole } = now.current;
      const pixels = e.deltaMode ? e.deltaY * 16 : e.deltaY;
      now.current.setView(zoom(old, WHEEL ** -pixels, { x: e.clientX - rect.left, y: e.clientY - rect.top }, whole.scale));
    };
    const key = (e: KeyboardEvent) => {
      if (e.code === "Space") space.current = e.type === "keydown";
    };
    element.addEventListener("wheel", wheel, { passive: false });
    window.addEventListener("keydown", key);
    window.addEventListener("keyup", key);
    return () => {
      element.removeEventListener("wheel", wheel);
      window.removeEventListener("keydown", key);
      window.removeEventListener("keyup", key);
    };
  }, []);

  const place = (e: ReactPointerEvent) => {
    const rect = box.current?.getBoundingClientRect();
    return { x: (e.clientX - (rect?.left ?? 0) - shown.x) / shown.scale, y: (e.clientY - (rect?.top ?? 0) - shown.y) / shown.scale };
  };
  const down = (e: ReactPointerEvent, handle?: Handle) => {
    if (e.button === 1 || (e.button === 0 && space.current)) {
      setDrag({ kind: "pan", x: e.clientX, y: e.clientY, view: shown });
    } else if (e.button === 0 && drawing) {
      const from = place(e), { selected, now: { boxes } } = editor;
      const chosen = selected === undefined ? undefined : boxes[selected];
      if (handle && chosen && selected !== undefined)
        setDrag({ kind: "resize", at: selected, from, first: chosen, box: chosen, handle, far: false });
      else if (chosen && selected !== undefined && boxAt([chosen], from.x, from.y) === 0)
        setDrag({ kind: "move", at: selected, from, first: chosen, box: chosen, handle: "n", far: false });
      else
        setDrag({ kind: "draw", from, over: boxAt(boxes, from.x, from.y), box: [cls, from.x, from.y, 0, 0], far: false });
    } else return;
    e.preventDefault();
    e.stopPropagation();
    box.current?.focus({ preventScroll: true });
    (e.currentTarget as Element).setPointerCapture?.(e.pointerId);
  };
  const move = (e: ReactPointerEvent) => {
    if (!drag) return;
    if (drag.kind === "pan") return setView({ scale: drag.view.scale, x: drag.view.x + e.clientX - drag.x, y: drag.view.y + e.clientY - drag.y });
    const to = place(e), dx = to.x - drag.from.x, dy = to.y - drag.from.y;
    const far = drag.far || Math.hypot(dx, dy) * shown.scale > DRAG;
    if (drag.kind === "draw") setDrag({ ...drag, far, box: clip([cls, drag.from.x, drag.from.y, dx, dy], size.width, size.height) });
    else setDrag({ ...drag, far, box: drag.kind === "move" ? moved(drag.first, dx, dy, size.width, size.height) : resized(drag.first, drag.handle, dx, dy, size.width, size.height) });
  };
  const up = () => {
    if (drag?.kind === "draw") {
      if (drag.far && drag.box[3] >= LEAST && drag.box[4] >= LEAST) act({ do: "add", boxes: [drag.box] });
      else act({ do: "select", at: drag.over });
    } else if (drag && drag.kind !== "pan") {
      if (drag.far) act({ do: "put", at: drag.at, box: drag.box });
      else act({ do: "select", at: boxAt(editor.now.boxes, drag.from.x, drag.from.y) });
    }
    setDrag(undefined);
  };

  const { now: { boxes, polygons, quads }, selected } = editor;
  const paint = (c: number) => classColour(c, classes, colours);
  const live = (one: Box, i: number) => (drag && drag.kind !== "pan" && drag.kind !== "draw" && drag.at === i ? drag.box : one);
  const letter = 13 / shown.scale;
  const chosen = selected === undefined ? undefined : boxes[selected];
  return (
    <div ref={box} role="application" aria-label={t("label.canvas", { name })} aria-describedby="label-said" tabIndex={0} data-canvas
      onPointerDown={down} onPointerMove={move} onPointerUp={up} onPointerCancel={() => setDrag(undefined)} onContextMenu={(e) => e.preventDefault()}
      className={`relative h-full w-full touch-none select-none overflow-hidden rounded bg-raised ${drawing ? "cursor-crosshair" : ""}`}>
      <svg width={screen.width} height={screen.height} className="block">
        <g transform={`translate(${shown.x} ${shown.y}) scale(${shown.scale})`}>
          <image href={url} width={size.width} height={size.height} preserveAspectRatio="none" style={shown.scale > 4 ? { imageRendering: "pixelated" } : undefined} />
          {polygons.map(([c = 0, ...xy], i) => (
            <polygon key={`p${i}`} points={pointsOf(xy)} stroke={paint(c)} strokeWidth={2} vectorEffect="non-scaling-stroke" fill={paint(c)} fillOpacity={0.15} />
          ))}
          {quads.map((quad, i) => <polygon key={`q${i}`} points={pointsOf(quad.slice(0, 8))} stroke={paint(1)} strokeWidth={2} vectorEffect="non-scaling-stroke" fill="none" />)}
          {boxes.map((one, i) => {
            const [c, x, y, w, h] = live(one, i);
            const score = scores[i];
            return (
              <g key={i} data-box={i}>
                <rect x={x} y={y} width={w} height={h} stroke={paint(c)} strokeWidth={i === selected ? 3 : 2} vectorEffect="non-scaling-stroke"
                  fill={paint(c)} fillOpacity={i === selected ? 0.18 : 0.04} strokeDasharray={score === undefined ? undefined : "6 4"} />
                <text x={x} y={y < letter * 1.4 ? y + letter : y - letter * 0.3} fontSize={letter} fill={paint(c)} stroke="rgb(var(--surface))" strokeWidth={letter / 4}
                  paintOrder="stroke" className="font-medium">{classes[c] ?? c}{score !== undefined && ` ${percent(score, 0)}`}</text>
              </g>
            );
          })}
          {drag?.kind === "draw" && drag.far && (
            <rect x={drag.box[1]} y={drag.box[2]} width={drag.box[3]} height={drag.box[4]} stroke={paint(cls)} strokeWidth={2} vectorEffect="non-scaling-stroke" fill={paint(cls)} fillOpacity={0.15} />
          )}
          {drawing && chosen && selected !== undefined && handles.map((handle) => {
            const [, x, y, w, h] = live(chosen, selected), side = HANDLE / shown.scale;
            const cx = handle.includes("w") ? x : handle.includes("e") ? x + w : x + w / 2;
            const cy = handle.includes("n") ? y : handle.includes("s") ? y + h : y + h / 2;
            return <rect key={handle} data-handle={handle} x={cx - side / 2} y={cy - side / 2} width={side} height={side} fill="rgb(var(--surface))" stroke={paint(chosen[0])}
              strokeWidth={1.5} vectorEffect="non-scaling-stroke" style={{ cursor: cursors[handle] }} onPointerDown={(e) => down(e, handle)} />;
          })}
        </g>
      </svg>
    </div>
  );
}
