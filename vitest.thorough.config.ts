import { defineConfig } from "vitest/config";

/** Every death, every full disk and every lie of a network, where `npm test` draws some: about an hour. `npx vitest run --config vitest.thorough.config.ts`. */
export default defineConfig({
  test: {
    environment: "node",
    include: ["test/**/*.thorough.ts"],
    pool: "forks",
    fileParallelism: false,
    testTimeout: 180_000,
    hookTimeout: 60_000,
  },
});
