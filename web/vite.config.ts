import react from "@vitejs/plugin-react";
import { readFileSync } from "node:fs";
import { defineConfig, type Plugin } from "vite";

import { engineModule } from "./engine-module";

// The C server serves the result from memory (src/api/web.c): everything below /assets/ is hashed.
// `npx vite` for development passes API calls on to a running `anneal serve`.
const api = "http://127.0.0.1:8000";

/** The licences of the fonts go where the fonts go. */
const licences: Plugin = {
  name: "licences",
  apply: "build",
  generateBundle() {
    for (const name of ["Inter-OFL.txt", "SUIT-OFL.txt"])
      this.emitFile({ type: "asset", fileName: `assets/licences/${name}`, source: readFileSync(`../build/fonts/${name}`) });
  },
};

export default defineConfig({
  plugins: [react(), licences, engineModule()],
  build: {
    outDir: "../build/web", emptyOutDir: true, assetsInlineLimit: 0,
    rollupOptions: { input: ["index.html", "try.html"] }, // the app, and the page of visitors
  },
  worker: { format: "es" },
  server: { proxy: Object.fromEntries(
    ["/auth", "/datasets", "/training", "/ws", "/models", "/projects", "/public", "/registry", "/users", "/health", "/version"].map(
      (path) => [path, { target: api, changeOrigin: true, ws: path === "/ws" }])) },
});
