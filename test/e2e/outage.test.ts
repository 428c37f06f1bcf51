import { test } from "vitest";
import { outage } from "../helpers/e2e/outage.ts";

test(
  "storage is away for 4 s and refuses connections: uploads resume within 2 s",
  () => outage(4, "refused"),
  60_000,
);

test("storage answers 503 for 4 s: the same", () => outage(4, "503"), 60_000);
