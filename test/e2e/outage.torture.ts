import { test } from "vitest";
import { outage } from "../helpers/e2e/outage.ts";

test("storage is away for 15 s and refuses connections: uploads resume within 2 s", () =>
  outage(15, "refused", 2000));

test("storage answers 503 for 15 s: the same", () => outage(15, "503", 2000));
