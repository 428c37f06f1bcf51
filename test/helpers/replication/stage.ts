import { readFileSync } from "node:fs";
import { join } from "node:path";
import Database from "better-sqlite3";
import { expect, onTestFinished } from "vitest";
import type { Txid } from "../../../src/ltx/format.ts";
import { copyLayout } from "../../../src/replication/copy-layout.ts";
import { ManifestWriter } from "../../../src/replication/manifest-writer.ts";
import { type OpenReplicaOptions, openReplica } from "../../../src/replication/open-replica.ts";
import { type PublishedFile, Publisher } from "../../../src/replication/publisher.ts";
import type { DutyOutcome, HandoverOutcome, Replica } from "../../../src/replication/replica.ts";
import type { WriterLease } from "../../../src/replication/writer-lease.ts";
import { restore } from "../../../src/restore/restore.ts";
import { verify } from "../../../src/restore/verify.ts";
import { filesIn } from "../../../src/shadow/local-files.ts";
import { PageTable } from "../../../src/shadow/page-table.ts";
import { createShadowFolder, type ShadowFolder, shadowFolder } from "../../../src/shadow/shadow-folder.ts";
import { optimisticHandover } from "../../../src/sqlite/handover.ts";
import { databaseKeys, type LayoutName } from "../../../src/storage/keys.ts";
import { CorePool } from "../../../src/wasm/core-pool.ts";
import { ManualClock } from "../manual-clock.ts";
import { MemoryStorage } from "../memory-storage.ts";
import { testCore } from "../sqlite/probe.ts";
import { type TempDatabaseOptions, tempDatabase, tempFolder } from "../sqlite/temp-database.ts";

const NAME = "app";

/** Where nobody else writes, as the lock has it in tests of one replica. */
export const ONLY_WRITER: WriterLease = {
  id: 7n,
  isFirst: false,
  hold: (work, { signal } = {}) => work(signal ?? new AbortController().signal),
  check: async () => {},
};

/** A database with its application, a storage, and what is needed to open a replica of it, again and again. */
export class Stage {
  readonly app: Database.Database;
  readonly storage: MemoryStorage;
  readonly clock: ManualClock;
  readonly folder: ShadowFolder;
  readonly keys = databaseKeys(NAME);
  /** What the database was at each TXID that was seen at its own commit. */
  readonly images = new Map<Txid, Buffer>();
  readonly layout: LayoutName;
  readonly #cores = new CorePool();
  readonly #lives: Replica[] = [];
  readonly #scanCore = testCore();

  /** @param options `beside`: with the storage and the clock of another one */
  /** Of work under way. */
  scratchFiles(): readonly string[] {
    return filesIn(this.folder.path).filter((path) => path.startsWith(this.folder.scratch));
  }

  constructor({
    beside,
    layout = "walrust",
    ...options
  }: TempDatabaseOptions & { readonly beside?: Stage; readonly layout?: LayoutName } = {}) {
    this.layout = layout;
    this.clock = beside?.clock ?? new ManualClock();
    this.storage = beside?.storage ?? new MemoryStorage({ now: () => this.clock.now() });
    this.app = tempDatabase(options);
    this.folder = shadowFolder(this.path);
    createShadowFolder(this.folder);
    onTestFinished(() => this.endLives());
  }

  get path(): string {
    return this.app.name;
  }

