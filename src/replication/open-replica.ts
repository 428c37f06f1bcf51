import type { Clock } from "../clock.ts";
import { WalrustError } from "../errors.ts";
import { PageMarks } from "../ltx/page-marks.ts";
import { type Cursor, readCursor } from "../shadow/cursor.ts";
import { filesIn, removeLocalFile } from "../shadow/local-files.ts";
import { PageTable } from "../shadow/page-table.ts";
import { syncSegments } from "../shadow/segment.ts";
import type { ShadowFolder } from "../shadow/shadow-folder.ts";
import { DatabaseLink } from "../sqlite/link.ts";
import { databaseKeys, type LayoutName } from "../storage/keys.ts";
import type { Storage } from "../storage/storage.ts";
import { decodeWalHeader } from "../wal/header.ts";
import { type LogPosition, startOf, WAL_HEADER_SIZE } from "../wal/position.ts";
import { LogScanner } from "../wal/scanner.ts";
import type { Core } from "../wasm/core.ts";
import type { CorePool } from "../wasm/core-pool.ts";
import { Capture } from "./capture.ts";
import { type CopyLayout, copyLayout } from "./copy-layout.ts";
import { findLitestreamHead } from "./litestream-head.ts";
import { locateHead } from "./locate-head.ts";
import { logBeginsAt } from "./main-file.ts";
import { type ManifestIndex, ManifestWriter, NO_MANIFEST } from "./manifest-writer.ts";
import { Publisher, type PublisherOptions } from "./publisher.ts";
import { type RecoveredFrames, recoverFrames } from "./recover-frames.ts";
import {
  findRemoteHead,
  type KnownCopy,
  type RemoteHead,
  type RemoteView,
  UNKNOWN_CHECKSUM,
  viewOfKnown,
} from "./remote-head.ts";
import { type Duty, type RepairReason, Replica } from "./replica.ts";
import { concludeResume } from "./resume.ts";
import { rollTableForward } from "./roll-forward.ts";
import type { WriterLease } from "./writer-lease.ts";

export interface OpenReplicaOptions {
  readonly path: string;
  readonly name: string;
  readonly layout: LayoutName;
  readonly storage: Storage;
  readonly folder: ShadowFolder;
  readonly clock: Clock;
  /** This run of the machine (bootId()); empty where that is not known. */
  readonly boot: string;
  /** For long work. */
  readonly cores: CorePool;
  /** For scans, which never keep it over an await. */
  readonly scanCore: Core;
  readonly limit: PublisherOptions["limit"];
  readonly writer: WriterLease;
  /** As of now: it may change while the database is open. */
  readonly manifestIntervalMs: () => number;
  /** Only read. */
  readonly observe?: boolean;
  /** Why local frames must not be trusted: a gap was found while watching. */
  readonly gap?: RepairReason;
  /** What this process knows of the copy: storage is asked nothing. */
  readonly known?: KnownCopy;
  /** Waited for between what storage is asked and the database, which takes memory from then on. */
  readonly room?: () => Promise<void>;
  readonly signal?: AbortSignal;
}

/**
 * Opens a database and concludes what may be concluded about its copy (capture.md, "On start"): the same after a first start, a stop, a crash
 * and a gap. The lock and the lease must be held. Errors: DATABASE_*, STORAGE_*, LOCAL_*.
 */
export async function openReplica(options: OpenReplicaOptions): Promise<Replica> {
  removeScratch(options.folder);
  const { path, clock, observe = false, known, room } = options;
  const view = known ? viewOfKnown(known) : await lookAtStorage(options);
  await room?.();
  const link = DatabaseLink.open(path, { clock, observe });
  let table: PageTable | undefined;
  try {
    const opening = new Opening(options, link, view);
    table = view.head && (await opening.tableOf(view.head));
    return await opening.conclude(table);
  } catch (error) {
    table?.close();
    link.close();
    throw error;
  }
}

/** What storage has. Errors: those of storage; CONFIG_INVALID when it is in the other layout. */
function lookAtStorage(options: OpenReplicaOptions): Promise<RemoteView> {
  const { storage, name, layout, writer, signal } = options;
  const asked = signal === undefined ? {} : { signal };
  return copyLayout(layout, name, storage).hasManifest
    ? findRemoteHead(storage, databaseKeys(name), { ...asked, isLikelyNew: writer.isFirst })
    : findLitestreamHead(storage, databaseKeys(name), asked);
}

