import "./disk-full-faults.ts";

import { afterEach, it } from "vitest";
import { mendDisk } from "./disk-full-faults.ts";
import { watchWithFaults } from "./disk-full-watch.ts";

afterEach(() => mendDisk());

it.each(["ENOSPC", "EIO"] as const)(
  "%s at operations of a daemon on its local state",
  (errno) => watchWithFaults(errno, false, 3),
  60_000,
);

it(
  "ENOSPC from operations of a daemon on, until there is space",
  () => watchWithFaults("ENOSPC", true, 5),
  60_000,
);
