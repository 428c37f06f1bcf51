import { test } from "vitest";
import { outage } from "../helpers/e2e/outage.ts";

/** That it takes 2 s, outage.torture.ts and test/daemon/backoff.test.ts hold: here the machine does other things too. */
const SOON_MS = 10_000;

test(
  "storage is away for 4 s and refuses connections: uploads go on soon, and nothing is missing",
  () => outage(4, "refused", SOON_MS),
  120_000,
);

test("storage answers 503 for 4 s: the same", () => outage(4, "503", SOON_MS), 120_000);
