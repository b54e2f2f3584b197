import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";

import { engineModule } from "./engine-module";

// Component tests stand beside what they test (x.test.tsx) and run in jsdom; src/testing.tsx has their helpers.
// The pages in a real browser are tests/web/*.test.ts.
export default defineConfig({
  plugins: [react(), engineModule()],
  test: {
    environment: "jsdom",
    include: ["src/**/*.test.{ts,tsx}"],
    setupFiles: ["src/testing-setup.ts"],
    testTimeout: 60_000,
    env: { DEBUG_PRINT_LIMIT: "2000" },
    restoreMocks: true,
    unstubGlobals: true,
    pool: "threads",
    poolOptions: { threads: { maxThreads: 2, minThreads: 1 } },
    coverage: {
      provider: "v8",
      include: ["src/**/*.{ts,tsx}"],
      exclude: ["src/**/*.test.{ts,tsx}", "src/testing*", "src/gen/**", "src/messages/**", "src/main.tsx", "src/**/route.ts", "src/*.d.ts"],
      reporter: ["text-summary", "json-summary", "html"],
      thresholds: { lines: 80 },
      reportsDirectory: "../build/coverage-web",
    },
  },
});
