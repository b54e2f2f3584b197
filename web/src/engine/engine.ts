// engine.ts - a trained model in the browser: the typed face of build/wasm/anneal.wasm (wasm/anneal_wasm.h).
//
// An Engine is one instance of the module with memory of its own; it holds any number of models.  Everything runs
// to its end on the thread that calls, so a page keeps its engine in a worker.  It needs nothing of a page: the tests
// run it in Node.  What goes wrong is an EngineError, whose `code` is one of the server's own (base/err.h): "invalid_request",
// "corrupt_data", "unsupported_media", "too_large", "out_of_memory", "internal".
//
// Views into the module's memory die when it grows, so each is made just before it is used and nothing hands one out.

export const ABI = 2;
/** Largest weights file and picture that are tried at all. */
export const MODEL_BYTES_MAX = 1 << 30;
export const PICTURE_PIXELS_MAX = 40_000_000;
export const TOP_MAX = 1000;
const PAGE = 65536;
const PAGES_FIRST = 32; // what the module is linked with: 2 MiB

export class EngineError extends Error {
  constructor(readonly code: string, message: string) {
    super(message);
    this.name = "EngineError";
  }
}

export type LogLevel = "debug" | "info" | "warn" | "error";
const LEVELS: readonly LogLevel[] = ["debug", "info", "warn", "error"];

export interface EngineOptions {
  /** Memory that the models of this engine may take together; 1 GiB if not said, 4 GiB at most. */
  memoryBytesMax?: number;
  /** Defects the module finds in itself, and remarks; console.error for errors if not given. */
  log?: (level: LogLevel, text: string) => void;
}

/** What a weights file says of itself. */
export interface ModelInfo {
  model: string;
  title: string;
  task: "classification" | "detection" | "segmentation" | "semantic";
  classes: string[];
  image_size: number;
  fit: string;
  params: number;
  bytes: number;
  flops: number;
  isa: string;
}

/** What is asked of a run; what is left out: 5, 100, 0.25, 0.7. */
export interface RunOptions {
  /** Classes of a classifier, 1 to TOP_MAX. */
  top?: number;
  /** Boxes of a picture, 1 to 300; of at least this confidence; of one class that overlap more than iou are one. */
  most?: number;
  confidence?: number;
  iou?: number;
}

export interface Prediction {
  class: string;
  class_id: number;
  /** Classification, detection, segmentation: 0 to 1. */
  confidence?: number;
  /** Detection, segmentation: x, y, width, height in pixels of the picture. */
  box?: [number, number, number, number];
  /** Semantic segmentation: of the picture's pixels. */
  share?: number;
}
export interface Result {
  /** The best first. */
  predictions: Prediction[];
  /** Where the picture lies in the network's input, and in its masks: input x = picture x * sx + x0. */
  map: { sx: number; sy: number; x0: number; y0: number };
  /** Milliseconds from pixels to result. */
  ms: number;
}

/** ImageData, or anything shaped like it. */
export interface Pixels {
  width: number;
  height: number;
  data: Uint8Array | Uint8ClampedArray;
}

interface Exports {
  anneal_abi(): number;
  anneal_alloc(n: number): number;
  anneal_free(p: number): void;
  anneal_error_code(): number;
  anneal_error_text(): number;
  anneal_load(bytes: number, n: number): number;
  anneal_unload(m: number): void;
  anneal_describe(m: number): number;
  anneal_options(m: number, top: number, most: number, confidence: number, iou: number): number;
  anneal_run_rgba(m: number, rgba: number, width: number, height: number): number;
  anneal_run_tensor(m: number, x: number, floats: number): number;
  anneal_mask(m: number, k: number): number;
  anneal_result(m: number): number;
  anneal_output(m: number): number;
  anneal_output_floats(m: number): number;
  anneal_input(m: number): number;
  anneal_input_floats(m: number): number;
  anneal_debug_fail_at(n: number): void;
  anneal_debug_live_bytes(): number;
  anneal_debug_time(m: number): number;
}

const decoder = new TextDecoder();

export class Engine {
  private dead: EngineError | null = null;

