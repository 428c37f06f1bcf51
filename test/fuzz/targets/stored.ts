import assert from "node:assert/strict";
import { parse } from "../../../src/json.ts";
import { formatFilename } from "../../../src/ltx/filename.ts";
import { readFileEnds } from "../../../src/replication/remote-file.ts";
import { joinCatalog } from "../../../src/restore/catalog.ts";
import { listAllFiles, readManifest } from "../../../src/storage/database-objects.ts";
import { keyProblem } from "../../../src/storage/key-rules.ts";
import { databaseKeys, parseKey } from "../../../src/storage/keys.ts";
import {
  litestreamKeys,
  parseLitestreamKey,
  parseVersion03Key,
} from "../../../src/storage/litestream-keys.ts";
import { formatManifest, type Manifest, parseManifest } from "../../../src/storage/manifest.ts";
import type { Storage } from "../../../src/storage/storage.ts";
import { formatStorageUrl, parseStorageUrl } from "../../../src/storage/url.ts";
import { formatWriterRecord, parseWriterRecord } from "../../../src/storage/writer-record.ts";
import { goldenBytes } from "../../helpers/ltx/golden.ts";
import { MemoryStorage } from "../../helpers/memory-storage.ts";
import { inputOf, type Target, textOf } from "../target.ts";

const MANIFEST: Manifest = {
  name: "tenants/app",
  pageSizeBytes: 4096,
  currentTxid: 2n ** 53n + 1n,
  lastChecksum: 0x8000000000000001n,
  updatedAtMs: Date.UTC(2024, 1, 2, 3, 4, 6),
  files: [1n, 2n, 3n].map((minTxid) => ({
    ...{
      minTxid,
      maxTxid: 10n + minTxid,
      sizeBytes: 1234,
      createdAtMs: Date.UTC(2024, 1, 2),
      timestampMs: Date.UTC(2024, 1, 2),
    },
    ...{
      bodyChecksum: 0xf123456789abcdefn,
      sha256: "ab".repeat(32),
      preApply: minTxid === 1n ? 0n : 2n ** 63n,
      postApply: 2n ** 63n,
    },
    ...(minTxid === 2n && { isRepair: true as const }),
  })),
};

const manifest: Target = {
  name: "manifest",
  holds: "comes back as it was written, and makes a catalog",
  input: "text",
  words: [
    '"files"',
    '"min_txid"',
    '"is_repair"',
    '"is_snapshot"',
    '"size"',
    '"name"',
    '"00000001-00000011.ltx"',
    '"2024-02-02T03:04:06.000Z"',
  ],
  seeds: () => [formatManifest(MANIFEST), formatManifest({ ...MANIFEST, files: [] })],
  codes: ["INTEGRITY_FORMAT", "INTEGRITY_VERSION"],
  inputs: 1500,
  async run(input) {
    const parsed = parseManifest(input, "app/manifest.json");
    assert.deepEqual(parseManifest(formatManifest(parsed), "again"), parsed);
    assert.equal(keyProblem(parsed.name), undefined);
    assertNamed(input, parsed);
    const storage = new MemoryStorage();
    const keys = databaseKeys(parsed.name);
    storage.poke(keys.manifest(), input);
    const reading = await readManifest(storage, keys);
    assert.equal(reading.state, "ok");
    assert.equal(joinCatalog(parsed.name, reading, []).missing.length, parsed.files.length);
    return parsed;
  },
};

/** What a manifest says twice, it says alike. */
function assertNamed(input: Uint8Array, { files }: Manifest): void {
  const { files: written } = parse(textOf(input)) as {
    files: readonly { filename: unknown; is_snapshot: unknown }[];
  };
  const names = new Set(files.map(formatFilename));
  for (const { filename, is_snapshot: isSnapshot } of written) {
    assert(names.has(String(filename)), `${filename}`);
    assert.equal(isSnapshot, String(filename).startsWith("00000001-"));
  }
  for (const { sizeBytes } of files)
    assert(Number.isSafeInteger(sizeBytes) && sizeBytes >= 0, `${sizeBytes} bytes`);
}

const writerRecord: Target = {
  name: "writer-json",
  holds: "comes back as it was written; the host can stand in a message",
  input: "text",
  words: ['"id"', '"epoch"', '"host"', '"pid"', '"since"'],
  seeds: () => [
    formatWriterRecord({ id: 255n, epoch: 3, host: "host-1", pid: 77, sinceMs: Date.UTC(2025, 1, 2) }),
  ],
  codes: ["INTEGRITY_FORMAT"],
  inputs: 2500,
  run(input) {
    const record = parseWriterRecord(input, "app/writer.json");
    assert.deepEqual(parseWriterRecord(formatWriterRecord(record), "again"), record);
    assert.doesNotMatch(record.host, /\p{Cc}/u);
    return record;
  },
};

