import { closeSync, openSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { exactPin } from "../../src/sqlite/exact-pin.ts";
import { barrierHandover, optimisticHandover, truncateLog } from "../../src/sqlite/handover.ts";
import { inspectDatabase } from "../../src/sqlite/inspect.ts";
import type { DatabaseLink } from "../../src/sqlite/link.ts";
import { openLink, Probe, settledIndex } from "../helpers/sqlite/probe.ts";
import { locksOf, readSlotsOf } from "../helpers/sqlite/proc-locks.ts";
import { tempFolder } from "../helpers/sqlite/temp-database.ts";
import { startWriter } from "../helpers/writers/start-writer.ts";

const BARRIER = { tries: 10_000, maxHeldMs: 50, maxFrames: 10_000 };

/** Everything that opens, reads or closes something; the pin's locks must be there after each. */
const OPERATIONS: readonly (readonly [name: string, run: (link: DatabaseLink, probe: Probe) => unknown])[] = [
  ["inspectDatabase", (link) => inspectDatabase(link.facts.paths.database)],
  ["movePin", (link) => link.movePin()],
  ["releaseSpare", (link) => link.releaseSpare()],
  ["passive", (link) => link.passive()],
  ["a second link, opened and closed", (link) => openLink(link.facts.paths.database).close()],
  ["reading the main file", (link) => link.readMain(new Uint8Array(4096), 0)],
  ["reading the log", (link) => link.readWal(new Uint8Array(32), 0)],
  ["walSize", (link) => link.walSize()],
  ["index", (link) => settledIndex(link)],
  ["samePath", (link) => link.samePath()],
  ["a snapshot", (_, probe) => probe.live()],
  ["an exact pin", (link, probe) => endIfPinned(exactPin(link, probe.drain, { tries: 1, barrierTries: 1 }))],
  ["an optimistic handover", (link, probe) => optimisticHandover(link, probe.drain)],
  ["a barrier", (link, probe) => barrierHandover(link, probe.drain, BARRIER)],
  ["truncateLog", (link, probe) => truncateLog(link, probe.drain)],
  ["a barrier that fails", (link) => expect(() => tryUntilHeld(link)).toThrow("on purpose")],
];

describe.runIf(process.platform === "linux")("POSIX locks (pitfall 14), from /proc/locks", () => {
  test("the pin survives every operation, while another process writes", async () => {
    const database = `${tempFolder()}/app.db`;
    const writer = await startWriter({ database, rate: 200 });
    try {
      const link = openLink(database);
      link.pin();
      const probe = Probe.begin(link);
      const { shm } = link.facts.paths;
      for (const [name, run] of OPERATIONS) {
        run(link, probe);
        expect(locksOf(database), `${name}: lock on the main file`).toEqual(["READ 1073741826-1073742335"]);
        expect(locksOf(shm), `${name}: lock on the -shm`).toContain("READ 128-128");
        expect(readSlotsOf(shm), `${name}: one pin`).toHaveLength(1);
      }
      link.close();
      expect(locksOf(database)).toEqual([]);
      expect(locksOf(shm)).toEqual([]);
    } finally {
      await writer.stop();
    }
  });

  test("a link that is closed leaves the locks of another one alone", async () => {
    const database = `${tempFolder()}/app.db`;
    const writer = await startWriter({ database, rate: 200 });
    try {
      const link = openLink(database);
      link.pin();
      const other = openLink(database);
      other.pin();
      other.close();
      expect(locksOf(database)).toHaveLength(1);
      expect(readSlotsOf(link.facts.paths.shm)).toHaveLength(1);
    } finally {
      await writer.stop();
    }
  });

  test("what all this avoids: closing any other descriptor drops the locks", async () => {
    const database = `${tempFolder()}/app.db`;
    const writer = await startWriter({ database, rate: 200 });
    try {
      openLink(database).pin();
      closeSync(openSync(database, "r"));
      expect(locksOf(database)).toEqual([]);
    } finally {
      await writer.stop();
    }
  });
});

function endIfPinned(result: ReturnType<typeof exactPin>): void {
  if (result.kind === "pinned") result.pin.end();
}

function tryUntilHeld(link: DatabaseLink): never {
  for (;;) {
    link.tryBarrier(() => {
      throw new Error("on purpose");
    });
  }
}
