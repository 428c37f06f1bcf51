import "./disk-full-faults.ts";

import { afterEach, describe, it, vi } from "vitest";
import { ERRNOS, mendDisk } from "./disk-full-faults.ts";
import { JOBS } from "./disk-full-jobs.ts";
import { sweep } from "./disk-full-sweep.ts";

afterEach(() => {
  mendDisk();
  vi.unstubAllEnvs();
});

describe.each(Object.entries(JOBS))("%s", (_name, prepare) => {
  it.each(ERRNOS)("%s at any operation", async (errno) => sweep(await prepare(), errno, false));

  it.each(ERRNOS)("%s from any operation on", async (errno) => sweep(await prepare(), errno, true));
});
