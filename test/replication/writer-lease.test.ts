import { cpSync, readdirSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { type ErrorCode, isWalrustError, WalrustError } from "../../src/errors.ts";
import {
  CHECK_MS,
  GRACE_MS,
  takeWriterLease,
  type WriterIdentity,
  type WriterLease,
} from "../../src/replication/writer-lease.ts";
import { createShadowFolder, type ShadowFolder, shadowFolder } from "../../src/shadow/shadow-folder.ts";
import { formatWriterRecord, parseWriterRecord } from "../../src/storage/writer-record.ts";
import { ManualClock, settled } from "../helpers/manual-clock.ts";
import { MemoryStorage, type StorageOperation } from "../helpers/memory-storage.ts";
import { DyingStorage } from "../helpers/replication/dying-storage.ts";
import { tempFolder } from "../helpers/sqlite/temp-database.ts";

const KEY = "app/writer.json";
let ids = 0n;

/** One storage and one clock, and machines that want to write. */
class Scene {
  readonly clock = new ManualClock();
  readonly storage: MemoryStorage;

  constructor(options: { readonly conditionalPut?: boolean } = {}) {
    this.storage = new MemoryStorage({ now: () => this.clock.now(), ...options });
  }

  machine(host: string, more: Partial<WriterIdentity> = {}): Machine {
    return new Machine(this, { host, pid: 100, boot: "1", ...more });
  }

  get record() {
    return parseWriterRecord(this.storage.peek(KEY), KEY);
  }

  calls(operation: StorageOperation): number {
    return this.storage.calls.filter((call) => call.operation === operation).length;
  }
}

class Machine {
  readonly folder: ShadowFolder;
  readonly told: string[] = [];
  readonly scene: Scene;
  readonly self: WriterIdentity;

  constructor(scene: Scene, self: WriterIdentity) {
    this.scene = scene;
    this.self = self;
    this.folder = shadowFolder(join(tempFolder(), "app.db"));
    createShadowFolder(this.folder);
  }

  /** Another process of it, or a run of another kind. */
  take(
    options: { takeOver?: boolean; self?: Partial<WriterIdentity>; storage?: DyingStorage } = {},
  ): Promise<WriterLease> {
    const { storage, clock } = this.scene;
    const { takeOver = false, self, storage: under = storage } = options;
    return takeWriterLease({
      ...{ storage: under, clock, takeOver, name: "app", folder: this.folder },
      self: { ...this.self, ...self },
      newWriterId: () => {
        ids += 1n;
        return ids;
      },
      onTakeOver: ({ host }, waitMs) => this.told.push(`${host} ${waitMs}`),
    });
  }

  /** Takes it, however long that lasts on the clock. */
  async taken(options: Parameters<Machine["take"]>[0] = {}): Promise<WriterLease> {
    const taking = this.take(options);
    taking.catch(() => {});
    await this.scene.clock.advance(GRACE_MS);
    return taking;
  }
}

const nothing = async () => {};

async function code(work: Promise<unknown>): Promise<ErrorCode | undefined> {
  try {
    await work;
    return undefined;
  } catch (error) {
    if (isWalrustError(error)) return error.code;
    throw error;
  }
}

describe("taking it", () => {
  test("the first writer: epoch 1, with one PUT; its next process goes on with one look and no PUT", async () => {
    const scene = new Scene();
    const a = scene.machine("a");
    const lease = await a.take();
    const sinceMs = scene.clock.now();
    expect(scene.record).toEqual({ id: lease.id, epoch: 1, host: "a", pid: 100, boot: "1", sinceMs });
    expect(lease.isFirst).toBe(true);
    await lease.hold(nothing);
    expect(scene.calls("get")).toBe(0);
    const again = await a.take({ self: { pid: 101 } });
    expect(again).toMatchObject({ id: lease.id, isFirst: false });
    expect(scene.calls("put")).toBe(1);
    expect(scene.calls("get")).toBe(1);
    expect(a.told).toEqual([]);
  });

  test("a new machine takes over, and the old one has its time to notice first", async () => {
    const scene = new Scene();
    const a = await scene.machine("a").take();
    const machine = scene.machine("b");
    let taken = false;
    const taking = machine.take().then((lease) => {
      taken = true;
      return lease;
    });
    await scene.clock.advance(GRACE_MS - 1);
    expect(taken, "the other one may still publish").toBe(false);
    expect(machine.told).toEqual([`a ${GRACE_MS}`]);
    expect(await code(a.hold(nothing))).toBe("STORAGE_FENCED");
    await scene.clock.advance(1);
    const b = await taking;
    expect(scene.record).toMatchObject({ id: b.id, epoch: 2, host: "b" });
    expect(b.isFirst).toBe(false);
    await b.hold(nothing);
  });

  test("from a process of the same machine that has ended: nobody is waited for", async () => {
    const scene = new Scene();
    await scene.machine(hostname(), { pid: 2 ** 22 + 1 }).take();
    const other = scene.machine(hostname());
    await other.take();
    expect(other.told).toEqual([`${hostname()} 0`]);
    expect(scene.record.epoch).toBe(2);
  });

  test("from a process of the same machine that lives: waited for", async () => {
    const scene = new Scene();
    await scene.machine(hostname(), { pid: process.pid }).take();
    const other = scene.machine(hostname());
    await other.taken();
    expect(other.told).toEqual([`${hostname()} ${GRACE_MS}`]);
  });

  test("who was fenced does not take it back by itself, but when asked to, and once", async () => {
    const scene = new Scene();
    const a = scene.machine("a");
    const b = scene.machine("b");
    await a.take();
    const held = await b.taken();
    for (let start = 0; start < 3; start += 1) await expect(a.take()).rejects.toMatchObject(fencedBy("b", 2));
    expect(scene.record.epoch).toBe(2);
    await a.taken({ takeOver: true });
    expect(scene.record).toMatchObject({ host: "a", epoch: 3 });
    expect(await code(held.hold(nothing))).toBe("STORAGE_FENCED");
    await expect(b.take()).rejects.toMatchObject(fencedBy("a", 3));
    await a.take();
  });

  test("stopped while it waits: the next process waits for the rest, not less", async () => {
    const scene = new Scene();
    await scene.machine("a").take();
    const machine = scene.machine("b");
    const dead = machine.take(); // nothing comes of it any more
    dead.catch(() => {});
    await scene.clock.advance(5000);
    let taken = false;
    const taking = machine.take().then((lease) => {
      taken = true;
      return lease;
    });
    await scene.clock.advance(GRACE_MS - 5001);
    expect(taken).toBe(false);
    await scene.clock.advance(1);
    await (await taking).hold(nothing);
    expect(scene.record).toMatchObject({ host: "b", epoch: 2 });
    const puts = scene.calls("put");
    await machine.take();
    expect(scene.calls("put")).toBe(puts);
  });

  test("while it waits, a third one takes it: the one in the middle is fenced before it ever wrote", async () => {
    const scene = new Scene();
    await scene.machine("a").take();
    const b = scene.machine("b").take();
    b.catch(() => {});
    await settled();
    const c = await scene.machine("c").taken();
    await expect(b).rejects.toMatchObject(fencedBy("c", 3));
    await c.hold(nothing);
  });

  test.each([true, false])(
    "two at the same moment, conditions on PUT %s: one has it in the end",
    async (conditionalPut) => {
      for (const isBehind of [false, true]) {
        const scene = new Scene({ conditionalPut });
        if (isBehind) await scene.machine("x").taken();
        const leases = ["a", "b", "c"].map((host) => scene.machine(host).take());
        for (const lease of leases) lease.catch(() => {});
        for (let round = 0; round < 10; round += 1) await scene.clock.advance(GRACE_MS);
        const holding = await Promise.all(
          leases.map((lease) => code(lease.then((taken) => taken.hold(nothing)))),
        );
        expect(holding.filter((outcome) => outcome === undefined)).toHaveLength(1);
        expect(holding.filter((outcome) => outcome === "STORAGE_FENCED")).toHaveLength(2);
      }
    },
  );

  test("two at the same moment, without conditions on PUT: one alone may begin to write", async () => {
    const scene = new Scene({ conditionalPut: false });
    const taking = ["a", "b", "c"].map((host) => code(scene.machine(host).take()));
    await scene.clock.advance(GRACE_MS);
    expect((await Promise.all(taking)).sort()).toEqual(["STORAGE_FENCED", "STORAGE_FENCED", undefined]);
  });

  test.each(["before", "after"] as const)(
    "killed at the very first PUT, %s its effect: the next process has it at once",
    async (effect) => {
      const scene = new Scene();
      const a = scene.machine(hostname(), { pid: 2 ** 22 + 1 }); // which no process has
      const dying = new DyingStorage(scene.storage, 0, effect);
      await Promise.race([a.take({ storage: dying }), dying.death]);
      const lease = await a.take();
      await lease.hold(nothing);
      expect(scene.record).toMatchObject({ id: lease.id, epoch: effect === "after" ? 2 : 1 });
    },
  );

  test("the answer to the very first PUT is lost, and it had its effect: the next try goes on with it at once", async () => {
    const scene = new Scene();
    const a = scene.machine("a");
    const error = new WalrustError("STORAGE_UNAVAILABLE", "no answer");
    scene.storage.fault = ({ operation }) => (operation === "put" ? { kind: "after", error } : undefined);
    expect(await code(a.take())).toBe("STORAGE_UNAVAILABLE");
    scene.storage.fault = () => undefined;
    const { id } = scene.record;
    expect((await a.take()).id).toBe(id);
    expect(scene.record.epoch).toBe(1);
    expect(a.told).toEqual([]);
  });

  test.each([
    ["GET", "before", 0],
    ["GET", "after", 0],
    ["PUT", "before", 1],
    ["PUT", "after", 1],
  ] as const)(
    "asked to take over, killed at the %s, %s its effect: the next process has it at once",
    async (request, effect, at) => {
      const scene = new Scene();
      const a = scene.machine("a");
      await a.take();
      await scene.machine("b").taken();
      const dying = new DyingStorage(scene.storage, at, effect);
      await Promise.race([a.take({ takeOver: true, storage: dying }), dying.death]);
      const tookEffect = request === "PUT" && effect === "after";
      const lease = await a.taken(tookEffect ? {} : { takeOver: true });
      await lease.hold(nothing);
      expect(scene.record).toMatchObject({ id: lease.id, host: "a", epoch: 3 });
    },
  );

  test("without conditions on PUT it is looked at first: another writer's record is never overwritten unseen", async () => {
    const scene = new Scene({ conditionalPut: false });
    await scene.machine("a").taken();
    const b = await scene.machine("b").taken();
    expect(scene.record).toMatchObject({ id: b.id, epoch: 2 });
    expect(scene.storage.calls.map(({ operation }) => operation).slice(0, 2)).toEqual(["get", "put"]);
  });

  test("a copy of the local state is another writer: elsewhere, and beside it", async () => {
    for (const host of ["elsewhere", "a"]) {
      const scene = new Scene();
      const a = scene.machine("a");
      const lease = await a.take();
      const copy = scene.machine(host);
      cpSync(a.folder.path, copy.folder.path, { recursive: true });
      const other = await copy.taken();
      expect(other.id).not.toBe(lease.id);
      expect(scene.record).toMatchObject({ epoch: 2, host });
      expect(await code(lease.hold(nothing))).toBe("STORAGE_FENCED");
    }
  });

  test("a copy of the whole machine: the one that was started last has it, and the other one notices", async () => {
    const scene = new Scene();
    const machine = scene.machine("a");
    await machine.take();
    const memory = tempFolder();
    cpSync(machine.folder.writer, join(memory, "writer.json"));
    const first = await machine.take({ self: { boot: "2" } });
    expect(scene.record).toMatchObject({ id: first.id, epoch: 2 });
    await machine.take({ self: { boot: "2" } });
    expect(scene.record.epoch, "the machine goes on").toBe(2);
    cpSync(join(memory, "writer.json"), machine.folder.writer);
    await expect(machine.take({ self: { boot: "3" } })).rejects.toMatchObject({ code: "STORAGE_FENCED" });
  });

  test("its record was deleted, or is older than what is remembered: it is put back", async () => {
    const scene = new Scene();
    const a = scene.machine("a");
    await a.take();
    const old = scene.storage.peek(KEY);
    await a.take({ self: { boot: "2" } });
    for (const happens of [() => scene.storage.remove(KEY), () => scene.storage.poke(KEY, old)]) {
      happens();
      await a.take({ self: { boot: "2" } });
      expect(scene.record.epoch).toBe(2);
    }
  });

  test.each(["STORAGE_UNAVAILABLE", "STORAGE_AUTH", "STORAGE_REJECTED"] as const)(
    "%s is never taken for “nobody writes”",
    async (kind) => {
      const scene = new Scene();
      const [known, unknown] = [scene.machine("a"), scene.machine("b")];
      await known.take();
      const before = scene.storage.peek(KEY);
      const error = new WalrustError(kind, "no");
      scene.storage.fault = ({ operation }) => (operation === "get" ? { kind: "before", error } : undefined);
      for (const machine of [known, unknown]) expect(await code(machine.take())).toBe(kind);
      expect(scene.storage.peek(KEY)).toEqual(before);
    },
  );

  test("a record that cannot be read is left alone, and named", async () => {
    const scene = new Scene();
    scene.storage.poke(KEY, Buffer.from("{}"));
    await expect(scene.machine("a").take()).rejects.toMatchObject({
      code: "INTEGRITY_FORMAT",
      message: expect.stringContaining(KEY),
    });
  });

  test("another storage, or another name: the memory does not count", async () => {
    const scene = new Scene();
    const a = scene.machine("a");
    await a.take();
    const elsewhere = new Scene();
    const taking = takeWriterLease({
      ...{ storage: elsewhere.storage, clock: elsewhere.clock, name: "other", folder: a.folder },
      ...{ self: a.self, newWriterId: () => 999n, takeOver: false, onTakeOver: () => {} },
    });
    expect((await taking).id).toBe(999n);
  });

  test("nothing but the note is left in the folder", async () => {
    const scene = new Scene();
    const a = scene.machine("a");
    await a.take();
    expect(readdirSync(a.folder.path).toSorted()).toEqual(["writer.json"]);
  });
});

describe("holding it", () => {
  async function held() {
    const scene = new Scene();
    const lease = await scene.machine("a").take();
    return { scene, lease, gets: () => scene.calls("get") };
  }

  /** As another machine would, without a wait. */
  function takenBy(scene: Scene, host: string, epoch: number): void {
    const record = { id: 0xffffn, epoch, host, pid: 7, sinceMs: scene.clock.now() };
    scene.storage.poke(KEY, formatWriterRecord(record));
  }

  test("costs a look every 15 s while there is something to publish, and none otherwise", async () => {
    const { scene, lease, gets } = await held();
    const before = gets();
    for (let second = 0; second < 60; second += 1) {
      await lease.hold(nothing);
      await scene.clock.advance(1000);
    }
    expect(gets() - before).toBe(3);
    await scene.clock.advance(3_600_000);
    expect(gets() - before).toBe(3);
    await lease.hold(nothing);
    expect(gets() - before).toBe(4);
  });

  test("lost: the next work does not begin, and from then on nothing is asked any more", async () => {
    const { scene, lease, gets } = await held();
    takenBy(scene, "b", 2);
    await scene.clock.advance(CHECK_MS);
    let began = 0;
    const work = async () => {
      began += 1;
    };
    await expect(lease.hold(work)).rejects.toMatchObject(fencedBy("b", 2));
    const before = gets();
    await expect(lease.hold(work)).rejects.toMatchObject(fencedBy("b", 2));
    expect([began, gets() - before]).toEqual([0, 0]);
  });

  test("lost during long work: the work is ended by the next look, before the new writer begins", async () => {
    const { scene, lease } = await held();
    let ended = Number.NaN;
    const work = lease.hold(
      (signal) =>
        new Promise((_, reject) => {
          signal.addEventListener("abort", () => {
            ended = scene.clock.monotonicMs();
            reject(new WalrustError("ABORTED", "stopped"));
          });
        }),
    );
    work.catch(() => {});
    await scene.clock.advance(40_000);
    takenBy(scene, "b", 2);
    const sinceMs = scene.clock.monotonicMs();
    await scene.clock.advance(GRACE_MS);
    await expect(work).rejects.toMatchObject(fencedBy("b", 2));
    expect(ended - sinceMs).toBeLessThan(GRACE_MS);
  });

  test("lost while the process stood still: what it did then does not count", async () => {
    for (const jump of ["pass", "jump"] as const) {
      const { scene, lease } = await held();
      const work = lease.hold(async () => {
        takenBy(scene, "b", 2);
        scene.clock[jump](GRACE_MS); // asleep: not even timers ran
      });
      await expect(work).rejects.toMatchObject(fencedBy("b", 2));
    }
  });

  test("the machine slept: its monotonic clock stood still, and it looks all the same", async () => {
    const { scene, lease, gets } = await held();
    await lease.hold(nothing);
    const before = gets();
    for (const jumpMs of [3_600_000, -3_600_000]) {
      scene.clock.jump(jumpMs);
      await lease.hold(nothing);
    }
    expect(gets() - before).toBe(2);
  });

  test("the record was deleted: put back with the same epoch, and held on", async () => {
    const { scene, lease } = await held();
    scene.storage.remove(KEY);
    await scene.clock.advance(CHECK_MS);
    await lease.hold(nothing);
    expect(scene.record).toMatchObject({ id: lease.id, epoch: 1 });
  });

  test("a look that shows an older state is no reason to stop", async () => {
    const scene = new Scene();
    await scene.machine("a").take();
    const stale = scene.storage.peek(KEY);
    const lease = await scene.machine("b").taken();
    await scene.clock.advance(CHECK_MS);
    const current = scene.storage.peek(KEY);
    scene.storage.poke(KEY, stale);
    let looks = 0;
    scene.storage.fault = ({ operation }) => {
      looks += operation === "get" ? 1 : 0;
      if (operation === "put") scene.storage.poke(KEY, current); // what it has been all the time
      return undefined;
    };
    await lease.hold(nothing);
    expect(looks).toBe(2);
    expect(scene.record).toMatchObject({ id: lease.id, epoch: 2 });
  });

  test("the record deleted, and a new machine began at epoch 1: the higher epoch has it", async () => {
    const scene = new Scene();
    await scene.machine("a").take();
    const b = await scene.machine("b").taken();
    scene.storage.remove(KEY);
    const c = await scene.machine("c").take();
    await scene.clock.advance(CHECK_MS);
    await b.hold(nothing);
    expect(await code(c.hold(nothing))).toBe("STORAGE_FENCED");
  });

  test("storage does not answer: nothing is published on a guess, and it goes on when it answers", async () => {
    const { scene, lease } = await held();
    await scene.clock.advance(CHECK_MS);
    const error = new WalrustError("STORAGE_UNAVAILABLE", "away");
    let began = 0;
    const work = async () => {
      began += 1;
    };
    scene.storage.fault = () => ({ kind: "before", error });
    expect(await code(lease.hold(work))).toBe("STORAGE_UNAVAILABLE");
    expect(await code(lease.hold(work))).toBe("STORAGE_UNAVAILABLE");
    expect(began).toBe(0);
    scene.storage.fault = () => undefined;
    await lease.hold(work);
    expect(began).toBe(1);
  });

  test("a deleted record that cannot be put back yet is asked for again", async () => {
    const { scene, lease } = await held();
    scene.storage.remove(KEY);
    await scene.clock.advance(CHECK_MS);
    const error = new WalrustError("STORAGE_UNAVAILABLE", "away");
    scene.storage.fault = ({ operation }) => (operation === "put" ? { kind: "before", error } : undefined);
    expect(await code(lease.hold(nothing))).toBe("STORAGE_UNAVAILABLE");
    expect(await code(lease.hold(nothing)), "a look alone is no leave").toBe("STORAGE_UNAVAILABLE");
  });

  test("errors of the work and the caller's stop come through, and no timer stays behind", async () => {
    const { scene, lease } = await held();
    const error = new WalrustError("STORAGE_TIMEOUT", "slow");
    await expect(lease.hold(() => Promise.reject(error))).rejects.toBe(error);
    const stop = new AbortController();
    const stopped = lease.hold(
      (signal) => new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason))),
      { signal: stop.signal },
    );
    await settled();
    stop.abort(error);
    await expect(stopped).rejects.toBe(error);
    expect(await lease.hold(async () => 5)).toBe(5);
    expect(scene.clock.sleepers).toBe(0);
  });
});

function fencedBy(host: string, epoch: number) {
  return {
    code: "STORAGE_FENCED",
    exitCode: 4,
    message: expect.stringMatching(new RegExp(`process \\d+ on ${host}, since 2026-`)),
    hint: expect.stringContaining("--take-over"),
    details: expect.objectContaining({ host, epoch }),
  };
}
