// The picture with its labels, to draw on: drag on the picture draws a box, or clicks an outline, corner by corner,
// until the first one is met again; drag on the chosen one moves it, its handles bend it; the wheel zooms, the middle
// button (or Space) pans.  Everything is done by keys too (keys.ts).
import { type PointerEvent as ReactPointerEvent, useEffect, useLayoutEffect, useRef, useState } from "react";

import { useTexts } from "../../i18n";
import { classColour, type Colours } from "../../parts/colours";
import { type Action, type Box, boxOf, clip, type Editor, fit, type Handle, type Labels, LEAST, moved, polygonOf, resized, type Size, type View, zoom } from "./editor";
import { areaOf, bent, corners, holds, LEAST_CORNERS, type Outline, type Point, round, shifted, withCorner } from "./outline";
import { Corners, type Grip, Open } from "./outlines";

const HANDLE = 10; // pixels of the screen
const NEAR = 10; // pixels of the screen: so near to its first corner an outline is closed
const DRAG = 3; // so far the pointer must go before a click is a drag
const WHEEL = 1.0015;
const handles: Handle[] = ["nw", "n", "ne", "e", "se", "s", "sw", "w"];
const cursors: Record<Handle, string> = { nw: "nwse-resize", se: "nwse-resize", ne: "nesw-resize", sw: "nesw-resize", n: "ns-resize", s: "ns-resize", e: "ew-resize", w: "ew-resize" };

type Drag =
  | { kind: "draw"; from: { x: number; y: number }; over: number | undefined; box: Box; far: boolean }
  | { kind: "move" | "resize"; at: number; from: { x: number; y: number }; first: Box; box: Box; handle: Handle; far: boolean }
  | { kind: "bend"; at: number; from: Point; first: Outline; now: Outline; corner: number | undefined; far: boolean }
  | { kind: "click"; from: Point; over: number | undefined; far: boolean }
  | { kind: "pan"; x: number; y: number; view: View };

/** The smallest object at a point: what lies within another can be reached. */
function objectAt(labels: Labels, { x, y }: Point): number | undefined {
  let best: number | undefined, area = Infinity;
  const offer = (i: number, inside: boolean, size: number) => {
    if (!inside || size >= area) return;
    best = i;
    area = size;
  };
  labels.boxes.forEach(([, bx, by, w, h], i) => offer(i, x >= bx && y >= by && x <= bx + w && y <= by + h, w * h));
  labels.polygons.forEach((one, i) => offer(labels.boxes.length + i, holds(one, x, y), areaOf(one)));
  return best;
}

const pointsOf = (numbers: (number | string)[]) => {
  const out: string[] = [];
  for (let i = 0; i + 1 < numbers.length; i += 2) out.push(`${numbers[i]},${numbers[i + 1]}`);
  return out.join(" ");
};

export interface CanvasProps {
  url: string; name: string; size: Size; editor: Editor; classes: string[]; colours: Colours | null; drawing: boolean; cls: number;
  /** What a press on the picture begins. */
  tool: "box" | "outline";
  scores: number[]; act: (action: Action) => void; view: View | undefined; setView: (view: View | undefined) => void;
}

