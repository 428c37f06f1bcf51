import { describe, test } from "vitest";
import { BODY_FAULTS, CONNECTION_FAULTS, listFaults, REFUSALS, readFaults } from "./network-faults.ts";
import { beginDuring, liveThrough } from "./network-watch.ts";

const LIMIT_MS = 900_000;
/** Of the program, whose timeouts are what they are. */
const forAll = [...CONNECTION_FAULTS, ...BODY_FAULTS, ...REFUSALS].filter(({ isSlow }) => isSlow !== true);
const about = (operation: string) => (fault: { readonly of?: readonly string[] }) =>
  fault.of?.includes(operation) ?? true;

// What only a person can mend is tried again every 15 s.
test(
  "a daemon lives through every fault of a PUT",
  () => liveThrough(forAll.filter(about("PutObject")), 2),
  LIMIT_MS,
);

test(
  "a daemon lives through a storage that never answers",
  () => liveThrough([{ name: "no answer, ever", fault: { kind: "stall", when: "after" } }]),
  LIMIT_MS,
);

describe("a daemon without memory begins", () => {
  const lists = [...forAll, ...listFaults("app/")].filter(about("ListObjectsV2"));
  test.each(lists)("while a list meets: $name", (fault) => beginDuring(fault, "ListObjectsV2"), LIMIT_MS);

  const reads = [...forAll, ...readFaults(Buffer.alloc(500, 1))].filter(about("GetObject"));
  test.each(reads)("while a GET meets: $name", (fault) => beginDuring(fault, "GetObject"), LIMIT_MS);
});
