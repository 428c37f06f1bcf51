import { WalrustError } from "../errors.ts";
import { parse, stringify } from "../json.ts";
import { formatChecksum, parseChecksum } from "../ltx/checksum.ts";
import { formatFilename } from "../ltx/filename.ts";
import type { Checksum, Txid } from "../ltx/format.ts";
import { keyProblem } from "./key-rules.ts";

/**
 * manifest.json: the index of a database's files (formats.md, section 4). The objects are the truth, and it can always be
 * rebuilt from them. TXIDs are JSON integers of up to 64 bits (json.ts).
 *
 *     version 1 | name | page_size | current_txid | last_checksum | updated_at | files[]
 *     files[]: filename | min_txid | max_txid | size | created_at | timestamp | is_snapshot | checksum | sha256
 *              | pre_apply | post_apply | is_repair (only where it is true)
 *
 * Times are RFC 3339 in UTC with milliseconds, checksums 16 hex digits, sha256 64. Keys that we don't know are passed over.
 */
export interface Manifest {
  readonly name: string;
  readonly pageSizeBytes: number;
  readonly currentTxid: Txid;
  /** The database's checksum at `currentTxid`; 0: not known, since the file that ends there is lost. */
  readonly lastChecksum: Checksum;
  readonly updatedAtMs: number;
  /** Ascending by max TXID, then min TXID; no two alike. */
  readonly files: readonly ManifestFile[];
}

/** A file with min TXID 1 is a snapshot, and no other is. */
export interface ManifestFile {
  readonly minTxid: Txid;
  readonly maxTxid: Txid;
  readonly sizeBytes: number;
  /** When the object was made. */
  readonly createdAtMs: number;
  /** The time in the file's header: its last commit's. */
  readonly timestampMs: number;
  /** The body checksum of the file's header; 0 in files of other writers. */
  readonly bodyChecksum: Checksum;
  /** Whole SHA-256 of the body, 64 hex digits. */
  readonly sha256: string;
  readonly preApply: Checksum;
  readonly postApply: Checksum;
  /** The single commits in it are not known. Absent: not said, since older writers said it of no file. */
  readonly isRepair?: true;
}

/** Largest manifest that is read: about 150,000 files. */
export const MANIFEST_MAX_BYTES = 64 * 1024 * 1024;

const VERSION = 1;
const PAGE_SIZES = new Set([512, 1024, 2048, 4096, 8192, 16384, 32768, 65536]);
const MAX_U64 = 2n ** 64n - 1n;
/** RFC 3339, UTC. Other zones are not written, and so not read. */
const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?Z$/;

export function formatManifest(manifest: Manifest): Uint8Array {
  const document = {
    version: VERSION,
    name: manifest.name,
    page_size: manifest.pageSizeBytes,
    current_txid: manifest.currentTxid,
    last_checksum: formatChecksum(manifest.lastChecksum),
    updated_at: new Date(manifest.updatedAtMs).toISOString(),
    files: [...manifest.files].sort(byTxid).map((file) => ({
      filename: formatFilename(file),
      min_txid: file.minTxid,
      max_txid: file.maxTxid,
      size: file.sizeBytes,
      created_at: new Date(file.createdAtMs).toISOString(),
      timestamp: new Date(file.timestampMs).toISOString(),
      is_snapshot: file.minTxid === 1n,
      checksum: formatChecksum(file.bodyChecksum),
      sha256: file.sha256,
      pre_apply: formatChecksum(file.preApply),
      post_apply: formatChecksum(file.postApply),
      ...(file.isRepair && { is_repair: true }),
    })),
  };
  return Buffer.from(`${stringify(document)}\n`);
}

/** @param objectName for messages. Errors: INTEGRITY_FORMAT; INTEGRITY_VERSION for a sound one of a newer walrust. */
export function parseManifest(bytes: Uint8Array, objectName: string): Manifest {
  if (bytes.length > MANIFEST_MAX_BYTES)
    throw corrupt(objectName, `it is larger than ${MANIFEST_MAX_BYTES} bytes`);
  let document: unknown;
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    document = parse(text);
  } catch (error) {
    throw corrupt(objectName, "it is not JSON", error);
  }
  return new Reader(objectName, document).manifest();
}

/** Reads the fields of one JSON object and refuses what is not as format writes it. */
class Reader {
  readonly #objectName: string;
  readonly #fields: Readonly<Record<string, unknown>>;
  readonly #path: string;

  constructor(objectName: string, value: unknown, path = "") {
    this.#objectName = objectName;
    this.#path = path;
    if (typeof value !== "object" || value === null || Array.isArray(value)) {
      throw corrupt(objectName, `${path || "the document"} is not a JSON object`);
    }
    this.#fields = value as Readonly<Record<string, unknown>>;
  }

