import { describe, vi } from "vitest";
import { describeCalls, SMALL_CALLS } from "./network-calls.ts";

vi.mock("../../src/storage/http-pool.ts", async (importOriginal) => {
  const { withShortTimeouts } = await import("./short-timeouts.ts");
  return withShortTimeouts(await importOriginal());
});

// What waits for a timeout again and again runs in network-requests.thorough.ts.
describeCalls(SMALL_CALLS, ({ isSlow = false }) => !isSlow);

describe("what waits for a timeout", () => {
  const put = SMALL_CALLS["put if absent"];
  if (put === undefined) throw new Error("no such call");
  describeCalls({ "put if absent": put }, ({ isSlow = false }) => isSlow);
});
