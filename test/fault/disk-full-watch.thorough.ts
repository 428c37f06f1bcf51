import "./disk-full-faults.ts";

import { afterEach, it } from "vitest";
import { ERRNOS, mendDisk } from "./disk-full-faults.ts";
import { watchWithFaults } from "./disk-full-watch.ts";

const LIMIT_MS = 600_000;

afterEach(() => mendDisk());

it.each(ERRNOS)(
  "%s at every operation of a daemon on its local state",
  (errno) => watchWithFaults(errno, false),
  LIMIT_MS,
);

it.each(ERRNOS)(
  "%s from every operation of a daemon on, until the disk is mended",
  (errno) => watchWithFaults(errno, true),
  LIMIT_MS,
);
