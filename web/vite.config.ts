import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

// The C server serves the result from memory (src/api/web.c): everything below /assets/ is hashed.
// `npx vite` for development passes API calls on to a running `anneal serve`.
const api = "http://127.0.0.1:8000";

export default defineConfig({
  plugins: [react()],
  build: { outDir: "../build/web", emptyOutDir: true, assetsInlineLimit: 0 },
  server: { proxy: Object.fromEntries(
    ["/auth", "/datasets", "/training", "/ws", "/models", "/projects", "/users", "/health", "/version"].map(
      (path) => [path, { target: api, changeOrigin: true, ws: path === "/ws" }])) },
});
