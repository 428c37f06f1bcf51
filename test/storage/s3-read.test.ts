import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Answer } from "../helpers/s3-server/operations.ts";
import { bytesOf, readAll, refusal, type S3Bench, s3Bench } from "./support.ts";

const SIZE = 2_000_000;
const BODY = Buffer.from(bytesOf(SIZE, 7));

let bench: S3Bench;
beforeEach(async () => {
  bench = await s3Bench();
  await bench.storage.put("db/a", BODY);
  bench.server.requests.length = 0;
});
afterEach(() => bench.close());

const gets = () => bench.server.requests.map((request) => request.headers["range"]);

describe("an answer that is cut in the middle", () => {
  it.each([undefined, 0, 12_345])("is continued by range from offset %s", async (offset) => {
    bench.server.faults.add({ kind: "cut", afterBytes: 300_000, how: "reset" }, "GetObject", { times: 3 });
    const got = await readAll(bench.storage.read("db/a", { ...(offset !== undefined && { offset }) }));
    expect(Buffer.compare(got, BODY.subarray(offset ?? 0))).toBe(0);
    expect(gets()).toHaveLength(4);
    for (const request of bench.server.requests.slice(1)) {
      expect(request.headers["range"]).toMatch(/^bytes=\d+-$/);
      expect(request.headers["if-match"]).toMatch(/^"[0-9a-f]{32}"$/);
    }
  });

  it("is continued to the end of the range that was asked for", async () => {
    bench.server.faults.add({ kind: "cut", afterBytes: 100_000, how: "reset" }, "GetObject");
    const got = await readAll(bench.storage.read("db/a", { offset: 1000, length: 500_000 }));
    expect(Buffer.compare(got, BODY.subarray(1000, 501_000))).toBe(0);
    expect(gets()[1]).toMatch(/^bytes=\d+-500999$/);
  });

  it("is continued when it promised more than it had", async () => {
    // The rest never comes, so the promise is broken at the object's end already.
    bench.server.faults.add({ kind: "length", differenceBytes: 10 }, "GetObject");
    expect(Buffer.compare(await readAll(bench.storage.read("db/a")), BODY)).toBe(0);
  });

  it("is continued after an outage of a minute", async () => {
    bench.server.faults.add({ kind: "cut", afterBytes: 300_000, how: "reset" }, "GetObject");
    bench.server.faults.add({ kind: "refuse", status: 500 }, "GetObject", { times: 60 });
    expect(Buffer.compare(await readAll(bench.storage.read("db/a")), BODY)).toBe(0);
  });

  it("fails when the object is another one meanwhile", async () => {
    bench.server.faults.add({ kind: "cut", afterBytes: 300_000, how: "reset" }, "GetObject");
    const read = async () => {
      let replaced = false;
      for await (const _piece of bench.storage.read("db/a")) {
        if (!replaced) await bench.storage.put("db/a", bytesOf(SIZE, 8));
        replaced = true;
      }
    };
    expect(await refusal(read())).toBe("STORAGE_CONFLICT");
  });

  it("fails when a server that does not know If-Match goes on with another object", async () => {
    bench.server.faults.add({ kind: "cut", afterBytes: 300_000, how: "reset" }, "GetObject");
    const change = (answer: Answer) => ({ ...answer, headers: { ...answer.headers, ETag: '"another"' } });
    bench.server.faults.add({ kind: "answer", when: "after", change }, "GetObject");
    expect(await refusal(readAll(bench.storage.read("db/a")))).toBe("STORAGE_CONFLICT");
  });

  it("fails when the object is gone meanwhile", async () => {
    bench.server.faults.add({ kind: "cut", afterBytes: 300_000, how: "reset" }, "GetObject");
    const read = async () => {
      for await (const _piece of bench.storage.read("db/a")) await bench.storage.delete(["db/a"]);
    };
    expect(await refusal(read())).toBe("STORAGE_NOT_FOUND");
  });

  it("gives up when nothing more comes, but not while something does", async () => {
    bench.server.faults.add({ kind: "cut", afterBytes: 50_000, how: "reset" }, "GetObject", { times: 20 });
    expect(Buffer.compare(await readAll(bench.storage.read("db/a")), BODY)).toBe(0);
    bench.server.requests.length = 0;
    bench.server.faults.add({ kind: "cut", afterBytes: 0, how: "reset" }, "GetObject", { times: 100 });
    expect(await refusal(readAll(bench.storage.read("db/a")))).toBe("STORAGE_NETWORK");
    expect(bench.server.requests).toHaveLength(6);
  });
});

it("is never taken for the end: a small object that is cut is read again", async () => {
  bench.server.faults.add({ kind: "cut", afterBytes: 5, how: "reset" }, "GetObject");
  const { body } = await bench.storage.get("db/a", { maxBytes: SIZE });
  expect(Buffer.compare(body, BODY)).toBe(0);
});

it("fails for a storage that ignores ranges", async () => {
  // A whole answer to a request for a part: told by its status.
  bench.server.faults.add({ kind: "refuse", status: 200, headers: { etag: '"x"' } }, "GetObject");
  expect(await refusal(readAll(bench.storage.read("db/a", { offset: 5 })))).toBe("STORAGE_REJECTED");
});

it("does not run ahead of its reader", async () => {
  await bench.storage.put("db/large", Buffer.alloc(32 * 1024 * 1024, 1));
  const pieces = bench.storage.read("db/large")[Symbol.asyncIterator]();
  await pieces.next();
  const before = process.memoryUsage().arrayBuffers;
  // What the sockets and the pool hold may come; the rest of 32 MB must not.
  for (let i = 0; i < 50; i++) await new Promise((resolve) => setImmediate(resolve));
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(4 * 1024 * 1024);
  await pieces.return?.(undefined);
});

it("gives its connection back, whether it is read to the end or left", async () => {
  for (let i = 0; i < 10; i++) await readAll(bench.storage.read("db/a"));
  expect(bench.server.connections.opened).toBeLessThanOrEqual(2);
  for (let i = 0; i < 20; i++) {
    for await (const _piece of bench.storage.read("db/a")) break;
  }
  await bench.storage.head("db/a");
  await expect.poll(() => bench.server.connections.open).toBeLessThanOrEqual(2);
});

it("stops when its caller does", async () => {
  const stop = new AbortController();
  const read = async () => {
    for await (const _piece of bench.storage.read("db/a", { signal: stop.signal })) stop.abort();
  };
  expect(await refusal(read())).toBe("ABORTED");
});

it("gives up on a storage that answers with nothing where something is", async () => {
  const nothing = { etag: '"x"', "content-range": `bytes 5-${SIZE - 1}/${SIZE}` };
  bench.server.faults.add({ kind: "refuse", status: 206, headers: nothing }, "GetObject", { times: 100 });
  expect(await refusal(readAll(bench.storage.read("db/a", { offset: 5 })))).toBe("STORAGE_NETWORK");
});
