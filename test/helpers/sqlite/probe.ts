import { onTestFinished } from "vitest";
import { systemClock } from "../../../src/clock.ts";
import { type ExactPin, exactPin } from "../../../src/sqlite/exact-pin.ts";
import { giveWay } from "../../../src/sqlite/handover.ts";
import { DatabaseLink, type LinkOptions } from "../../../src/sqlite/link.ts";
import { PinnedPages } from "../../../src/sqlite/pinned-pages.ts";
import { committedSize, standing, type WalIndex } from "../../../src/sqlite/wal-index.ts";
import { decodeWalHeader, type WalHeader } from "../../../src/wal/header.ts";
import {
  type LogPosition,
  startOf,
  WAL_FRAME_HEADER_SIZE,
  WAL_HEADER_SIZE,
} from "../../../src/wal/position.ts";
import { LogScanner } from "../../../src/wal/scanner.ts";
import type { Core } from "../../../src/wasm/core.ts";
import { CorePool } from "../../../src/wasm/core-pool.ts";

/** A link that is closed when the test is over. */
export function openLink(path: string, options: Partial<LinkOptions> = {}): DatabaseLink {
  const link = DatabaseLink.open(path, { clock: systemClock, ...options });
  onTestFinished(() => link.close());
  return link;
}

export function testCore(): Core {
  const lease = new CorePool({ maxCores: 1 }).tryAcquire();
  if (lease === undefined) throw new Error("a new pool has a core");
  return lease.core;
}

/**
 * A little capture, to try the SQLite layer with: keeps the newest version of each page in memory. It follows the log only as far as SQLite's
 * own wal-index says, and fails the test on everything that is not proved.
 */
export class Probe {
  readonly link: DatabaseLink;
  readonly core: Core;
  restarts = 0;
  commits = 0;
  #pages = new Map<number, Buffer>();
  #commitPages = 0;
  #position: LogPosition | undefined;

  constructor(link: DatabaseLink, core: Core = testCore()) {
    this.link = link;
    this.core = core;
  }

  /** The whole database from an exact pin; capture goes on behind it. */
  static begin(link: DatabaseLink): Probe {
    const probe = new Probe(link);
    probe.#position = positionOf(link);
    const { pages, commitPages, position } = probe.snapshot();
    probe.#pages = pages;
    probe.#commitPages = commitPages;
    probe.#position = position;
    return probe;
  }

  get position(): LogPosition | undefined {
    return this.#position;
  }

  /** A Drain: captures up to what is committed. */
  readonly drain = (): LogPosition | undefined => {
    const { link } = this;
    const index = settledIndex(link);
    if (standing(this.#position, index, link.facts.pageSizeBytes) === "equal") return this.#position;
    const header = logHeader(link);
    // Restarted between the two looks: so a look again. Commits in the old generation there were none left, since it could be restarted.
    if (header?.salt1 !== index.salt1 || header.salt2 !== index.salt2) return this.drain();
    if (this.#position?.salt1 !== index.salt1 || this.#position.salt2 !== index.salt2) {
      this.restarts += 1;
      this.#position = startOf(header);
    }
    const from = this.#position;
    const maxBytes = committedSize(index, link.facts.pageSizeBytes) - from.offset;
    const result = new LogScanner(this.core).scan(link.readWal, header, from, { maxBytes });
    if (standing(result.position, index, link.facts.pageSizeBytes) !== "equal") {
      // A probe without a past reads frames from before its pin: those may be overwritten, once, under its eyes.
      if (this.commits === 0 && settledIndex(link).salt2 !== index.salt2) return this.drain();
      throw new Error("a gap in the log");
    }
    this.#copyFrames(from.offset, result.position.offset);
    this.#commitPages = result.commitPages;
    this.commits += result.commits;
    this.#position = result.position;
    return result.position;
  };

  /** The database as captured. */
  contents(): Buffer {
    return assemble(this.#pages, this.#commitPages, this.link.facts.pageSizeBytes);
  }

  /** The database as SQLite has it now, read through an exact pin. */
  live(): Buffer {
    const { pages, commitPages } = this.snapshot();
    return assemble(pages, commitPages, this.link.facts.pageSizeBytes);
  }

  snapshot(): { pages: Map<number, Buffer>; commitPages: number; position: LogPosition | undefined } {
    const pin = this.#pinExactly();
    try {
      const { commitPages, position } = pin;
      const pages = new Map<number, Buffer>();
      for (const [pgno, page] of readPages(this, commitPages, position)) pages.set(pgno, Buffer.from(page));
      return { pages, commitPages, position };
    } finally {
      pin.end();
    }
  }

  #pinExactly(): ExactPin {
    const waitUntil = performance.now() + 30_000;
    for (;;) {
      const result = exactPin(this.link, this.drain, { tries: 20, barrierTries: 100 });
      if (result.kind === "pinned") return result.pin;
      if (result.kind === "gap" || performance.now() > waitUntil)
        throw new Error(`no exact pin: ${JSON.stringify(result)}`);
      if (this.link.pinned) giveWay(this.link, this.drain); // a checkpointer that waits for our pin holds the write lock
    }
  }

  #copyFrames(from: number, to: number): void {
    const frameSize = WAL_FRAME_HEADER_SIZE + this.link.facts.pageSizeBytes;
    for (let offset = from; offset < to; offset += frameSize) {
      const frame = Buffer.alloc(frameSize);
      this.link.readWal(frame, offset);
      this.#pages.set(frame.readUInt32BE(0), frame.subarray(WAL_FRAME_HEADER_SIZE));
    }
  }
}

export function* readPages(
  probe: Pick<Probe, "link" | "core">,
  commitPages: number,
  position: LogPosition | undefined,
  batch = 7,
): Generator<readonly [pgno: number, page: Uint8Array]> {
  const { readMain, readWal, facts } = probe.link;
  const { pageSizeBytes } = facts;
  const pages = new PinnedPages({
    core: probe.core,
    readMain,
    readWal,
    pageSizeBytes,
    commitPages,
    position,
  });
  const into = new Uint8Array(batch * pageSizeBytes);
  for (let pgno = 1; pgno <= commitPages; ) {
    if (pgno >= pages.windowEnd) {
      pages.openWindow(pgno);
      while (!pages.step());
    }
    const count = Math.min(batch, pages.windowEnd - pgno);
    pages.read(pgno, count, into);
    for (let i = 0; i < count; i++)
      yield [pgno + i, into.subarray(i * pageSizeBytes, (i + 1) * pageSizeBytes)];
    pgno += count;
  }
}

export function logHeader(link: DatabaseLink): WalHeader | undefined {
  const bytes = new Uint8Array(WAL_HEADER_SIZE);
  return link.readWal(bytes, 0) < WAL_HEADER_SIZE ? undefined : decodeWalHeader(bytes);
}

export function settledIndex(link: DatabaseLink): WalIndex {
  for (let tries = 0; tries < 10_000; tries++) {
    const index = link.index();
    if (index) return index;
  }
  throw new Error("the wal-index does not settle");
}

function positionOf(link: DatabaseLink): LogPosition | undefined {
  const header = logHeader(link);
  return header && startOf(header);
}

function assemble(pages: ReadonlyMap<number, Buffer>, commitPages: number, pageSizeBytes: number): Buffer {
  const whole: Buffer[] = [];
  for (let pgno = 1; pgno <= commitPages; pgno++) {
    const page = pages.get(pgno);
    if (page === undefined) throw new Error(`page ${pgno} was never captured`);
    whole.push(page.subarray(0, pageSizeBytes));
  }
  return Buffer.concat(whole);
}