  manifest(): Manifest {
    const version = this.#integer("version");
    if (version > VERSION) throw newer(this.#objectName, version);
    if (version !== VERSION) throw this.#wrong("version");
    const pageSizeBytes = this.#integer("page_size");
    if (!PAGE_SIZES.has(pageSizeBytes)) throw this.#wrong("page_size");
    const entries = this.#fields["files"];
    if (!Array.isArray(entries)) throw this.#wrong("files");
    const files = entries
      .map((entry, i) => new Reader(this.#objectName, entry, `files[${i}]`).file())
      .sort(byTxid);
    const twin = files.findIndex((file, i) => i > 0 && byTxid(files[i - 1] as ManifestFile, file) === 0);
    if (twin >= 0)
      throw corrupt(this.#objectName, `${formatFilename(files[twin] as ManifestFile)} is listed twice`);
    const currentTxid = this.#txid("current_txid");
    if (currentTxid < (files.at(-1)?.maxTxid ?? 0n)) throw this.#wrong("current_txid");
    const name = this.#string("name", /^/);
    if (keyProblem(name) !== undefined) throw this.#wrong("name");
    return {
      name,
      pageSizeBytes,
      currentTxid,
      lastChecksum: this.#checksum("last_checksum"),
      updatedAtMs: this.#time("updated_at"),
      files,
    };
  }

  file(): ManifestFile {
    const minTxid = this.#txid("min_txid");
    const maxTxid = this.#txid("max_txid");
    if (minTxid < 1n || maxTxid < minTxid) throw this.#wrong("max_txid");
    if (this.#fields["filename"] !== formatFilename({ minTxid, maxTxid })) throw this.#wrong("filename");
    if (this.#fields["is_snapshot"] !== (minTxid === 1n)) throw this.#wrong("is_snapshot");
    const { is_repair: isRepair = false } = this.#fields;
    if (typeof isRepair !== "boolean") throw this.#wrong("is_repair");
    return {
      minTxid,
      maxTxid,
      sizeBytes: this.#integer("size"),
      createdAtMs: this.#time("created_at"),
      timestampMs: this.#time("timestamp"),
      bodyChecksum: this.#checksum("checksum"),
      sha256: this.#string("sha256", /^[0-9a-f]{64}$/),
      preApply: this.#checksum("pre_apply"),
      postApply: this.#checksum("post_apply"),
      ...(isRepair && { isRepair }),
    };
  }

  #integer(field: string): number {
    const value = this.#fields[field];
    if (typeof value !== "number" || !Number.isSafeInteger(value) || value < 0) throw this.#wrong(field);
    return value;
  }

  #txid(field: string): Txid {
    const value = this.#fields[field];
    if (typeof value === "number" && Number.isSafeInteger(value) && value >= 0) return BigInt(value);
    if (typeof value === "bigint" && value >= 0n && value <= MAX_U64) return value;
    throw this.#wrong(field);
  }

  #checksum(field: string): Checksum {
    const value = this.#fields[field];
    const checksum = typeof value === "string" ? parseChecksum(value) : undefined;
    if (checksum === undefined) throw this.#wrong(field);
    return checksum;
  }

  #time(field: string): number {
    const ms = Date.parse(this.#string(field, TIME));
    if (Number.isNaN(ms)) throw this.#wrong(field);
    return ms;
  }

  #string(field: string, pattern: RegExp): string {
    const value = this.#fields[field];
    if (typeof value !== "string" || !pattern.test(value)) throw this.#wrong(field);
    return value;
  }

  #wrong(field: string): WalrustError {
    const path = this.#path === "" ? field : `${this.#path}.${field}`;
    return corrupt(this.#objectName, `${path} is missing or not what a manifest holds there`);
  }
}

function byTxid(a: ManifestFile, b: ManifestFile): number {
  if (a.maxTxid !== b.maxTxid) return a.maxTxid < b.maxTxid ? -1 : 1;
  if (a.minTxid !== b.minTxid) return a.minTxid < b.minTxid ? -1 : 1;
  return 0;
}

function corrupt(objectName: string, reason: string, cause?: unknown): WalrustError {
  return new WalrustError("INTEGRITY_FORMAT", `${objectName} is not a manifest that can be used: ${reason}`, {
    cause,
    hint: "`walrust verify --fix` makes it again from the objects.",
    details: { object: objectName },
  });
}

/** It may tell of things that this version would overlook or destroy. */
function newer(objectName: string, version: number): WalrustError {
  return new WalrustError(
    "INTEGRITY_VERSION",
    `${objectName} has version ${version}: a newer walrust wrote it`,
    { hint: "Update walrust.", details: { object: objectName, version } },
  );
}
