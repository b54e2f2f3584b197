// The engine for browsers as a file of the app: `import url from "virtual:engine"` is the hashed address of
// build/wasm/anneal.wasm, or null where it was not compiled (tools/build-web says so); then models run on the
// server alone.
import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { Plugin } from "vite";

const file = fileURLToPath(new URL("../build/wasm/anneal.wasm", import.meta.url));

export function engineModule(): Plugin {
  const id = "\0virtual:engine";
  return {
    name: "anneal-engine",
    resolveId: (name) => (name === "virtual:engine" ? id : undefined),
    load(name) {
      if (name !== id) return undefined;
      if (this.meta.watchMode || !existsSync(file)) return "export default null;";
      const reference = this.emitFile({ type: "asset", name: "anneal.wasm", source: readFileSync(file) });
      return `export default import.meta.ROLLUP_FILE_URL_${reference};`;
    },
  };
}
