import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type CommittedLog, type ContinuityFacts, decideContinuity } from "../../src/wal/continuity.ts";
import type { WalHeader } from "../../src/wal/header.ts";
import type { LogPosition } from "../../src/wal/position.ts";

const PAGE_SIZE = 4096;
const FRAME = 24 + PAGE_SIZE;

/** Generation `g` of a log. */
const salts = (g: number) => ({ salt1: 100 + g, salt2: 7000 + g });
const header = (g: number, pageSizeBytes = PAGE_SIZE): WalHeader => ({
  ...{ bigEndianChecksums: false, pageSizeBytes, sequence: g, ...salts(g), checksum1: 1, checksum2: 2 },
});
const cursor = (g: number, frames: number, checksum = frames): LogPosition => ({
  ...{ sequence: g, ...salts(g), offset: 32 + frames * FRAME, checksum1: checksum, checksum2: 9 },
});
const index = (g: number, frames: number, checksum = frames): CommittedLog => ({
  ...{ ...salts(g), frames, checksum1: checksum, checksum2: 9 },
});

/** We have captured 5 frames of generation 1, all is in order, and nothing has happened since. */
const quiet: ContinuityFacts = {
  cursor: cursor(1, 5),
  pageSizeBytes: PAGE_SIZE,
  index: index(1, 5),
  header: header(1),
  pinHeld: true,
  secured: true,
  tail: "unknown",
  sameFile: true,
};
const noLog = {
  cursor: undefined,
  index: { ...index(0, 0), salt1: 0, salt2: 0 },
  header: undefined,
} as const;

type Row = readonly [name: string, facts: Partial<ContinuityFacts>, expected: string];

const rows: readonly Row[] = [
  ["nothing happened", {}, "idle"],
  ["nothing happened, and no pin was held: the salts prove it", { pinHeld: false, secured: false }, "idle"],
  ["commits behind the cursor", { index: index(1, 9) }, "append"],
  [
    "commits behind the cursor, without a pin",
    { index: index(1, 9), pinHeld: false, secured: false },
    "append",
  ],
  ["the index cannot be read at this moment", { index: undefined }, "unsettled"],
  // behind what SQLite counts as committed (a writer died, or its fsync failed, before it told the others)
  ["frames that we captured were given up", { index: index(1, 3) }, "gap log-rewritten"],
  ["frames that we captured were given up and written anew", { index: index(1, 5, 77) }, "gap log-rewritten"],
  ["all of them were given up", { index: index(1, 0) }, "gap log-rewritten"],
  [
    "nothing was captured of the generation, nothing is there",
    { cursor: cursor(1, 0), index: index(1, 0) },
    "idle",
  ],
  // the log began anew
  ["restarted before our eyes", { index: index(2, 1), header: header(2) }, "restarted"],
  [
    "restarted twice before our eyes (TRUNCATE, TRUNCATE)",
    { index: index(3, 1), header: header(3) },
    "restarted",
  ],
  [
    "restarted by a connection that draws its salts at random",
    { index: { ...index(9, 2), salt1: 5 }, header: { ...header(0), ...{ salt1: 5, salt2: 7009 } } },
    "restarted",
  ],
  [
    "restarted while no pin was held",
    { index: index(2, 1), header: header(2), pinHeld: false, secured: false },
    "gap log-restarted-unwatched",
  ],
  [
    "restarted once while no pin was held: what is left in the file proves it",
    { index: index(2, 1), header: header(2), pinHeld: false, tail: "whole" },
    "restarted",
  ],
  [
    "restarted once while no pin was held, over captured frames that are nowhere else",
    { index: index(2, 1), header: header(2), pinHeld: false, secured: false, tail: "whole" },
    "gap log-restarted-before-secured",
  ],
  [
    "restarted twice while no pin was held",
    { index: index(3, 1), header: header(3), pinHeld: false, tail: "whole" },
    "gap log-restarted-unwatched",
  ],
  [
    "restarted at random while no pin was held",
    {
      ...{ index: { ...index(9, 2), salt1: 5 }, header: { ...header(0), ...{ salt1: 5, salt2: 7009 } } },
      ...{ pinHeld: false, tail: "whole" },
    },
    "gap log-restarted-unwatched",
  ],
  [
    "a salt-1 that overflows",
    {
      ...{ cursor: { ...cursor(1, 5), salt1: 0xffffffff }, pinHeld: false, tail: "whole" },
      ...{ index: { ...index(2, 1), salt1: 0 }, header: { ...header(2), salt1: 0 } },
    },
    "restarted",
  ],
  [
    "what is left in the file does not make up for frames that are nowhere else, where a pin was held",
    { index: index(2, 1), header: header(2), secured: false, tail: "whole" },
    "gap log-restarted-before-secured",
  ],
  [
    "restarted over frames that are nowhere else",
    { index: index(2, 1), header: header(2), secured: false },
    "gap log-restarted-before-secured",
  ],
  ["restarted to the same length", { index: index(2, 5), header: header(2) }, "restarted"],
  ["restarted to a greater length", { index: index(2, 50), header: header(2) }, "restarted"],
  ["a restart whose header is written, and nothing committed yet", { header: header(2) }, "idle"],
  ["a restart that SQLite has told, and whose header we read too early", { index: index(2, 1) }, "unsettled"],
  ["committed frames, and no log file", { index: index(1, 9), header: undefined }, "unsettled"],
  ["captured frames, and no log file", { header: undefined }, "unsettled"],
  // the log is empty
  ["truncated before our eyes", { index: index(2, 0), header: undefined }, "idle"],
  ["begun anew, nothing committed yet", { index: index(2, 0) }, "idle"],
  [
    "truncated while no pin was held",
    { index: index(2, 0), header: undefined, pinHeld: false, secured: false },
    "gap log-vanished",
  ],
  [
    "truncated over frames that are nowhere else",
    { index: index(2, 0), header: undefined, secured: false },
    "gap log-vanished",
  ],
  // there was no log
  ["still no log", noLog, "idle"],
  ["still no log, but nobody watched", { ...noLog, pinHeld: false, secured: false }, "gap log-vanished"],
  [
    "still no log, but one may have come and gone under a pin that was moved",
    { ...noLog, secured: false },
    "gap log-vanished",
  ],
  ["the first log", { ...noLog, index: index(0, 1), header: header(0) }, "restarted"],
  [
    "the first log, begun while nobody watched",
    { ...noLog, index: index(0, 1), header: header(0), pinHeld: false, secured: false },
    "gap log-restarted-unwatched",
  ],
  // another file, another page size
  ["another file under the path", { sameFile: false }, "gap file-replaced"],
  [
    "another file under the path, whose log seems to continue",
    { sameFile: false, index: index(1, 9) },
    "gap file-replaced",
  ],
  ["another page size", { index: index(2, 1), header: header(2, 8192) }, "gap page-size-changed"],
  [
    "another page size, in an empty log: not known yet",
    { index: index(2, 0), header: header(2, 8192) },
    "idle",
  ],
];

