import { defineConfig } from "vitest/config";

/** Fuzzing without end, by `npm run fuzz` (test/fuzz/run.mjs). */
export default defineConfig({
  test: {
    environment: "node",
    include: ["test/fuzz/long-run.fuzz.ts"],
    pool: "forks",
    testTimeout: 0,
    hookTimeout: 20_000,
    disableConsoleIntercept: true,
  },
});
