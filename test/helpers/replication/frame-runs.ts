import type { FrameRun } from "../../../src/replication/pending-frames.ts";
import type { WalIndex } from "../../../src/sqlite/wal-index.ts";
import { decodeWalHeader } from "../../../src/wal/header.ts";
import { framesBefore, startOf } from "../../../src/wal/position.ts";
import type { ReadAt } from "../../../src/wal/read-at.ts";
import { LogScanner } from "../../../src/wal/scanner.ts";
import { testCore } from "../sqlite/probe.ts";
import { readAtOf } from "../wal/golden.ts";
import { LogBuilder } from "../wal/log-builder.ts";

export const PAGE_SIZE = 512;

const core = testCore();

/** A log that grows commit by commit, and the runs that capture would make of it. */
export class GrowingLog {
  readonly #builder: LogBuilder;
  /** The file as it is now. */
  bytes: Uint8Array;
  readonly read: ReadAt = (into, offset) => readAtOf(this.bytes)(into, offset);

  constructor(options: { readonly sequence?: number; readonly salt1?: number } = {}) {
    this.#builder = new LogBuilder({ pageSizeBytes: PAGE_SIZE, ...options });
    this.bytes = this.#builder.build();
  }

  /** What SQLite would count as committed. */
  index(): WalIndex {
    const header = decodeWalHeader(this.bytes);
    if (header === undefined) throw new Error("no log");
    const { position } = new LogScanner(core).scan(this.read, header, startOf(header));
    const { salt1, salt2, checksum1, checksum2 } = position;
    const frames = framesBefore(position, PAGE_SIZE);
    return {
      ...{ changeCounter: frames, frames, backfilledFrames: 0 },
      ...{ commitPages: 9, salt1, salt2, checksum1, checksum2 },
    };
  }

  /** Adds one transaction for each list of pages, and gives the run that holds all of them. */
  run(txidBefore: bigint, commits: readonly (readonly number[])[], commitPages = 9): FrameRun {
    const header = decodeWalHeader(this.bytes);
    if (header === undefined) throw new Error("no log");
    const scanner = new LogScanner(core);
    const from = scanner.scan(this.read, header, startOf(header)).position;
    for (const pgnos of commits) this.#builder.commit(pgnos, commitPages);
    this.bytes = this.#builder.build();
    const to = scanner.scan(this.read, header, from).position;
    return {
      ...{ header, logHeader: this.bytes.slice(0, 32), from, to, txidBefore, commitPages },
      ...{
        commits: BigInt(commits.length),
        capturedAtMs: 1000 + Number(txidBefore),
        waitingSinceMs: Number(txidBefore),
      },
      source: { kind: "log", read: this.read },
    };
  }
}
