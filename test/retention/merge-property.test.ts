import fc from "fast-check";
import { expect, test } from "vitest";
import { readCatalog } from "../../src/restore/catalog.ts";
import type { RestoreFile } from "../../src/restore/restore-file.ts";
import { mergeFiles } from "../../src/retention/merge.ts";
import { decodeAll } from "../helpers/ltx/decode-all.ts";
import { MemoryStorage } from "../helpers/memory-storage.ts";
import { runs } from "../helpers/property-runs.ts";
import { History } from "../helpers/restore/history.ts";
import { ImageMaker, sqliteImages } from "../helpers/restore/images.ts";
import { testCore } from "../helpers/sqlite/probe.ts";

const core = testCore();

interface Chain {
  readonly storage: MemoryStorage;
  readonly history: History;
  readonly pageSizeBytes: number;
}

/** A snapshot of the first image, then an incremental for each further one. */
async function chainOf(images: readonly Uint8Array[], pageSizeBytes: number, repairAt = 0): Promise<Chain> {
  const storage = new MemoryStorage({ pieceSizeBytes: 3000 });
  const history = new History(storage, { pageSizeBytes });
  for (const [i, image] of images.entries()) {
    if (i === 0) await history.snapshot(image);
    else await history.publish(image, { isRepair: i === repairAt });
  }
  return { storage, history, pageSizeBytes };
}

async function incrementals(storage: MemoryStorage): Promise<RestoreFile[]> {
  const { present } = await readCatalog(storage, "app");
  return present.filter(({ minTxid }) => minTxid > 1n).sort((a, b) => Number(a.minTxid - b.minTxid));
}

/** Joins these files, and puts the one in their place. */
async function merge({ storage, history }: Chain, sources: readonly RestoreFile[]): Promise<string> {
  const key = history.key(sources[0]?.minTxid ?? 0n, sources.at(-1)?.maxTxid ?? 0n);
  await mergeFiles({ storage, core, key, sources });
  for (const source of sources) storage.remove(source.key);
  return key;
}

/** Pages put over an image one after the other, then cut: what applying a file means. */
async function applied({ storage, pageSizeBytes }: Chain, before: Uint8Array, key: string) {
  const { header, trailer, pages } = await decodeAll(core, storage.peek(key));
  const image = new Uint8Array(header.commit * pageSizeBytes);
  image.set(before.subarray(0, image.length));
  for (const { pgno, page } of pages) image.set(page, (pgno - 1) * pageSizeBytes);
  return { image, header, trailer, pgnos: pages.map(({ pgno }) => pgno) };
}

const changes = fc.array(
  fc.record({ pages: fc.oneof(fc.nat(30), fc.constantFrom(1, 3)), changed: fc.nat(6) }),
  { minLength: 3, maxLength: 8 },
);
const cuts = fc.uniqueArray(fc.integer({ min: 1, max: 6 }), { maxLength: 3 });

test("merged in parts, and the parts merged, it is byte for byte what is merged at once; and applied it is the chain", async () => {
  await fc.assert(
    fc.asyncProperty(
      changes,
      cuts,
      fc.constantFrom(512, 1024, 4096),
      fc.nat(9),
      async (steps, parts, pageSizeBytes, repairAt) => {
        const maker = new ImageMaker(pageSizeBytes);
        const images: Uint8Array[] = [];
        for (const { pages, changed } of steps) images.push(maker.next(pages, images.at(-1), changed));
        const [atOnce, inParts] = [
          await chainOf(images, pageSizeBytes, repairAt),
          await chainOf(images, pageSizeBytes, repairAt),
        ];
        const key = await merge(atOnce, await incrementals(atOnce.storage));

        const files = await incrementals(inParts.storage);
        const bounds = [0, ...parts.filter((at) => at < files.length).sort((a, b) => a - b), files.length];
        for (const [i, end] of bounds.entries()) {
          const part = files.slice(bounds[i - 1] ?? 0, end);
          if (part.length > 1) await merge(inParts, part);
        }
        const left = await incrementals(inParts.storage);
        if (left.length > 1) await merge(inParts, left);
        expect(Buffer.compare(inParts.storage.peek(key), atOnce.storage.peek(key)), "the same bytes").toBe(0);

        const last = images.at(-1) ?? new Uint8Array();
        const { image, header, trailer } = await applied(atOnce, images[0] ?? new Uint8Array(), key);
        expect(Buffer.compare(image, last), "the chain's last state").toBe(0);
        expect(header.commit * pageSizeBytes).toBe(last.length);
        // The checksum that the last source named is that of what it is applied to.
        expect(trailer.postApply).toBe(atOnce.history.files.at(-1)?.postApply);
        expect(header.walSize === 0n, "a repair stays one").toBe(repairAt > 0 && repairAt < images.length);
      },
    ),
    runs(40),
  );
});

test("a merged file holds a page only if one of its sources does, and only up to its last size", async () => {
  await fc.assert(
    fc.asyncProperty(changes, async (steps) => {
      const maker = new ImageMaker(512);
      const images: Uint8Array[] = [];
      for (const { pages, changed } of steps) images.push(maker.next(pages, images.at(-1), changed));
      const chain = await chainOf(images, 512);
      const sources = await incrementals(chain.storage);
      const inSources = new Set<number>();
      for (const { key } of sources)
        for (const { pgno } of (await decodeAll(core, chain.storage.peek(key))).pages) inSources.add(pgno);
      const key = await merge(chain, sources);
      const { pgnos, header } = await applied(chain, images[0] ?? new Uint8Array(), key);
      // What was cut off and came back has a source behind the cut.
      expect(pgnos.filter((pgno) => !inSources.has(pgno) || pgno > header.commit)).toEqual([]);
      expect([...inSources].filter((pgno) => pgno <= header.commit && !pgnos.includes(pgno))).toEqual([]);
    }),
    runs(40),
  );
});

test("of a database that SQLite wrote: VACUUM, growing, emptying", async () => {
  const statement = fc.constantFrom(
    "INSERT INTO t(body) SELECT hex(randomblob(400)) FROM (VALUES(1),(2),(3),(4),(5),(6),(7),(8),(9))",
    "DELETE FROM t WHERE id % 2 = 0",
    "DELETE FROM t",
    "VACUUM",
    "UPDATE t SET body = hex(randomblob(100)) WHERE id % 3 = 0",
    "CREATE TABLE IF NOT EXISTS u(x); INSERT INTO u SELECT hex(randomblob(900)) FROM t",
    "DROP TABLE IF EXISTS u",
  );
  await fc.assert(
    fc.asyncProperty(
      fc.array(statement, { minLength: 4, maxLength: 8 }),
      fc.constantFrom(512, 4096),
      async (statements, pageSizeBytes) => {
        const images = sqliteImages(statements, { pageSize: pageSizeBytes });
        const chain = await chainOf(images, pageSizeBytes);
        const key = await merge(chain, await incrementals(chain.storage));
        const { image } = await applied(chain, images[0] ?? new Uint8Array(), key);
        expect(Buffer.compare(image, images.at(-1) ?? new Uint8Array())).toBe(0);
      },
    ),
    runs(8),
  );
});
