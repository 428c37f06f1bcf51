import type { Checksum } from "../../../src/ltx/format.ts";
import { databaseKeys } from "../../../src/storage/keys.ts";
import { formatManifest, type ManifestFile } from "../../../src/storage/manifest.ts";
import { Core, compileCore } from "../../../src/wasm/core.ts";
import { INPUT_OFFSET } from "../../../src/wasm/layout.ts";
import { encodeFile } from "../ltx/encode-file.ts";
import type { MemoryStorage } from "../memory-storage.ts";

const FLAG = 1n << 63n;
const core = new Core(compileCore());

export interface HistoryOptions {
  readonly name?: string;
  readonly pageSizeBytes?: number;
  readonly noChecksum?: boolean;
}

export interface PublishOptions {
  /** How many commits the file spans. */
  readonly commits?: number;
  readonly isRepair?: boolean;
  readonly timestampMs?: number;
}

interface State {
  readonly txid: bigint;
  readonly image: Uint8Array;
  /** Page number -> checksum. */
  readonly checksums: ReadonlyMap<number, Checksum>;
  readonly timestampMs: number;
}

/**
 * Publishes successive images of one database as LTX files, and remembers each of them: what restore must
 * give back.
 */
export class History {
  readonly name: string;
  /** What a manifest says of the files published. */
  readonly files: ManifestFile[] = [];
  readonly #storage: MemoryStorage;
  readonly #pageSizeBytes: number;
  readonly #noChecksum: boolean;
  readonly #states = new Map<bigint, State>();
  #head: State = { txid: 0n, image: new Uint8Array(), checksums: new Map(), timestampMs: 0 };

  constructor(storage: MemoryStorage, options: HistoryOptions = {}) {
    this.#storage = storage;
    this.name = options.name ?? "app";
    this.#pageSizeBytes = options.pageSizeBytes ?? 512;
    this.#noChecksum = options.noChecksum ?? false;
  }

  get head(): bigint {
    return this.#head.txid;
  }

  /** What a database at this TXID is, byte for byte. */
  image(txid: bigint = this.head): Uint8Array {
    const state = this.#states.get(txid);
    if (state === undefined) throw new Error(`nothing was published at TXID ${txid}`);
    return state.image;
  }

  txids(): bigint[] {
    return [...this.#states.keys()];
  }

  key(minTxid: bigint, maxTxid: bigint): string {
    return databaseKeys(this.name).ltx(minTxid, maxTxid);
  }

  /** The first image, as a snapshot; or a new snapshot of the head. */
  async snapshot(image?: Uint8Array, options: PublishOptions = {}): Promise<void> {
    if (image) this.#advance(image, options);
    await this.#write(1n, this.#head, undefined, options);
  }

  /** What differs from the head, as an incremental. */
  async publish(image: Uint8Array, options: PublishOptions = {}): Promise<void> {
    const before = this.#head;
    this.#advance(image, options);
    await this.#write(before.txid + 1n, this.#head, before, options);
  }

  /** One file in place of those from `minTxid` to `maxTxid`, which stay. */
  async merge(minTxid: bigint, maxTxid: bigint, options: PublishOptions = {}): Promise<void> {
    const [before, after] = [this.#states.get(minTxid - 1n), this.#states.get(maxTxid)];
    if (before === undefined || after === undefined) throw new Error("not at the ends of files");
    await this.#write(minTxid, after, before, options);
  }

  manifest(files: readonly ManifestFile[] = this.files): void {
    const body = formatManifest({
      name: this.name,
      pageSizeBytes: this.#pageSizeBytes,
      currentTxid: this.head,
      lastChecksum: databaseChecksum(this.#head),
      updatedAtMs: 0,
      files,
    });
    this.#storage.poke(databaseKeys(this.name).manifest(), body);
  }

  #advance(image: Uint8Array, { commits = 1, timestampMs }: PublishOptions): void {
    const txid = this.#head.txid + BigInt(commits);
    const checksums = new Map(
      pagesOf(image, this.#pageSizeBytes).map(({ pgno, page }) => [pgno, checksumOf(pgno, page)]),
    );
    this.#head = { txid, image: image.slice(), checksums, timestampMs: timestampMs ?? Number(txid) * 1000 };
    this.#states.set(txid, this.#head);
  }

  async #write(
    minTxid: bigint,
    after: State,
    before: State | undefined,
    options: PublishOptions,
  ): Promise<void> {
    const pageSizeBytes = this.#pageSizeBytes;
    const pages = pagesOf(after.image, pageSizeBytes).filter(
      ({ pgno }) => before?.checksums.get(pgno) !== after.checksums.get(pgno),
    );
    const unproven = this.#noChecksum;
    const fields = {
      minTxid,
      maxTxid: after.txid,
      timestampMs: options.timestampMs ?? after.timestampMs,
      preApply: before && !unproven ? databaseChecksum(before) : 0n,
      walOffset: before ? 32n : 0n,
      walSize: before && !options.isRepair ? 4120n : 0n,
    };
    const postApply = unproven ? 0n : databaseChecksum(after);
    const commit = after.image.length / pageSizeBytes;
    const file = await encodeFile(core, {
      pageSizeBytes,
      commit,
      pages,
      noChecksum: unproven,
      fields,
      postApply,
    });
    this.#storage.poke(this.key(minTxid, after.txid), file.bytes);
    this.files.push({
      minTxid,
      maxTxid: after.txid,
      sizeBytes: file.sizeBytes,
      createdAtMs: 0,
      timestampMs: fields.timestampMs,
      bodyChecksum: file.bodyChecksum,
      sha256: file.bodySha256,
      preApply: fields.preApply,
      postApply,
      ...(options.isRepair && { isRepair: true }),
    });
  }
}

function pagesOf(image: Uint8Array, pageSizeBytes: number) {
  return Array.from({ length: image.length / pageSizeBytes }, (_, i) => ({
    pgno: i + 1,
    page: image.subarray(i * pageSizeBytes, (i + 1) * pageSizeBytes),
  }));
}

/** By the core: the oracle of test/helpers would take a millisecond a page. */
function checksumOf(pgno: number, page: Uint8Array): Checksum {
  new DataView(core.input.buffer, core.input.byteOffset).setUint32(0, pgno);
  core.input.set(page, 4);
  return BigInt.asUintN(64, core.wasm.crc64(0n, INPUT_OFFSET, 4 + page.length)) | FLAG;
}

function databaseChecksum({ checksums }: Pick<State, "checksums">): Checksum {
  return [...checksums.values()].reduce((sum, checksum) => sum ^ checksum, 0n) | FLAG;
}