test.each(rows)("%s", (_name, facts, expected) => {
  const decision = decideContinuity({ ...quiet, ...facts });
  expect(decision.kind === "gap" ? `gap ${decision.reason}` : decision.kind).toBe(expected);
});

test("a restart hands over the header at which capture goes on", () => {
  const decision = decideContinuity({ ...quiet, index: index(2, 1), header: header(2) });
  expect(decision).toEqual({ kind: "restarted", header: header(2) });
});

const anyFacts = fc.record({
  cursor: fc.option(
    fc.tuple(fc.nat(3), fc.nat(6), fc.nat(7)).map(([g, frames, sum]) => cursor(g, frames, sum)),
    { nil: undefined },
  ),
  pageSizeBytes: fc.constant(PAGE_SIZE),
  index: fc.option(
    fc.tuple(fc.nat(3), fc.nat(6), fc.nat(7)).map(([g, frames, sum]) => index(g, frames, sum)),
    { nil: undefined },
  ),
  header: fc.option(
    fc.tuple(fc.nat(3), fc.constantFrom(PAGE_SIZE, 8192)).map(([g, size]) => header(g, size)),
    { nil: undefined },
  ),
  pinHeld: fc.boolean(),
  secured: fc.boolean(),
  tail: fc.constantFrom("whole" as const, "unknown" as const),
  sameFile: fc.boolean(),
});

describe("whatever the facts", () => {
  const decide = (
    property: (facts: ContinuityFacts, decision: ReturnType<typeof decideContinuity>) => boolean,
  ) =>
    fc.assert(
      fc.property(anyFacts, (facts) => property(facts, decideContinuity(facts))),
      { numRuns: 2000 },
    );

  test("capture goes on in another generation only with everything secured, under a pin or with the proof of the file", () => {
    decide(({ pinHeld, secured, tail, cursor: at, header: log }, { kind }) => {
      const isProved = tail === "whole" && at !== undefined && log?.salt1 === at.salt1 + 1;
      return kind !== "restarted" || (secured && (pinHeld || isProved));
    });
  });

  test("capture goes on behind the cursor only in its own generation, and only towards more frames", () => {
    decide(({ cursor: at, index: log }, { kind }) => {
      if (kind !== "append") return true;
      return (
        at?.salt1 === log?.salt1 &&
        at?.salt2 === log?.salt2 &&
        (at?.offset ?? 0) < 32 + (log?.frames ?? 0) * FRAME
      );
    });
  });

  test("nothing goes on in another file or with another page size", () => {
    decide(({ sameFile, header: at }, { kind }) => {
      const goesOn = kind === "append" || kind === "restarted";
      return !goesOn || (sameFile && at?.pageSizeBytes === PAGE_SIZE);
    });
  });

  test("without a pin, frames that are gone are a gap, never idle", () => {
    decide(({ pinHeld, index: log, cursor: at }, { kind }) => {
      if (pinHeld || log === undefined || kind !== "idle") return true;
      const sameLog = at?.salt1 === log.salt1 && at.salt2 === log.salt2;
      return sameLog;
    });
  });
});
