// The engine's worker: one model, asked one picture after another, so that the page stays alive while it computes.
// Pictures come as files or as frames of a camera and are decoded here; nothing leaves the tab.
import { cropped, type Answer, type Mark, type Settings } from "./answer";
import { Engine, EngineError, type Model, type ModelInfo, PICTURE_PIXELS_MAX } from "./engine";

export type Ask =
  | { kind: "load"; module: string; weights: ArrayBuffer }
  | { kind: "run"; picture: Blob | ImageBitmap; settings: Settings };
export interface Asked { id: number; ask: Ask }
export interface Said { id: number; value?: ModelInfo | Answer; error?: { code: string; message: string } }

const BOXES_MAX = 300;
let model: Model | undefined;

async function load(module: string, weights: ArrayBuffer): Promise<ModelInfo> {
  const engine = await Engine.load(fetch(module));
  model = engine.model(new Uint8Array(weights));
  return model.info;
}

async function pixelsOf(picture: Blob | ImageBitmap): Promise<ImageData> {
  let bitmap: ImageBitmap;
  try { // as the server decodes: upright, and without the profile of a screen
    bitmap = picture instanceof Blob
      ? await createImageBitmap(picture, { colorSpaceConversion: "none", premultiplyAlpha: "none" }) : picture;
  } catch {
    throw new EngineError("corrupt_data", "this browser cannot read the picture");
  }
  const { width, height } = bitmap;
  if (width * height > PICTURE_PIXELS_MAX) throw new EngineError("too_large", `${width} x ${height} pixels are too many`);
  const context = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
  if (!context) throw new EngineError("unsupported_media", "this browser gives a worker no canvas");
  context.drawImage(bitmap, 0, 0);
  bitmap.close();
  return context.getImageData(0, 0, width, height);
}

async function run(picture: Blob | ImageBitmap, { top, confidence, iou }: Settings): Promise<Answer> {
  if (!model) throw new EngineError("internal", "no model is loaded");
  const pixels = await pixelsOf(picture), { task, image_size } = model.info;
  const result = model.run(pixels, { top, confidence, iou, most: BOXES_MAX });
  const areas = task === "semantic" ? model.mask() : null;
  const marks = result.predictions.map((p, k): Mark => {
    const mask = areas ?? (task === "segmentation" && model ? model.mask(k) : null);
    return mask ? { ...p, mask: cropped(mask, image_size, result.map, pixels, areas ? p.class_id : 1) } : { ...p };
  });
  return { width: pixels.width, height: pixels.height, marks, ms: result.ms };
}

const answer = (ask: Ask) => (ask.kind === "load" ? load(ask.module, ask.weights) : run(ask.picture, ask.settings));

let turn: Promise<unknown> = Promise.resolve(); // one after the other, in the order of asking
self.onmessage = ({ data: { id, ask } }: MessageEvent<Asked>) => {
  turn = turn.then(async () => {
    const said: Said = { id };
    try {
      said.value = await answer(ask);
    } catch (e) {
      said.error = { code: e instanceof EngineError ? e.code : "internal", message: e instanceof Error ? e.message : String(e) };
    }
    self.postMessage(said);
  });
};
