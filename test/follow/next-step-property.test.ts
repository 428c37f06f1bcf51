import fc from "fast-check";
import { expect, test } from "vitest";
import { isWalrustError } from "../../src/errors.ts";
import { headOf, nextStep } from "../../src/follow/next-step.ts";
import { listedFile } from "../../src/follow/source-files.ts";
import { planRestore } from "../../src/restore/plan.ts";
import { isSnapshotFile, type RestoreFile } from "../../src/restore/restore-file.ts";
import { runs } from "../helpers/property-runs.ts";

/** What becomes of a source between two looks of its replica. */
type Step =
  | { readonly do: "commit"; readonly commits: number; readonly kiB: number }
  | { readonly do: "merge"; readonly from: number; readonly count: number; readonly isPruned: boolean }
  | { readonly do: "prune" | "lose"; readonly at: number }
  | { readonly do: "snapshot" }
  | { readonly do: "new chain" }
  | { readonly do: "look" };

const anyStep: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant("commit" as const),
      commits: fc.integer({ min: 1, max: 3 }),
      kiB: fc.nat(300),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant("merge" as const),
      from: fc.nat(9),
      count: fc.integer({ min: 2, max: 4 }),
      isPruned: fc.boolean(),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constantFrom("prune" as const, "lose" as const), at: fc.nat(9) }),
  },
  {
    weight: 5,
    arbitrary: fc
      .constantFrom("snapshot" as const, "new chain" as const, "look" as const, "look" as const)
      .map((what) => ({ do: what })),
  },
);

function fileOf(min: bigint, max: bigint, kiB = 1): RestoreFile {
  return listedFile({ key: `${min}-${max}`, minTxid: min, maxTxid: max, sizeBytes: kiB * 1024 });
}

class Source {
  files: RestoreFile[] = [fileOf(1n, 1n, 500)];
  head = 1n;

  take(step: Exclude<Step, { do: "look" }>): void {
    const steps = () =>
      this.files.filter((file) => !isSnapshotFile(file)).sort((a, b) => Number(a.minTxid - b.minTxid));
    switch (step.do) {
      case "commit":
        this.files.push(fileOf(this.head + 1n, this.head + BigInt(step.commits), step.kiB));
        this.head += BigInt(step.commits);
        break;
      case "snapshot":
        this.#put(fileOf(1n, this.head, 500));
        break;
      case "new chain":
        this.head += 1n;
        this.#put(fileOf(1n, this.head, 500));
        break;
      case "merge": {
        const sources = steps().slice(step.from, step.from + step.count);
        const follows = sources.every(
          ({ minTxid }, i) => i === 0 || minTxid === (sources[i - 1]?.maxTxid ?? 0n) + 1n,
        );
        const [first, last] = [sources[0], sources.at(-1)];
        if (!follows || first === undefined || last === undefined || first === last) break;
        this.#put(fileOf(first.minTxid, last.maxTxid));
        if (step.isPruned) this.files = this.files.filter((file) => !sources.includes(file));
        break;
      }
      case "prune": {
        // the oldest, as far as a snapshot makes them dispensable
        const newest = this.files.findLast(isSnapshotFile)?.maxTxid ?? 0n;
        this.files = this.files.filter(
          ({ minTxid, maxTxid }) => maxTxid >= newest || (minTxid > 1n && step.at > 4),
        );
        break;
      }
      case "lose":
        this.files.splice(step.at % Math.max(1, this.files.length), 1);
        break;
      default:
        step satisfies never;
    }
  }

  #put(file: RestoreFile): void {
    this.files = [...this.files.filter(({ key }) => key !== file.key), file];
  }
}

/** Every way from a TXID to the head, by incrementals that follow one another exactly. */
function ways(files: readonly RestoreFile[], from: bigint, head: bigint): RestoreFile[][] {
  if (from === head) return [[]];
  return files
    .filter((file) => !isSnapshotFile(file) && file.minTxid === from + 1n)
    .flatMap((file) => ways(files, file.maxTxid, head).map((rest) => [file, ...rest]));
}

const costOf = (chain: readonly RestoreFile[]) =>
  chain.reduce((sum, { sizeBytes }) => sum + sizeBytes + 65_536, 0);

/** One look: where the replica is then; undefined: it was told why it cannot go on. */
function look(txid: bigint, files: readonly RestoreFile[]): bigint | undefined {
  const head = headOf(files);
  if (head < txid) return undefined; // "the source is behind" (follower.ts)
  const step = nextStep(txid, files);
  const all = ways(files, txid, head);
  if (step.kind === "none") {
    expect(head <= txid, "there is something new").toBe(true);
    return txid;
  }
  if (step.kind === "apply") {
    let at = txid;
    for (const { minTxid, maxTxid } of step.files) {
      expect(minTxid, "it follows exactly").toBe(at + 1n);
      at = maxTxid;
    }
    expect(at).toBe(head);
    expect(costOf(step.files), "the cheapest way").toBe(Math.min(...all.map(costOf)));
    return at;
  }
  expect(all, "no jump where incrementals lead on").toEqual([]);
  try {
    const { point } = planRestore(
      { name: "app", present: files, missing: [], headTxid: head },
      { kind: "latest" },
    );
    expect(point.txid).toBe(head);
    return point.txid;
  } catch (error) {
    expect(
      isWalrustError(error, "RESTORE_NOTHING", "INTEGRITY_MISSING", "INTEGRITY_CHAIN"),
      String(error),
    ).toBe(true);
    return undefined;
  }
}

test("from wherever a replica is, whatever became of the source: it gets to the head or says why, and never back", () => {
  fc.assert(
    fc.property(fc.array(anyStep, { maxLength: 40, size: "max" }), (steps) => {
      const source = new Source();
      let replica = 1n;
      for (const step of [...steps, { do: "look" } as const]) {
        if (step.do !== "look") {
          source.take(step);
          continue;
        }
        const reached = look(replica, source.files);
        if (reached === undefined) continue;
        expect(reached >= replica, "it went back").toBe(true);
        expect(reached).toBe(headOf(source.files));
        replica = reached;
        expect(nextStep(replica, source.files), "a second look finds nothing").toEqual({ kind: "none" });
      }
    }),
    runs(600),
  );
});

test("from any TXID, whatever is listed", () => {
  const anyFile = fc
    .record({ min: fc.integer({ min: 1, max: 9 }), length: fc.nat(4), kiB: fc.nat(300) })
    .map(({ min, length, kiB }) => fileOf(BigInt(min), BigInt(min + length), kiB));
  const anyFiles = fc.uniqueArray(anyFile, { selector: ({ key }) => key, maxLength: 14, size: "max" });
  fc.assert(
    fc.property(anyFiles, fc.bigInt(1n, 13n), (files, txid) => {
      const reached = look(txid, files);
      if (reached !== undefined) expect(reached >= txid).toBe(true);
    }),
    runs(600),
  );
});
