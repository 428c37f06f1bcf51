import { vi } from "vitest";
import { describeCalls, LARGE_CALLS, SMALL_CALLS } from "./network-calls.ts";

vi.mock("../../src/storage/http-pool.ts", async (importOriginal) => {
  const { withShortTimeouts } = await import("./short-timeouts.ts");
  return withShortTimeouts(await importOriginal());
});

describeCalls(SMALL_CALLS, ({ isSlow = false }) => isSlow);

describeCalls(LARGE_CALLS);
