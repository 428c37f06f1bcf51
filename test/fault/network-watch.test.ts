import { test } from "vitest";
import { BODY_FAULTS, named } from "./network-faults.ts";
import { beginDuring, liveThrough } from "./network-watch.ts";

test("a daemon lives through answers that are none", async () => {
  await liveThrough(
    named(BODY_FAULTS, "the page of a captive portal", "200 and nothing else, after it took effect"),
  );
}, 120_000);

test("a daemon without memory begins behind a captive portal: what is there is not taken for nothing", async () => {
  for (const fault of named(BODY_FAULTS, "a page of no type")) await beginDuring(fault, "ListObjectsV2");
}, 120_000);
