import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "vitest";
import type { RetentionPolicy } from "../../../src/config/settings.ts";
import { restore } from "../../../src/restore/restore.ts";
import { verify } from "../../../src/restore/verify.ts";
import { type CompactOptions, type CompactReport, compact } from "../../../src/retention/compact.ts";
import { type ManifestFile, parseManifest } from "../../../src/storage/manifest.ts";
import type { Storage } from "../../../src/storage/storage.ts";
import { CorePool } from "../../../src/wasm/core-pool.ts";
import { ManualClock } from "../manual-clock.ts";
import { MemoryStorage } from "../memory-storage.ts";
import { expectSame } from "../replication/stage.ts";
import { History, type PublishOptions } from "../restore/history.ts";
import { ImageMaker } from "../restore/images.ts";
import { tempFolder } from "../sqlite/temp-database.ts";

const cores = new CorePool();

/** A copy in memory that grows as a daemon's would, on a clock of its own. */
export class Backup {
  readonly storage = new MemoryStorage({ now: () => this.clock.now() });
  readonly clock: ManualClock;
  readonly history = new History(this.storage);
  readonly #images = new ImageMaker(512);

  constructor(startMs?: number) {
    this.clock = new ManualClock(startMs);
  }

  /** Publishes the next commit, `afterMs` after the one before. */
  async commit(afterMs: number, options: PublishOptions & { readonly pages?: number } = {}): Promise<void> {
    this.clock.pass(afterMs);
    const { pages = 8, ...others } = options;
    const image = this.#images.next(pages, this.history.head === 0n ? undefined : this.history.image());
    const publish = { timestampMs: this.clock.now(), ...others };
    if (this.history.head === 0n) await this.history.snapshot(image, publish);
    else await this.history.publish(image, publish);
  }

  async commits(count: number, everyMs: number): Promise<void> {
    for (let i = 0; i < count; i += 1) await this.commit(everyMs);
  }

  async snapshot(): Promise<void> {
    await this.history.snapshot(undefined, { timestampMs: this.clock.now() });
  }

  /** Names what was published until now, or only these. */
  manifest(ranges?: readonly string[]): void {
    const { files } = this.history;
    const isNamed = ({ minTxid, maxTxid }: ManifestFile) => ranges?.includes(`${minTxid}-${maxTxid}`) ?? true;
    this.history.manifest(files.filter(isNamed));
  }

  compact(
    policy: RetentionPolicy,
    options: Partial<CompactOptions> & { readonly storage?: Storage } = {},
  ): Promise<CompactReport> {
    const { storage = this.storage, ...others } = options;
    // Who dies keeps its cores.
    const own = storage === this.storage ? cores : new CorePool();
    return compact({ storage, cores: own, clock: this.clock }, "app", { policy, force: true, ...others });
  }

  verify() {
    return verify({ storage: this.storage, cores }, "app");
  }

  /** TXIDs that can be restored. */
  async points(): Promise<bigint[]> {
    return [...(await this.verify()).restorableTxids];
  }

  /** The LTX files, as `2-4`. */
  files(): string[] {
    return this.storage.keys().flatMap((key) => {
      const [, min = "", max = ""] = /(\d+)-(\d+)\.ltx$/.exec(key) ?? [];
      return min === "" ? [] : [`${BigInt(min)}-${BigInt(max)}`];
    });
  }

  /** The files that the manifest names, as `2-4`. */
  named(): string[] {
    const { files } = parseManifest(this.storage.peek("app/manifest.json"), "manifest");
    return files.map(({ minTxid, maxTxid }) => `${minTxid}-${maxTxid}`).sort();
  }

  /** As if somebody else had deleted it. */
  remove(range: string): void {
    const [min = 0n, max = 0n] = range.split("-").map(BigInt);
    this.storage.remove(this.history.key(min, max));
  }

  /** Leftovers of a crash are no finding, and no restore point is lost to them. */
  async expectNothingLost(): Promise<void> {
    expect((await this.verify()).findings).toEqual([]);
  }

  /** Each of these points is restored, bit for bit as it was published. */
  async expectRestores(txids: readonly bigint[]): Promise<void> {
    const path = join(tempFolder(), "out.db");
    for (const txid of txids) {
      const target = { kind: "txid", txid } as const;
      const options = { target, force: true, integrityCheck: "none" } as const;
      await restore({ storage: this.storage, cores }, "app", path, options);
      expectSame(readFileSync(path), Buffer.from(this.history.image(txid)), `TXID ${txid}`);
    }
  }

  /** Nothing is wrong with it, and the manifest names exactly what is there. */
  async expectSound(): Promise<void> {
    expect((await this.verify()).findings).toEqual([]);
    expect(this.named()).toEqual(this.files().sort());
  }
}