  get deps() {
    return { storage: this.storage, cores: this.#cores };
  }

  /** Closes the descriptors of every replica that was opened: what a death does too, and no more. */
  endLives(): void {
    for (const replica of this.#lives.splice(0)) replica.close();
  }

  /** Closed when the test is over, if not before. Its cores are its own: whoever died keeps them. */
  async open(options: Partial<OpenReplicaOptions> = {}): Promise<Replica> {
    const { path, storage, folder, clock } = this;
    const replica = await openReplica({
      ...{
        layout: this.layout,
        path,
        name: NAME,
        storage,
        folder,
        clock,
        boot: "1",
        writer: ONLY_WRITER,
        manifestIntervalMs: () => 60_000,
      },
      cores: new CorePool(),
      scanCore: this.#scanCore,
      limit: (_sizeBytes, work) => work(),
      ...options,
    });
    this.#lives.push(replica);
    return replica;
  }

  /** Opens, and does what the opening finds missing. */
  async begin(options: Partial<OpenReplicaOptions> = {}): Promise<Replica> {
    const replica = await this.open(options);
    await this.doDuty(replica);
    return replica;
  }

  /** As the daemon does it: first what is pending, then the duty, then the cursor. */
  async doDuty(replica: Replica): Promise<DutyOutcome | undefined> {
    if (replica.duty.kind === "none") return undefined;
    while (await replica.publish());
    const outcome = await replica.doDuty();
    await replica.saveCursor();
    return outcome;
  }

  /** Captures what is there, and remembers what the database is now. */
  async capture(replica: Replica): Promise<void> {
    expect(await replica.capture.capture()).toMatchObject({ kind: "captured" });
    this.images.set(replica.capture.state.txid, this.image());
  }

  async publishAll(replica: Replica): Promise<PublishedFile[]> {
    await this.capture(replica);
    const files: PublishedFile[] = [];
    for (let file = await replica.publish(); file; file = await replica.publish()) files.push(file);
    return files;
  }

  /** Another publisher of the replica's chain, to look inside; the replica then only captures. Its cursor must be saved. */
  publisherOf(replica: Replica): Publisher {
    const { storage, keys, clock, folder } = this;
    const table = PageTable.open(folder.pageTable);
    const { published } = replica;
    if (table === undefined || published === undefined) throw new Error("there is no chain yet");
    onTestFinished(() => table.close());
    const { pageSizeBytes } = table;
    const manifest = new ManifestWriter({
      ...{ storage, keys, clock, name: NAME, pageSizeBytes, intervalMs: () => 60_000 },
      ...{ cores: this.#cores, writer: ONLY_WRITER, unnamed: [], isNew: false },
    });
    const layout = copyLayout(this.layout, NAME, storage);
    const options = { storage, layout, clock, folder, cores: this.#cores, writer: ONLY_WRITER, manifest };
    return new Publisher({ ...options, limit: (_sizeBytes, work) => work() }, table, published);
  }

  /** Without a lock: nobody else writes in these tests. */
  handover(replica: Replica): HandoverOutcome {
    return replica.handover(optimisticHandover);
  }

  /** One commit, captured. */
  async commit(replica: Replica, sql: string): Promise<void> {
    this.app.exec(sql);
    await this.capture(replica);
  }

  /** One commit, published. */
  async commitAndPublish(replica: Replica, sql: string): Promise<PublishedFile> {
    this.app.exec(sql);
    const [file, ...more] = await this.publishAll(replica);
    if (file === undefined || more.length > 0) throw new Error("not one file");
    return file;
  }

  /** What SQLite has now, byte for byte, through a connection without a cache. */
  image(): Buffer {
    const reader = new Database(this.path, { readonly: true });
    try {
      return reader.serialize();
    } finally {
      reader.close();
    }
  }

  /** What storage gives back: the latest state, or that at a TXID. */
  async restored(txid?: Txid): Promise<Buffer> {
    const path = join(tempFolder(), "restored.db");
    const target = txid === undefined ? {} : { target: { kind: "txid", txid } as const };
    await restore(this.deps, NAME, path, target);
    return readFileSync(path);
  }

  /** The files of the chain, as keys without the folder. */
  files(): string[] {
    return this.storage
      .keys()
      .filter((key) => key.endsWith(".ltx"))
      .map((key) => key.slice(this.keys.prefix.length));
  }

  /** The chain holds, and its end is what SQLite has: bit for bit, and sound. */
  async expectWhole(): Promise<void> {
    const report = await verify(this.deps, NAME);
    expect(report.findings).toEqual([]);
    expectSame(await this.restored(), this.image(), "the latest state");
  }

  /** So is every point that was seen, where a file ends. */
  async expectWholeEverywhere(): Promise<void> {
    await this.expectWhole();
    const { restorableTxids } = await verify(this.deps, NAME);
    const seen = restorableTxids.filter((txid) => this.images.has(txid));
    expect(seen.length).toBeGreaterThan(0);
    for (const txid of seen)
      expectSame(await this.restored(txid), this.images.get(txid) ?? Buffer.alloc(0), `TXID ${txid}`);
  }
}

/** vitest compares long buffers slowly. */
export function expectSame(actual: Buffer, expected: Buffer, what: string): void {
  expect(actual.length, `${what}: size`).toBe(expected.length);
  expect(actual.equals(expected), `${what}: the same bytes`).toBe(true);
}
