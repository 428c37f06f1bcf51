import { defineConfig } from "vitest/config";

/** Tests against real programs, named by the environment: WALRUST_WEED, WALRUST_VERSITYGW, WALRUST_LTX, WALRUST_LITESTREAM. Without them they fail. */
export default defineConfig({
  test: {
    environment: "node",
    include: ["test/interop/**/*.test.ts"],
    pool: "forks",
    // Real servers are started by each file: one at a time.
    fileParallelism: false,
    testTimeout: 120_000,
    hookTimeout: 60_000,
  },
});
