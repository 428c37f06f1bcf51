import { inspect } from "node:util";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { isWalrustError } from "../../src/errors.ts";
import { decodeLtx } from "../../src/ltx/decoder.ts";
import { lockPage } from "../../src/ltx/format.ts";
import type { Core } from "../../src/wasm/core.ts";
import { type DecodedFile, decodeAll, decodePieces, tellPages } from "../helpers/ltx/decode-all.ts";
import { encodeFile } from "../helpers/ltx/encode-file.ts";
import { goldenBytes } from "../helpers/ltx/golden.ts";
import { INCREMENTAL } from "../helpers/ltx/headers.ts";
import { writeLtx } from "../helpers/oracle/ltx.ts";
import { buildFrame } from "../helpers/oracle/lz4-frame.ts";
import { coreBuilds } from "../helpers/wasm/core-builds.ts";

const POST_APPLY = (1n << 63n) | 0x66n;

/** Small files of every kind: the library's blocks, older writers' frames, our own with a body checksum. */
const FILES: readonly (readonly [string, (core: Core) => Promise<Uint8Array>])[] = [
  ["blocks", async () => goldenBytes("p512-3-5.ltx")],
  ["frames", async () => goldenBytes("p512-frames-snapshot-1-1.ltx")],
  [
    "our own",
    async (core) => {
      const { flags, pageSizeBytes, commit, bodyChecksum, ...fields } = INCREMENTAL;
      const pages = [1, 4, 6].map((pgno) => ({ pgno, page: Buffer.alloc(pageSizeBytes, `page ${pgno}`) }));
      return (await encodeFile(core, { pageSizeBytes, commit, pages, fields })).bytes;
    },
  ],
];

const failureOf = (decoding: Promise<unknown>) =>
  decoding.then(
    () => undefined,
    (error: unknown) => error,
  );
const tell = ({ pages, ...rest }: DecodedFile) => `${inspect(rest)}\n${tellPages(pages)}`;
const isIntegrity = (error: unknown) => isWalrustError(error, "INTEGRITY_FORMAT", "INTEGRITY_CHECKSUM");

describe.each(coreBuilds)("$build", ({ makeCore }) => {
  const core = makeCore();

  describe.each(FILES)("a file of %s", (_kind, make) => {
    test("is the same however its bytes are split", async () => {
      const bytes = await make(core);
      const whole = tell(await decodeAll(core, bytes));
      for (let at = 1; at < bytes.length; at += 1) {
        const halves = async function* () {
          yield bytes.subarray(0, at);
          yield bytes.subarray(at);
        };
        expect(tell(await decodePieces(core, halves())), `split at ${at}`).toBe(whole);
      }
      for (const pieceSize of [1, 2, 3, 5, 11, 100]) {
        expect(tell(await decodeAll(core, bytes, pieceSize))).toBe(whole);
      }
    });

    test("is refused wherever it is cut", async () => {
      const bytes = await make(core);
      for (let length = 0; length < bytes.length; length += 1) {
        const failure = await failureOf(decodeAll(core, bytes.subarray(0, length)));
        expect(isWalrustError(failure, "INTEGRITY_FORMAT"), `cut at ${length}`).toBe(true);
        expect(failure).toMatchObject({ details: { object: "db/test.ltx", offset: length } });
      }
    });

    // LZ4 can say the same data in several ways: only the body checksum covers the bytes as they are stored.
    test("is refused whatever byte of it changes, or without a body checksum holds the same pages", async () => {
      const bytes = Buffer.from(await make(core));
      const { header, pages } = await decodeAll(core, bytes);
      let refused = 0;
      const contents = tellPages(pages);
      for (let at = 0; at < bytes.length; at += 1) {
        for (const bits of [0x01, 0x80, 0xff]) {
          const byte = bytes[at] ?? 0;
          bytes[at] = byte ^ bits;
          const outcome = await decodeAll(core, bytes).catch((error: unknown) => error);
          if (isIntegrity(outcome)) refused += 1;
          else {
            expect(header.bodyChecksum, `byte ${at} ^ ${bits}`).toBe(0n);
            expect(tellPages((outcome as DecodedFile).pages)).toBe(contents);
          }
          bytes[at] = byte;
        }
      }
      expect(refused).toBeGreaterThan(bytes.length * 2.9);
    });
  });

  // pitfall 8
  test("any bytes behind a header, and any pieces put together, give a typed error", async () => {
    const file = Buffer.from(goldenBytes("p512-3-5.ltx"));
    const place = fc.nat(file.length);
    const noise = fc
      .uint8Array({ maxLength: 2000 })
      .map((bytes) => Buffer.concat([file.subarray(0, 100), bytes]));
    const spliced = fc
      .tuple(place, place, fc.uint8Array({ maxLength: 30 }))
      .map(([to, from, between]) => Buffer.concat([file.subarray(0, to), between, file.subarray(from)]));
    await fc.assert(
      fc.asyncProperty(fc.oneof(noise, spliced), async (bytes) => {
        fc.pre(!bytes.equals(file));
        expect(isIntegrity(await failureOf(decodeAll(core, bytes)))).toBe(true);
      }),
      { numRuns: 300 },
    );
  });

  test("what the slow twin writes is read, frames and blocks in one file", async () => {
    const datas = [3, 4, 6].map((pgno) => Buffer.alloc(512, `the page ${pgno} `));
    const [a, b, c] = datas as [Buffer, Buffer, Buffer];
    const bytes = writeLtx(
      INCREMENTAL,
      [
        {
          pgno: 3,
          data: a,
          frame: buildFrame(a, { independent: false, blockSize: 100, blockChecksums: true }),
        },
        { pgno: 4, data: b },
        { pgno: 6, data: c, frame: buildFrame(c, { contentSize: true, stored: true }) },
      ],
      POST_APPLY,
    );
    const { pages, header } = await decodeAll(core, bytes);
    expect(header).toEqual(INCREMENTAL);
    expect(pages.map(({ pgno }) => pgno)).toEqual([3, 4, 6]);
    expect(pages.every(({ page }, i) => datas[i]?.equals(page))).toBe(true);
  });

  // pitfall 22
  test.each([512, 4096, 65536])(
    "at page size %d the pages beside the lock page are read, itself is refused",
    async (pageSizeBytes) => {
      const lock = lockPage(pageSizeBytes);
      const header = { ...INCREMENTAL, pageSizeBytes, commit: lock + 1 };
      const data = Buffer.alloc(pageSizeBytes, 1);
      const file = (...pgnos: number[]) =>
        writeLtx(
          header,
          pgnos.map((pgno) => ({ pgno, data })),
          POST_APPLY,
        );
      const { pages } = await decodeAll(core, file(lock - 1, lock + 1));
      expect(pages.map(({ pgno }) => pgno)).toEqual([lock - 1, lock + 1]);
      await expect(decodeAll(core, file(lock - 1, lock))).rejects.toThrowError(/the lock page/);
    },
  );
});

