import { configDefaults, defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    environment: "node",
    include: ["test/**/*.test.ts"],
    // Those need real servers: vitest.interop.config.ts.
    exclude: [...configDefaults.exclude, "test/interop/**"],
    // POSIX locks and SQLite's own state belong to a process: a file of tests must not share it with another one.
    pool: "forks",
    // Most of them wait, for a process or a disk: on two processors half the time.
    maxWorkers: "100%",
    // Nothing here takes long; a machine that does other things too may take its time.
    testTimeout: 60_000,
    hookTimeout: 60_000,
    expect: { poll: { timeout: 40_000 } },
    // A rejection that nobody waits for is a defect, in the tests too.
    dangerouslyIgnoreUnhandledErrors: false,
  },
});