const keys: Target = {
  name: "object-keys",
  holds: "a key that is read is the one that is written for what it says, in both layouts",
  input: "text",
  words: [
    "ltx",
    "0000",
    "0009",
    "generations",
    "snapshots",
    "wal",
    ".lz4",
    "manifest.json",
    "writer.json",
    "/",
  ],
  seeds: () =>
    [
      ...[
        "a/b/00000002-00000010.ltx",
        "app/manifest.json",
        "app/writer.json",
        "app/0009/0000000000000001-00000000000000ff.ltx",
      ],
      ...[
        "app/ltx/0/0000000000000002-0000000000000002.ltx",
        "app/generations/0123456789abcdef/snapshots/00000000.snapshot.lz4",
      ],
      "walrust-encryption.json",
    ].map(inputOf),
  codes: [],
  inputs: 2500,
  run(input) {
    const key = textOf(input);
    const own = parseKey(key);
    if (own !== undefined) {
      const made = databaseKeys(own.database);
      const { stored } = own;
      assert.equal(
        stored.kind === "ltx" ? made.ltx(stored.minTxid, stored.maxTxid) : made[stored.kind](),
        key,
      );
      assert.deepEqual(made.parse(key), stored);
    }
    const other = parseLitestreamKey(key);
    if (
      other !== undefined &&
      keyProblem(other.database) === undefined &&
      (other.level === 0) === (other.minTxid === other.maxTxid)
    ) {
      const written = (["bucket", "folder"] as const).map((where) =>
        litestreamKeys(other.database, where).ltx(other.minTxid, other.maxTxid),
      );
      if (other.level === 0 || other.level === 9) assert(written.includes(key), `${written} for ${key}`);
    }
    return own ?? other ?? parseVersion03Key(key);
  },
};

const listing: Target = {
  name: "listing",
  holds: "objects of other databases and foreign ones are passed over, whatever their names",
  input: "text",
  words: ["app", "app/", "ltx", "0000", "00000002-00000010.ltx", "manifest.json"],
  seeds: () => [
    inputOf(
      "app/00000001-00000001.ltx\napp/0000/0000000000000002-0000000000000002.ltx\napp2/manifest.json\nx",
    ),
  ],
  codes: [],
  inputs: 600,
  async run(input) {
    const listed = textOf(input)
      .split("\n")
      .filter((key) => key.startsWith("app/"));
    const storage = {
      async *list() {
        for (const key of listed) yield { key, sizeBytes: 1, lastModifiedMs: 0 };
      },
    } as unknown as Storage;
    const { walrust, litestream } = await listAllFiles(storage, databaseKeys("app"));
    for (const { key } of [...walrust, ...litestream]) assert.match(key, /^app\/(?:[^/]*\/){0,2}[^/]+\.ltx$/);
    return [walrust, litestream];
  },
};

const url: Target = {
  name: "storage-url",
  holds: "says the same when it is written down and read again; a prefix is one that keys can begin with",
  input: "text",
  words: ["s3://", "file:///", "bucket", "%2F", "%00", "@", ":", "?", "#", "..", "/"],
  seeds: () =>
    [
      "bucket",
      "s3://my-bucket/a/b/",
      "file:///var/lib/copies",
      "file:///a%20b/%C3%A4",
      "https://user:secret@host/x",
    ].map(inputOf),
  codes: ["CONFIG_INVALID"],
  inputs: 3000,
  run(input) {
    const text = textOf(input);
    const address = parseStorageUrl(text);
    assert.deepEqual(parseStorageUrl(formatStorageUrl(address)), address);
    if (address.kind === "s3" && address.prefix !== "")
      assert.equal(keyProblem(`${address.prefix}x`.slice(0, -2)), undefined);
    return address;
  },
};

/** An object that is replaced between two requests: its size is told first, and its bytes come from another. */
const ends: Target = {
  name: "ltx-ends",
  holds: "what the two ends of a file say is read from a file of the size that storage told",
  input: "bytes",
  seeds: () => [0, 1, 77].map((less) => Buffer.concat([Buffer.from([less]), goldenBytes("p512-3-5.ltx")])),
  codes: ["INTEGRITY_FORMAT"],
  inputs: 1000,
  async run(input) {
    const [less = 0] = input;
    const file = input.subarray(1);
    const sizeBytes = file.length + less;
    const storage = {
      url: "memory://test",
      async *read(_key: string, { offset = 0, length = 0 }) {
        yield file.subarray(offset, offset + length);
      },
    } as unknown as Storage;
    const read = await readFileEnds(storage, { key: "app/00000003-00000005.ltx", sizeBytes });
    assert.equal(less, 0, "an end that is not there was read");
    assert.equal(read.trailer.fileChecksum, Buffer.from(file).readBigUInt64BE(file.length - 8));
    return read;
  },
};

export const STORED_TARGETS: readonly Target[] = [manifest, writerRecord, keys, listing, url, ends];
