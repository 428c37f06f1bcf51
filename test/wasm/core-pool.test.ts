import { expect, test } from "vitest";
import { CorePool } from "../../src/wasm/core-pool.ts";

test("cores are made as needed, reused, and no more than the limit", () => {
  const pool = new CorePool({ maxCores: 2 });
  const first = pool.tryAcquire();
  const second = pool.tryAcquire();
  expect(first?.core === second?.core).toBe(false);
  expect(pool.tryAcquire()).toBeUndefined();
  second?.release();
  const third = pool.tryAcquire();
  expect(third?.core === second?.core).toBe(true);
});

test("who waits gets the next core, in order; nobody overtakes", async () => {
  const pool = new CorePool({ maxCores: 1 });
  const holder = await pool.acquire();
  const order: string[] = [];
  const wait = async (name: string) => {
    const lease = await pool.acquire();
    order.push(name);
    return lease;
  };
  const a = wait("a");
  const b = wait("b");
  holder.release();
  expect(pool.tryAcquire()).toBeUndefined();
  (await a).release();
  expect((await b).core === holder.core).toBe(true);
  expect(order).toEqual(["a", "b"]);
});

test("a lease is given back once, however often it says so", async () => {
  const pool = new CorePool({ maxCores: 1 });
  const lease = await pool.acquire();
  lease.release();
  lease.release();
  expect(pool.tryAcquire()).toBeDefined();
  expect(pool.tryAcquire()).toBeUndefined();
});

test("waiting ends with the signal, and does not swallow a core", async () => {
  const pool = new CorePool({ maxCores: 1 });
  const holder = await pool.acquire();
  const abort = new AbortController();
  const waiting = pool.acquire({ signal: abort.signal });
  abort.abort();
  await expect(waiting).rejects.toBe(abort.signal.reason);
  await expect(pool.acquire({ signal: abort.signal })).rejects.toBe(abort.signal.reason);
  holder.release();
  expect(pool.tryAcquire()?.core === holder.core).toBe(true);
});