  private constructor(private readonly memory: WebAssembly.Memory, private readonly exports: Exports) {}

  /** From the module's bytes, a fetch of them (compiled while they arrive), or a module that was compiled before. */
  static async load(from: BufferSource | WebAssembly.Module | Response | Promise<Response>, options: EngineOptions = {}): Promise<Engine> {
    const most = Math.min(Math.floor((options.memoryBytesMax ?? 2 ** 30) / PAGE), 65536);
    if (!(most >= PAGES_FIRST))
      throw new EngineError("invalid_request", `memoryBytesMax must be at least ${PAGES_FIRST * PAGE}`);
    const memory = new WebAssembly.Memory({ initial: PAGES_FIRST, maximum: most });
    const say = options.log ?? ((level: LogLevel, text: string) => level === "error" && console.error(text));
    const log = (level: number, text: number, n: number) =>
      say(LEVELS[level] ?? "error", decoder.decode(new Uint8Array(memory.buffer, text, n).slice()));
    let instance: WebAssembly.Instance;
    try {
      instance = await WebAssembly.instantiate(await moduleOf(from), { env: { memory }, anneal: { log, now: () => performance.now() } });
    } catch (e) {
      throw e instanceof EngineError ? e : new EngineError("unsupported_media", `this browser cannot run the engine: ${String(e)}`);
    }
    const exports = instance.exports as unknown as Exports;
    if (typeof exports.anneal_abi !== "function" || exports.anneal_abi() !== ABI)
      throw new EngineError("unsupported_media", "the engine's module is of another version than this page");
    return new Engine(memory, exports);
  }

  /** A model from the bytes of a weights file (safetensors, as the trainer writes it). */
  model(bytes: Uint8Array): Model {
    if (bytes.byteLength > MODEL_BYTES_MAX)
      throw new EngineError("too_large", `a weights file of ${bytes.byteLength} bytes; the limit is ${MODEL_BYTES_MAX}`);
    const handle = this.with(bytes, (at) => this.call((x) => x.anneal_load(at, bytes.byteLength)));
    if (!handle)
      throw this.failure();
    return new Model(this, handle, JSON.parse(this.text((x) => x.anneal_describe(handle))) as ModelInfo);
  }

  /** All of the module's memory.  It grows and is never given back before the engine itself is dropped. */
  get memoryBytes(): number {
    return this.memory.buffer.byteLength;
  }

  /** For tests: bytes in use, and the n-th allocation from now failing. */
  get liveBytes(): number {
    return this.call((x) => x.anneal_debug_live_bytes()) >>> 0;
  }
  failAt(n: number): void {
    this.call((x) => x.anneal_debug_fail_at(n));
  }

  // ---- what Model needs

  /** @internal Calls into the module; after a trap nothing may. */
  call<T>(f: (x: Exports) => T): T {
    if (this.dead)
      throw this.dead;
    try {
      return f(this.exports);
    } catch (e) {
      this.dead = new EngineError("internal", `the engine stopped: ${String(e)}; this is a defect of Anneal`);
      throw this.dead;
    }
  }

  /** @internal Copies bytes in for the length of a call. */
  with<T>(bytes: Uint8Array | Uint8ClampedArray, f: (at: number) => T): T {
    const at = this.call((x) => x.anneal_alloc(bytes.byteLength)) >>> 0;
    if (!at)
      throw new EngineError("out_of_memory", `no memory for ${bytes.byteLength} bytes; the engine has ${this.memoryBytes}`);
    new Uint8Array(this.memory.buffer, at, bytes.byteLength).set(bytes);
    try {
      return f(at);
    } finally {
      if (!this.dead)
        this.call((x) => x.anneal_free(at));
    }
  }

  /** @internal */
  text(f: (x: Exports) => number): string {
    const rest = new Uint8Array(this.memory.buffer, this.call(f) >>> 0);
    return decoder.decode(rest.slice(0, rest.indexOf(0)));
  }

  /** @internal Copies. */
  bytes(at: number, n: number): Uint8Array {
    return new Uint8Array(this.memory.buffer, at, n).slice();
  }
  floats(at: (x: Exports) => number, n: (x: Exports) => number): Float32Array {
    return new Float32Array(this.memory.buffer, this.call(at) >>> 0, this.call(n) >>> 0).slice();
  }

