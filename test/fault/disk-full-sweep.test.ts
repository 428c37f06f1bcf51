import "./disk-full-faults.ts";

import { afterEach, describe, it, vi } from "vitest";
import { mendDisk } from "./disk-full-faults.ts";
import { JOBS } from "./disk-full-jobs.ts";
import { sweep } from "./disk-full-sweep.ts";

afterEach(() => {
  mendDisk();
  vi.unstubAllEnvs();
});

describe.each(Object.entries(JOBS))("%s", (_name, prepare) => {
  it.each(["ENOSPC", "EIO"] as const)("%s at any operation", async (errno) =>
    sweep(await prepare(), errno, false),
  );

  it("ENOSPC from any operation on", async () => sweep(await prepare(), "ENOSPC", true));
});