describe("decodeLtx", () => {
  const core = coreBuilds[0].makeCore();
  const options = { objectName: "db/test.ltx" };
  const source = async function* () {
    yield goldenBytes("p4096-3-5.ltx");
  };

  test("a wrong body checksum is found, though the file checksum agrees", async () => {
    const data = Buffer.alloc(512, 7);
    const bytes = writeLtx({ ...INCREMENTAL, bodyChecksum: 1n << 63n }, [{ pgno: 2, data }], POST_APPLY);
    const failure = await failureOf(decodeAll(core, bytes));
    expect(failure).toMatchObject({ code: "INTEGRITY_CHECKSUM", exitCode: 5 });
    expect(String(failure)).toMatch(/body checksum/);
  });

  test("a page that never ends is refused in bounded memory, and the source is closed", async () => {
    const frame = buildFrame(Buffer.alloc(512), { independent: false });
    const start = writeLtx(INCREMENTAL, [{ pgno: 2, data: Buffer.alloc(512), frame }], POST_APPLY);
    const emptyBlocks = Buffer.alloc(50_000, Buffer.from([1, 0, 0, 0, 0]));
    let closed = false;
    const endless = async function* () {
      try {
        yield start.subarray(0, 100 + 6 + 7);
        while (true) yield emptyBlocks;
      } finally {
        closed = true;
      }
    };
    const failure = await failureOf(decodeLtx(core, endless(), options, () => {}));
    expect(isIntegrity(failure)).toBe(true);
    expect(String(failure)).toMatch(/too large, at byte 100/);
    expect(closed).toBe(true);
  });

  test("the header is told once, before the pages", async () => {
    const events: string[] = [];
    const onHeader = () => void events.push("header");
    await decodeLtx(
      core,
      source(),
      { ...options, onHeader },
      ({ count }) => void events.push(`${count} pages`),
    );
    expect(events).toEqual(["header", "6 pages"]);
  });

  test("while a batch is looked at, nothing else runs in its core", async () => {
    const nosy = decodeLtx(core, source(), options, async () => {
      await Promise.resolve();
      core.wasm.streamSummed();
    });
    await expect(nosy).rejects.toMatchObject({ code: "INTERNAL" });
    await expect(decodeAll(core, goldenBytes("p4096-3-5.ltx"))).resolves.toBeDefined();
  });

  test("what the callback or the source throws comes out as it is", async () => {
    const failure = new Error("disk full");
    await expect(decodeLtx(core, source(), options, () => Promise.reject(failure))).rejects.toBe(failure);
    await expect(
      decodeLtx(core, source(), options, () => {
        throw failure;
      }),
    ).rejects.toBe(failure);
    const broken = async function* () {
      yield goldenBytes("p4096-3-5.ltx").subarray(0, 300);
      throw failure;
    };
    await expect(decodeLtx(core, broken(), options, () => {})).rejects.toBe(failure);
  });

  test("an aborted signal stops it", async () => {
    const reason = new Error("enough");
    const abort = new AbortController();
    const stoppable = { ...options, signal: abort.signal };
    await expect(decodeLtx(core, source(), stoppable, () => abort.abort(reason))).rejects.toBe(reason);
    await expect(decodeLtx(core, source(), stoppable, () => {})).rejects.toBe(reason);
  });
});
