import { closeSync, fsyncSync, openSync, readSync } from "node:fs";
import type { PageRun } from "../ltx/page-marks.ts";
import type { RestoreResult } from "../restore/restore.ts";
import { writeFully } from "../shadow/durable-file.ts";
import { localError, onLocalFile } from "../shadow/local-error.ts";
import { removeLocalFile } from "../shadow/local-files.ts";
import type { Core } from "../wasm/core.ts";
import { sumOfPage } from "./database-sum.ts";
import { disguise, type PageOne, sourceFieldsOf } from "./page-one.ts";
import { type PageSet, runsOf } from "./page-set.ts";
import type { Applied } from "./replica-state.ts";

/** A database that was restored, whole and proved, and is to become the replica: by its pages, or the file itself. */
export class RestoredDatabase implements PageSet {
  readonly path: string;
  readonly result: RestoreResult;
  readonly pageSizeBytes: number;
  readonly commitPages: number;
  readonly #fd: number;

  /** Errors: LOCAL_IO. */
  constructor(result: RestoreResult) {
    this.path = result.path;
    this.result = result;
    this.pageSizeBytes = result.pageSizeBytes;
    this.commitPages = result.sizeBytes / result.pageSizeBytes;
    try {
      this.#fd = openSync(result.path, "r+");
    } catch (error) {
      throw localError(error, "open", result.path);
    }
  }

  /** The state that it is. @param counter the change counter that its page 1 is to get */
  applied(counter: number, core: Core): Applied {
    const { result, pageSizeBytes, commitPages } = this;
    return {
      txid: result.point.txid,
      postApply: result.databaseChecksum,
      pageSizeBytes,
      commitPages,
      timestampMs: result.point.timestampMs ?? 0,
      pageOne: this.#pageOne(counter, core),
    };
  }

  /** The source's. */
  readPageOne(): Uint8Array {
    const page = new Uint8Array(this.pageSizeBytes);
    this.read(1, page);
    return page;
  }

  runs(): Iterable<PageRun> {
    return runsOf(1, this.commitPages, { pageSizeBytes: this.pageSizeBytes });
  }

  read(pgno: number, into: Uint8Array): void {
    onLocalFile("read", this.path, () => {
      const got = readSync(this.#fd, into, 0, into.length, (pgno - 1) * this.pageSizeBytes);
      if (got !== into.length) throw new Error("it is shorter than it was");
    });
  }

  /** Makes the file itself a replica. Errors: LOCAL_IO, LOCAL_DISK_FULL. */
  disguise({ pageOne }: Applied): void {
    if (pageOne === undefined) return;
    const page = this.readPageOne();
    disguise(page, pageOne);
    try {
      writeFully(this.#fd, page, 0);
      fsyncSync(this.#fd);
    } catch (error) {
      throw localError(error, "write", this.path);
    }
  }

  /** Leaves nothing behind, unless the file became the replica. */
  discard(): void {
    closeSync(this.#fd);
    removeLocalFile(this.path);
  }

  #pageOne(counter: number, core: Core): PageOne | undefined {
    if (this.commitPages === 0) return undefined;
    const page = this.readPageOne();
    return { sourceFields: sourceFieldsOf(page), counter, checksum: sumOfPage(core, 1, page) };
  }
}