export function Canvas({ url, name, size, editor, classes, colours, drawing, tool, cls, scores, act, view, setView }: CanvasProps) {
  const { t, percent } = useTexts();
  const box = useRef<HTMLDivElement>(null);
  const [screen, setScreen] = useState<Size>({ width: 800, height: 600 });
  const [drag, setDrag] = useState<Drag>();
  const [over, setOver] = useState<Point>(); // the pointer, while an outline is drawn
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
  /** What a press begins: on a handle, on the chosen object, or anywhere else. */
  const pressed = (from: Point, handle?: Handle, grip?: Grip): Drag => {
    const { selected = -1, now, open } = editor, box = boxOf(now, selected), outline = polygonOf(now, selected);
    if (open) return { kind: "click", from, over: undefined, far: false };
    if (box && handle) return { kind: "resize", at: selected, from, first: box, box, handle, far: false };
    if (outline && grip) {
      const first = grip.fresh ? withCorner(outline, grip.corner) : outline, corner = grip.fresh ? grip.corner + 1 : grip.corner;
      return { kind: "bend", at: selected, from, first, now: first, corner, far: grip.fresh };
    }
    if (box && objectAt({ ...now, boxes: [box], polygons: [] }, from) === 0)
      return { kind: "move", at: selected, from, first: box, box, handle: "n", far: false };
    if (outline && holds(outline, from.x, from.y)) return { kind: "bend", at: selected, from, first: outline, now: outline, corner: undefined, far: false };
    if (tool === "outline") return { kind: "click", from, over: objectAt(now, from), far: false };
    return { kind: "draw", from, over: objectAt(now, from), box: [cls, from.x, from.y, 0, 0], far: false };
  };
  const down = (e: ReactPointerEvent, handle?: Handle, grip?: Grip) => {
    if (e.button === 1 || (e.button === 0 && space.current && !editor.open)) {
      setDrag({ kind: "pan", x: e.clientX, y: e.clientY, view: shown });
    } else if (e.button === 0 && drawing) {
      setDrag(pressed(place(e), handle, grip));
    } else return;
    e.preventDefault();
    e.stopPropagation();
    box.current?.focus({ preventScroll: true });
    (e.currentTarget as Element).setPointerCapture?.(e.pointerId);
  };
  const inside = ({ x, y }: Point): Point => ({ x: round(Math.max(0, Math.min(size.width, x))), y: round(Math.max(0, Math.min(size.height, y))) });
  const move = (e: ReactPointerEvent) => {
    if (editor.open) setOver(inside(place(e)));
    if (!drag) return;
    if (drag.kind === "pan") return setView({ scale: drag.view.scale, x: drag.view.x + e.clientX - drag.x, y: drag.view.y + e.clientY - drag.y });
    const to = place(e), dx = to.x - drag.from.x, dy = to.y - drag.from.y, { width, height } = size;
    const far = drag.far || Math.hypot(dx, dy) * shown.scale > DRAG;
    if (drag.kind === "click") setDrag({ ...drag, far });
    else if (drag.kind === "draw") setDrag({ ...drag, far, box: clip([cls, drag.from.x, drag.from.y, dx, dy], width, height) });
    else if (drag.kind === "bend") {
      const at = drag.corner === undefined ? undefined : corners(drag.first)[drag.corner];
      setDrag({ ...drag, far, now: at && drag.corner !== undefined ? bent(drag.first, drag.corner, { x: at.x + dx, y: at.y + dy }, width, height) : shifted(drag.first, dx, dy, width, height) });
    } else setDrag({ ...drag, far, box: drag.kind === "move" ? moved(drag.first, dx, dy, width, height) : resized(drag.first, drag.handle, dx, dy, width, height) });
  };
  /** A corner where it was clicked; on the first one, the end. */
  const clicked = (from: Point, at: number | undefined) => {
    const points = editor.open?.points, first = points?.[0];
    if (!points) return act(at === undefined && from.x >= 0 && from.y >= 0 && from.x <= size.width && from.y <= size.height
      ? { do: "open", point: inside(from) } : { do: "select", at });
    if (first && points.length >= LEAST_CORNERS && Math.hypot(first.x - from.x, first.y - from.y) * shown.scale <= NEAR) return act({ do: "close", cls });
    act({ do: "point", at: inside(from) });
  };
  const up = () => {
    setDrag(undefined);
    if (!drag || drag.kind === "pan") return;
    if (drag.kind === "click") clicked(drag.from, drag.over);
    else if (drag.kind === "draw" && drag.far && drag.box[3] >= LEAST && drag.box[4] >= LEAST) act({ do: "add", boxes: [drag.box] });
    else if (drag.kind === "draw") act({ do: "select", at: drag.over });
    else if (drag.kind === "bend" && drag.far) act({ do: "bend", at: drag.at, outline: drag.now, corner: drag.corner });
    else if (drag.kind === "bend" && drag.corner !== undefined) act({ do: "corner", at: drag.corner });
    else if (drag.kind !== "bend" && drag.far) act({ do: "put", at: drag.at, box: drag.box });
    else act({ do: "select", at: objectAt(editor.now, drag.from) });
  };

  const { now: { boxes, polygons, quads }, selected, open } = editor;
  const paint = (c: number) => classColour(c, classes, colours);
  const live = (one: Box, i: number) => (drag && (drag.kind === "move" || drag.kind === "resize") && drag.at === i ? drag.box : one);
  const bending = (one: Outline, i: number) => (drag?.kind === "bend" && drag.at === boxes.length + i ? drag.now : one);
  const letter = 13 / shown.scale;
  const chosen = boxOf(editor.now, selected), outline = polygonOf(editor.now, selected);
  const named = (i: number, x: number, y: number, c: number) => {
    const score = scores[i];
    return (
      <text x={x} y={y < letter * 1.4 ? y + letter : y - letter * 0.3} fontSize={letter} fill={paint(c)} stroke="rgb(var(--surface))" strokeWidth={letter / 4}
        paintOrder="stroke" className="font-medium">{classes[c] ?? c}{score !== undefined && ` ${percent(score, 0)}`}</text>
    );
  };
  return (
    <div ref={box} role="application" aria-label={t(tool === "outline" ? "label.canvasOutline" : "label.canvas", { name })} aria-describedby="label-said" tabIndex={0} data-canvas
      onPointerDown={down} onPointerMove={move} onPointerUp={up} onPointerCancel={() => setDrag(undefined)} onContextMenu={(e) => e.preventDefault()}
      className={`relative h-full w-full touch-none select-none overflow-hidden rounded bg-raised ${drawing ? "cursor-crosshair" : ""}`}>
      <svg width={screen.width} height={screen.height} className="block">
        <g transform={`translate(${shown.x} ${shown.y}) scale(${shown.scale})`}>
          <image href={url} width={size.width} height={size.height} preserveAspectRatio="none" style={shown.scale > 4 ? { imageRendering: "pixelated" } : undefined} />
          {polygons.map((each, i) => {
            const one = bending(each, i), [c = 0, ...xy] = one, at = boxes.length + i;
            return (
              <g key={`p${i}`} data-outline={i}>
                <polygon points={pointsOf(xy)} stroke={paint(c)} strokeWidth={at === selected ? 3 : 2} vectorEffect="non-scaling-stroke" fill={paint(c)}
                  fillOpacity={at === selected ? 0.25 : 0.12} strokeDasharray={scores[at] === undefined ? undefined : "6 4"} />
                {named(at, xy[0] ?? 0, xy[1] ?? 0, c)}
              </g>
            );
          })}
          {quads.map((quad, i) => <polygon key={`q${i}`} points={pointsOf(quad.slice(0, 8))} stroke={paint(1)} strokeWidth={2} vectorEffect="non-scaling-stroke" fill="none" />)}
          {boxes.map((one, i) => {
            const [c, x, y, w, h] = live(one, i);
            return (
              <g key={i} data-box={i}>
                <rect x={x} y={y} width={w} height={h} stroke={paint(c)} strokeWidth={i === selected ? 3 : 2} vectorEffect="non-scaling-stroke"
                  fill={paint(c)} fillOpacity={i === selected ? 0.18 : 0.04} strokeDasharray={scores[i] === undefined ? undefined : "6 4"} />
                {named(i, x, y, c)}
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
          {drawing && outline && selected !== undefined && (
            <Corners of={bending(outline, selected - boxes.length)} scale={shown.scale} chosen={editor.corner} paint={paint(outline[0] ?? 0)}
              onDown={(e, grip) => down(e, undefined, grip)} />
          )}
          {open && <Open points={open.points} to={open.cursor ? undefined : over} cursor={open.cursor} scale={shown.scale} paint={paint(cls)} />}
        </g>
      </svg>
    </div>
  );
}