class Opening {
  readonly #layout: CopyLayout;
  readonly #options: OpenReplicaOptions;
  readonly #link: DatabaseLink;
  readonly #view: RemoteView;
  readonly #scanner: LogScanner;
  readonly #identity: Omit<Cursor, "published">;
  readonly #cursor: Cursor | undefined;
  /** The pages in the files from the cursor to the head; undefined: the page table was not brought there by them. */
  #changed: PageMarks | undefined;
  #manifest: ManifestIndex | undefined;

  constructor(options: OpenReplicaOptions, link: DatabaseLink, view: RemoteView) {
    this.#options = options;
    this.#link = link;
    this.#view = view;
    this.#layout = copyLayout(options.layout, options.name, options.storage);
    this.#scanner = new LogScanner(options.scanCore);
    this.#identity = {
      storageUrl: options.storage.url,
      name: options.name,
      dev: String(link.facts.identity.dev),
      ino: String(link.facts.identity.ino),
      boot: options.boot,
      pageSizeBytes: link.facts.pageSizeBytes,
    };
    const cursor = readCursor(options.folder.cursor);
    const isOfThisCopy = cursor?.storageUrl === options.storage.url && cursor.name === options.name;
    this.#cursor = isOfThisCopy ? cursor : undefined;
  }

  /** The local page table as it is at the remote head, or undefined where it cannot be brought there. */
  async tableOf(head: RemoteHead): Promise<PageTable | undefined> {
    const table = PageTable.open(this.#options.folder.pageTable);
    if (table === undefined) return undefined;
    const isHead = () => table.pages === head.state.commitPages && table.checksum() === head.state.postApply;
    // A death may come between a snapshot that begins a chain and the cursor: then the table alone tells.
    const isSnapshot = head.newestSnapshot?.txid === head.state.txid;
    try {
      if ((isSnapshot && isHead()) || ((await this.#rollForward(table, head)) && isHead())) return table;
    } catch (error) {
      table.close();
      throw error;
    }
    table.close();
    return undefined;
  }

  /** From the cursor to the head. False: there is no way. */
  async #rollForward(table: PageTable, head: RemoteHead): Promise<boolean> {
    const { storage, cores, signal } = this.#options;
    const cursor = this.#cursor;
    if (cursor === undefined || cursor.pageSizeBytes !== head.pageSizeBytes) return false;
    if (cursor.published.txid > head.state.txid) return false;
    const keys = head.incrementalsAfter(cursor.published.txid);
    if (keys === undefined) return false;
    const changed = new PageMarks(head.state.commitPages);
    const isRolled = await rollTableForward({
      ...{ table, changed, preApply: cursor.published.postApply, storage, keys, cores },
      ...(signal && { signal }),
    });
    if (isRolled) this.#changed = changed;
    return isRolled;
  }

  async conclude(table: PageTable | undefined): Promise<Replica> {
    const { head, highestTxid } = this.#view;
    const known = this.#cursor?.published.txid ?? 0n;
    let frames = head && table && (await this.#recover(head, table));
    let capture = this.#captureAt(frames);
    let continues =
      frames !== undefined && this.#options.gap === undefined && (await this.#continues(capture));
    if (!continues && frames !== undefined && this.#options.gap === undefined) {
      const found = await this.#startOfLog(frames, present(table));
      if (found !== undefined) await this.#forget(capture);
      capture = this.#captureAt(found ?? frames); // what the first one took from the log is not proved
      frames = found ?? frames;
      if (found !== undefined) capture.pinned(); // what the log holds cannot be overwritten under this pin
      continues = found !== undefined && (await this.#continues(capture));
    }
    if (!continues) capture = this.#captureAt(frames);
    const conclusion = concludeResume({
      remote: head && {
        txid: head.state.txid,
        pageSizeBytes: head.pageSizeBytes,
        hasSnapshot: head.newestSnapshot !== undefined,
        hasChecksum: head.state.postApply !== UNKNOWN_CHECKSUM,
      },
      highestTxid: known > highestTxid ? known : highestTxid,
      pageSizeBytes: this.#link.facts.pageSizeBytes,
      tableIsHead: table !== undefined,
      framesContinue: continues,
    });
    if (conclusion.kind !== "continue" && this.#link.pinned) {
      capture.unpinned();
      this.#link.unpin();
    }
    switch (conclusion.kind) {
      case "continue":
        return this.#replica(capture, { kind: "none" }, this.#publisher(head, table, frames), head);
      case "repair": {
        const reason = this.#options.gap ?? "log-restarted-unwatched";
        return this.#replica(capture, { kind: "repair", reason }, this.#publisher(head, table, frames), head);
      }
      case "compare":
        table?.close();
        return this.#replica(capture, { ...conclusion, head: present(head) }, undefined, head);
      case "snapshot":
        table?.close();
        return this.#replica(capture, { ...conclusion, head }, undefined, head);
      default:
        return conclusion satisfies never;
    }
  }

  /** The cursor, if it speaks of the file that is open here. */
  get #cursorOfThisFile(): Cursor | undefined {
    const { dev, ino, pageSizeBytes } = this.#identity;
    const cursor = this.#cursor;
    const isOfThisFile = cursor?.dev === dev && cursor.ino === ino && cursor.pageSizeBytes === pageSizeBytes;
    return isOfThisFile ? cursor : undefined;
  }

  /** The machine was not started since the cursor was written, so that what SQLite committed then was not lost with its power. */
  get #isOfThisRun(): boolean {
    const { boot, known } = this.#options;
    return known !== undefined || (boot !== "" && this.#cursor?.boot === boot);
  }

  /** Frames of the same file that storage does not have yet. */
  #recover(head: RemoteHead, table: PageTable): Promise<RecoveredFrames> | undefined {
    const { clock, folder } = this.#options;
    const cursor = this.#cursorOfThisFile;
    if (cursor === undefined) return undefined;
    return recoverFrames({
      segmentFolder: folder.segments,
      isSynced: this.#options.known !== undefined,
      scanner: this.#scanner,
      head,
      cursorLog: cursor.published.txid === head.state.txid ? cursor.published.log : undefined,
      txidUnit: this.#layout.txidUnit,
      locateHead: () => this.#locateHead(head, table, cursor.published.log),
      nowMs: { wall: clock.now(), monotonic: clock.monotonicMs() },
    });
  }

  /** Where SQLite may have lost commits with the machine's power, only a cursor tells. */
  async #locateHead(
    head: RemoteHead,
    table: PageTable,
    cursorLog: LogPosition | undefined,
  ): Promise<LogPosition | undefined> {
    const { cores, limit, signal } = this.#options;
    const [changed, scanner, link] = [this.#changed, this.#scanner, this.#link];
    if (!this.#isOfThisRun || changed === undefined) return undefined;
    return limit(head.logEnd?.offset ?? 0, async () => {
      const { core, release } = await cores.acquire(signal === undefined ? {} : { signal });
      return locateHead({ core, scanner, link, head, table, cursorLog, changed }).finally(release);
    });
  }

  #captureAt(frames: RecoveredFrames | undefined): Capture {
    const { clock, folder } = this.#options;
    const { pageSizeBytes } = this.#link.facts;
    const { txidUnit } = this.#layout;
    const capture = new Capture(
      {
        ...{ log: this.#link, scanner: this.#scanner, clock, pageSizeBytes, txidUnit },
        segmentFolder: folder.segments,
        isOfThisRun: this.#isOfThisRun,
      },
      frames?.state ?? { txid: 0n, commitPages: 0, log: undefined },
    );
    capture.adopt(frames?.runs ?? []);
    return capture;
  }

  /** Pins the log and proves, frame by frame, that it goes on where the recovered frames end. Where the pin keeps the log as it is, nothing is copied. */
  async #continues(capture: Capture): Promise<boolean> {
    if (capture.look().kind === "gap") return false;
    await this.#pin();
    const { keepsLog } = this.#link;
    if ((await (keepsLog ? capture.capture() : capture.drainInSlices())).kind === "gap") return false;
    if (!keepsLog && capture.drain().kind === "gap") return false;
    capture.pinned();
    if (keepsLog) capture.pinnedAhead();
    return true;
  }

  /**
   * The log was begun anew, perhaps more than once, while nobody watched. Where the main file is still the head, the present log begins at the head.
   */
  async #startOfLog(frames: RecoveredFrames, table: PageTable): Promise<RecoveredFrames | undefined> {
    const { cores, limit, signal } = this.#options;
    if (frames.runs.length > 0) return undefined;
    await this.#pin();
    const bytes = new Uint8Array(WAL_HEADER_SIZE);
    const header = this.#link.readWal(bytes, 0) === WAL_HEADER_SIZE ? decodeWalHeader(bytes) : undefined;
    const options = signal === undefined ? {} : { signal };
    const beginsHere = await limit(table.pages * this.#link.facts.pageSizeBytes, async () => {
      const { core, release } = await cores.acquire(options);
      return logBeginsAt({ core, link: this.#link, table, header, ...options }).finally(release);
    });
    return beginsHere ? { ...frames, state: { ...frames.state, log: header && startOf(header) } } : undefined;
  }

  /** Its TXIDs are given to other commits: a segment that holds some must not come back with the power. */
  async #forget({ pending }: Capture): Promise<void> {
    const hasSegments = pending.segmentBytes > 0;
    pending.drop();
    if (hasSegments) await syncSegments(this.#options.folder.segments);
  }

  async #pin(): Promise<void> {
    const { clock, signal } = this.#options;
    if (this.#link.pinned) return;
    for (let tries = 0; !this.#link.pin(); tries += 1) {
      if (tries === PIN_TRIES) {
        throw new WalrustError(
          "DATABASE_LOCKED",
          `${this.#options.path}: SQLite stayed busy, no read transaction could begin`,
        );
      }
      await clock.sleep(PIN_PAUSE_MS, signal === undefined ? {} : { signal });
    }
  }

  #publisher(
    head: RemoteHead | undefined,
    table: PageTable | undefined,
    frames: RecoveredFrames | undefined,
  ): Publisher {
    const [firstRun] = frames?.runs ?? [];
    const log = firstRun?.from ?? frames?.state.log;
    return new Publisher(this.#publisherOptions(), present(table), { ...present(head).state, log });
  }

  #replica(
    capture: Capture,
    duty: Duty,
    publisher: Publisher | undefined,
    head: RemoteHead | undefined,
  ): Replica {
    const newestSnapshot = head?.newestSnapshot;
    const options = {
      ...this.#publisherOptions(),
      link: this.#link,
      capture,
      identity: this.#identity,
      saved: this.#isOfThisRun ? this.#cursorOfThisFile?.published : undefined,
      newestSnapshot,
    };
    return new Replica(options, duty, publisher);
  }

  #publisherOptions(): PublisherOptions {
    const { storage, cores, limit, folder, clock, writer } = this.#options;
    const layout = this.#layout;
    this.#manifest ??= this.#manifestIndex();
    return { storage, layout, cores, limit, folder, clock, writer, manifest: this.#manifest };
  }

  #manifestIndex(): ManifestIndex {
    if (!this.#layout.hasManifest) return NO_MANIFEST;
    const { storage, cores, clock, writer, name, manifestIntervalMs, known } = this.#options;
    const { head, highestTxid, unnamed } = this.#view;
    const { pageSizeBytes } = this.#link.facts;
    return new ManifestWriter({
      storage,
      keys: databaseKeys(name),
      clock,
      name,
      pageSizeBytes,
      intervalMs: manifestIntervalMs,
      ...(known && { lastWrittenMs: known.manifestWrittenMs }),
      cores,
      writer,
      unnamed,
      isNew: head === undefined && highestTxid === 0n,
    });
  }
}

const PIN_TRIES = 200;
const PIN_PAUSE_MS = 5;

function present<T>(value: T | undefined): T {
  if (value === undefined) throw new Error("the conclusion rests on it");
  return value;
}

/** What a crash left of work under way. */
function removeScratch({ path: folder, scratch }: ShadowFolder): void {
  for (const path of filesIn(folder)) if (path.startsWith(scratch)) removeLocalFile(path);
}
