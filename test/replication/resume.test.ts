import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { concludeResume, type ResumeFacts } from "../../src/replication/resume.ts";

/** Stopped in order: storage and the local state agree on TXID 7, and the log goes on from there. */
const inOrder: ResumeFacts = {
  remote: { txid: 7n, pageSizeBytes: 4096, hasSnapshot: true, hasChecksum: true },
  highestTxid: 7n,
  pageSizeBytes: 4096,
  tableIsHead: true,
  framesContinue: true,
};

type Row = readonly [name: string, facts: Partial<ResumeFacts>, expected: object];

const rows: readonly Row[] = [
  ["local state, head and log agree", {}, { kind: "continue" }],
  ["the log does not go on", { framesContinue: false }, { kind: "repair" }],
  ["no local state", { tableIsHead: false, framesContinue: false }, { kind: "compare", txid: 8n }],
  [
    "a page table of another state, though the log seems to go on",
    { tableIsHead: false },
    { kind: "compare", txid: 8n },
  ],
  [
    "storage is empty, so are we",
    { remote: undefined, highestTxid: 0n, tableIsHead: false, framesContinue: false },
    { kind: "snapshot", txid: 1n, reason: "nothing-stored" },
  ],
  [
    "storage was emptied: TXIDs go on",
    { remote: undefined, tableIsHead: false },
    { kind: "snapshot", txid: 8n, reason: "nothing-stored" },
  ],
  [
    "increments without a base",
    { remote: { txid: 7n, pageSizeBytes: 4096, hasSnapshot: false, hasChecksum: true } },
    { kind: "snapshot", txid: 8n, reason: "no-snapshot-stored" },
  ],
  [
    "the manifest names more than is there",
    { highestTxid: 12n },
    { kind: "snapshot", txid: 13n, reason: "objects-missing" },
  ],
  [
    "the local cursor knows more than is there",
    { highestTxid: 9n, tableIsHead: false, framesContinue: false },
    { kind: "snapshot", txid: 10n, reason: "objects-missing" },
  ],
  [
    "VACUUM with another page size while we were down",
    { pageSizeBytes: 8192 },
    { kind: "snapshot", txid: 8n, reason: "page-size-changed" },
  ],
  [
    "a head that Litestream wrote, and of which nothing can be proved",
    {
      remote: { txid: 7n, pageSizeBytes: 4096, hasSnapshot: true, hasChecksum: false },
      tableIsHead: false,
      framesContinue: false,
    },
    { kind: "snapshot", txid: 8n, reason: "no-checksum-stored" },
  ],
  [
    "TXIDs beyond 2^53",
    {
      remote: { txid: 2n ** 53n + 1n, pageSizeBytes: 4096, hasSnapshot: true, hasChecksum: true },
      highestTxid: 2n ** 53n + 1n,
      tableIsHead: false,
    },
    { kind: "compare", txid: 2n ** 53n + 2n },
  ],
];

test.each(rows)("%s", (_name, facts, expected) => {
  expect(concludeResume({ ...inOrder, ...facts })).toEqual(expected);
});

const anyFacts = fc.record({
  remote: fc.option(
    fc.record({
      txid: fc.bigInt(1n, 20n),
      pageSizeBytes: fc.constantFrom(4096, 8192),
      hasSnapshot: fc.boolean(),
      hasChecksum: fc.boolean(),
    }),
    { nil: undefined },
  ),
  highestTxid: fc.bigInt(0n, 20n),
  pageSizeBytes: fc.constantFrom(4096, 8192),
  tableIsHead: fc.boolean(),
  framesContinue: fc.boolean(),
});

describe("whatever the facts", () => {
  const conclude = (
    property: (facts: ResumeFacts, conclusion: ReturnType<typeof concludeResume>) => boolean,
  ) =>
    fc.assert(
      fc.property(anyFacts, (drawn) => {
        // the highest TXID is that of some witness, and the head is one
        const head = drawn.remote?.txid ?? 0n;
        const facts = { ...drawn, highestTxid: drawn.highestTxid > head ? drawn.highestTxid : head };
        return property(facts, concludeResume(facts));
      }),
      { numRuns: 2000 },
    );

  test("increments go on only upon a head that the page table is", () => {
    conclude(({ tableIsHead, remote }, { kind }) => {
      if (kind !== "continue" && kind !== "repair") return true;
      return tableIsHead && remote?.hasSnapshot === true && remote.hasChecksum;
    });
  });

  test("nothing goes on without a scan unless the log continues", () => {
    conclude(({ framesContinue }, { kind }) => kind !== "continue" || framesContinue);
  });

  test("a TXID that was ever given out is not given out again", () => {
    conclude(({ highestTxid }, conclusion) => !("txid" in conclusion) || conclusion.txid > highestTxid);
  });

  test("a chain is never continued over objects that are missing", () => {
    conclude(
      ({ highestTxid, remote }, { kind }) =>
        remote === undefined || highestTxid === remote.txid || kind === "snapshot",
    );
  });
});
