import { defineConfig } from "vitest/config";

/** Long runs of the built program (`npm run setup`), for CI: `npx vitest run --config vitest.torture.config.ts`. */
export default defineConfig({
  test: {
    environment: "node",
    include: ["test/e2e/**/*.torture.ts", "test/simulation/**/*.torture.ts"],
    pool: "forks",
    // Their limits on time and memory hold on a machine that does one thing at a time.
    fileParallelism: false,
    testTimeout: 180_000,
    hookTimeout: 60_000,
  },
});