  /** @internal */
  failure(): EngineError {
    return new EngineError(this.text((x) => x.anneal_error_code()), this.text((x) => x.anneal_error_text()));
  }
}

export class Model {
  /** @internal Engine.model makes them. */
  constructor(private readonly engine: Engine, private handle: number, readonly info: ModelInfo) {}

  /** A picture of any size, as a canvas gives it. */
  run(pixels: Pixels, options: RunOptions = {}): Result {
    const { width, height, data } = pixels;
    if (!Number.isInteger(width) || !Number.isInteger(height) || width < 1 || height < 1 || width * height > PICTURE_PIXELS_MAX)
      throw new EngineError("invalid_request", `a picture of ${width}x${height}; sides are whole numbers, ${PICTURE_PIXELS_MAX} pixels at most`);
    if (data.length !== width * height * 4)
      throw new EngineError("invalid_request", `${width}x${height} pixels are ${width * height * 4} bytes as RGBA, not ${data.length}`);
    return this.timed(options, (m) => this.engine.with(data, (at) => this.engine.call((x) => x.anneal_run_rgba(m, at, width, height))));
  }

  /** A finished input: [3][image_size][image_size], R G B, normalised. */
  runTensor(input: Float32Array, options: RunOptions = {}): Result {
    const bytes = new Uint8Array(input.buffer, input.byteOffset, input.byteLength);
    return this.timed(options, (m) => this.engine.with(bytes, (at) => this.engine.call((x) => x.anneal_run_tensor(m, at, input.length))));
  }

  /** Segmentation: the mask of prediction k of the last run, 1 inside.  Semantic segmentation: the class of each pixel.
   * image_size x image_size pixels of the input, over which Result.map lays the picture.  null: there is none. */
  mask(k = 0): Uint8Array | null {
    const m = this.live(), at = this.engine.call((x) => x.anneal_mask(m, k)) >>> 0;
    return at ? this.engine.bytes(at, this.info.image_size ** 2) : null;
  }

  /** What the network gave for the last picture (a classifier's logits; of each box x0, y0, x1, y1 in pixels of the input,
   * confidence and class), and what it was given. */
  output(): Float32Array {
    const m = this.live();
    return this.engine.floats((x) => x.anneal_output(m), (x) => x.anneal_output_floats(m));
  }
  input(): Float32Array {
    const m = this.live();
    return this.engine.floats((x) => x.anneal_input(m), (x) => x.anneal_input_floats(m));
  }

  /** Gives its memory back to the engine.  Twice is fine. */
  free(): void {
    if (this.handle)
      this.engine.call((x) => x.anneal_unload(this.handle));
    this.handle = 0;
  }

  /** Where the time goes, node by node; notes it from the first call on. */
  times(): string {
    const m = this.live();
    return this.engine.text((x) => x.anneal_debug_time(m));
  }

  private live(): number {
    if (!this.handle)
      throw new EngineError("invalid_request", "this model was freed");
    return this.handle;
  }

  private timed(o: RunOptions, run: (m: number) => number): Result {
    const m = this.live(), began = performance.now();
    const set = this.engine.call((x) => x.anneal_options(m, o.top ?? 5, o.most ?? 100, o.confidence ?? 0.25, o.iou ?? 0.7));
    if (set !== 0 || run(m) !== 0)
      throw this.engine.failure();
    const result = JSON.parse(this.engine.text((x) => x.anneal_result(m))) as Omit<Result, "ms">;
    return { ...result, ms: performance.now() - began };
  }
}

async function moduleOf(from: BufferSource | WebAssembly.Module | Response | Promise<Response>): Promise<WebAssembly.Module> {
  if (from instanceof WebAssembly.Module)
    return from;
  const got = await from;
  if (!(got instanceof Response))
    return WebAssembly.compile(got);
  if (!got.ok)
    throw new EngineError("unavailable", `the engine's module cannot be fetched: ${got.status} ${got.statusText}`);
  return WebAssembly.compileStreaming(got);
}
