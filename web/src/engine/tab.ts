// A model that runs in this tab: the page's side of worker.ts.
import engineUrl from "virtual:engine";

import type { Answer, Settings } from "./answer";
import { EngineError, type ModelInfo } from "./engine";
import type { Ask, Asked, Said } from "./worker";

/** Larger models are asked on the server: to download and hold them costs more than it gives. */
export const TAB_BYTES_MAX = 64 << 20;

export type WhyNot = "tab.missing" | "tab.browser" | "tab.large";

/** Why a model of so many bytes cannot run here; undefined: it can. */
export function whyNotHere(bytes: number, module: string | null = engineUrl): WhyNot | undefined {
  if (!module) return "tab.missing";
  if (typeof WebAssembly !== "object" || typeof Worker !== "function" || typeof OffscreenCanvas !== "function") return "tab.browser";
  return bytes > TAB_BYTES_MAX ? "tab.large" : undefined;
}

export class TabModel {
  private readonly open = new Map<number, { done: (value: never) => void; fail: (e: Error) => void }>();
  private last = 0;

  private constructor(private readonly worker: Worker) {
    worker.onmessage = ({ data }: MessageEvent<Said>) => {
      const asked = this.open.get(data.id);
      this.open.delete(data.id);
      if (data.error) asked?.fail(new EngineError(data.error.code, data.error.message));
      else asked?.done(data.value as never);
    };
    worker.onerror = (e) => {
      this.open.forEach((one) => one.fail(new EngineError("internal", e.message || "the engine's worker has stopped")));
      this.open.clear();
    };
  }

  /** From the bytes of a weights file, which are given away. */
  static async load(weights: ArrayBuffer, module: string | null = engineUrl): Promise<{ model: TabModel; info: ModelInfo }> {
    if (!module) throw new EngineError("unsupported_media", "this build has no engine for browsers");
    const model = new TabModel(new Worker(new URL("./worker.ts", import.meta.url), { type: "module" }));
    try {
      const info = await model.ask<ModelInfo>({ kind: "load", module: new URL(module, window.location.href).href, weights }, [weights]);
      return { model, info };
    } catch (e) {
      model.close();
      throw e;
    }
  }

  run(picture: Blob | ImageBitmap, settings: Settings): Promise<Answer> {
    return this.ask<Answer>({ kind: "run", picture, settings }, picture instanceof Blob ? [] : [picture]);
  }

  close() {
    this.worker.terminate();
    this.open.forEach((one) => one.fail(new EngineError("cancelled", "the model was put away")));
    this.open.clear();
  }

  private ask<T>(ask: Ask, give: Transferable[]): Promise<T> {
    return new Promise<T>((done, fail) => {
      const id = ++this.last;
      this.open.set(id, { done: done as (value: never) => void, fail });
      this.worker.postMessage({ id, ask } satisfies Asked, give);
    });
  }
}
