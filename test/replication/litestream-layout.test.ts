import { readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { WalrustError } from "../../src/errors.ts";
import { hasChecksums } from "../../src/ltx/format.ts";
import { decodeHeader } from "../../src/ltx/header.ts";
import { decodeTrailer } from "../../src/ltx/trailer.ts";
import { verify } from "../../src/restore/verify.ts";
import { encodeFile } from "../helpers/ltx/encode-file.ts";
import { Stage } from "../helpers/replication/stage.ts";
import { testCore } from "../helpers/sqlite/probe.ts";
import { changePageSize, checkpoint, insert } from "../helpers/sqlite/temp-database.ts";

const hex = (txid: number) => txid.toString(16).padStart(16, "0");
const live = (txid: number) => `0000/${hex(txid)}-${hex(txid)}.ltx`;
const whole = (txid: number) => `0009/${hex(1)}-${hex(txid)}.ltx`;

/** A chain of four files, nobody watching. */
async function stopped(options: { readonly cursorSaved: boolean; readonly sql?: string }): Promise<Stage> {
  const stage = new Stage({ layout: "litestream" });
  const replica = await stage.begin();
  for (let i = 0; i < 3; i += 1) {
    insert(stage.app, 30);
    stage.app.exec(options.sql ?? "");
    await stage.publishAll(replica);
  }
  if (options.cursorSaved) await replica.saveCursor();
  stage.endLives();
  expect(stage.files()).toEqual([1, 2, 3, 4].map(live));
  return stage;
}

/** A file as another program would write it: in place of ours, or behind it. */
async function pokeForeign(stage: Stage, txid: number): Promise<void> {
  const page = Buffer.from(stage.image().subarray(0, 4096));
  const file = await encodeFile(testCore(), {
    ...{ pageSizeBytes: 4096, commit: stage.image().length / 4096, noChecksum: true },
    pages: [{ pgno: 1, page }],
    fields: { minTxid: BigInt(txid), maxTxid: BigInt(txid), walOffset: 32n, nodeId: 0n },
  });
  file.bytes.fill(0, 80, 88); // Litestream writes no body checksum
  stage.storage.poke(`app/${live(txid)}`, file.bytes);
}

describe("what is written", () => {
  test("files that Litestream takes: no checksums of the database, a place in the log, no manifest", async () => {
    const stage = await stopped({ cursorSaved: true });
    expect(stage.storage.keys()).toEqual([1, 2, 3, 4].map((txid) => `app/${live(txid)}`));
    for (const key of stage.storage.keys()) {
      const bytes = Buffer.from(stage.storage.peek(key));
      const header = decodeHeader(bytes);
      expect(hasChecksums(header)).toBe(false);
      expect(header.preApply).toBe(0n);
      expect(decodeTrailer(bytes.subarray(-16)).postApply).toBe(0n);
      expect(header.walOffset).toBeGreaterThanOrEqual(32n);
    }
  });

  test("the time of an object is that of the last commit in it, by which Litestream finds a point in time", async () => {
    const stage = new Stage({ layout: "litestream" });
    const replica = await stage.begin();
    insert(stage.app);
    await stage.capture(replica);
    const point = await replica.pinForSnapshot();
    await stage.clock.advance(90_000);
    await replica.publish();
    await replica.publishSnapshot(point);
    point.end();
    const objects = [];
    for await (const object of stage.storage.list("app/")) objects.push(object);
    const times = objects.map(({ key }) => decodeHeader(stage.storage.peek(key)).timestampMs);
    expect(objects.map(({ lastModifiedMs }) => lastModifiedMs)).toEqual(times);
    expect(Math.max(...times)).toBeLessThan(stage.clock.now() - 80_000);
  });

  test("a publication takes one TXID, however many commits and pieces of log it is made of", async () => {
    const stage = new Stage({ layout: "litestream" });
    const replica = await stage.begin();
    for (let round = 0; round < 3; round += 1) {
      for (let commit = 0; commit < 3; commit += 1) insert(stage.app, 10);
      await stage.capture(replica);
      expect(stage.handover(replica)).toMatchObject({ kind: "done" });
      expect(checkpoint(stage.app, "RESTART")[0]).toBe(0);
    }
    expect(replica.capture.state.txid).toBe(2n);
    expect(await replica.publish()).toMatchObject({ minTxid: 2n, maxTxid: 2n });
    expect(await replica.publish()).toBeUndefined();
    insert(stage.app);
    await stage.publishAll(replica);
    expect(stage.files()).toEqual([1, 2, 3].map(live));
    await stage.expectWhole();
  });

  test("what is captured while a publication is under way is the next one", async () => {
    const stage = new Stage({ layout: "litestream" });
    const replica = await stage.begin();
    insert(stage.app);
    await stage.capture(replica);
    const publishing = replica.publish();
    insert(stage.app);
    await stage.capture(replica);
    expect(await publishing).toMatchObject({ maxTxid: 2n });
    expect(replica.capture.state.txid).toBe(3n);
    expect(await replica.publish()).toMatchObject({ minTxid: 3n, maxTxid: 3n });
    await stage.expectWholeEverywhere();
  });

  test("a snapshot lies in level 9, and no publication reaches over it", async () => {
    const stage = new Stage({ layout: "litestream" });
    const replica = await stage.begin();
    insert(stage.app);
    await stage.capture(replica);
    const point = await replica.pinForSnapshot();
    insert(stage.app);
    await stage.capture(replica);
    expect(await replica.publish()).toMatchObject({ maxTxid: point.txid });
    await replica.publishSnapshot(point);
    point.end();
    await stage.publishAll(replica);
    expect(stage.files()).toEqual([live(1), live(2), live(3), whole(2)]);
    await stage.expectWholeEverywhere();
  });

  test("our own files prove what they are, and restores prove it", async () => {
    const stage = await stopped({ cursorSaved: true });
    const { soundFiles } = await verify(stage.deps, "app");
    expect(soundFiles.map(({ file }) => file.postApply)).not.toContain(undefined);
    // of another life, whose database has the same size
    const stranger = await stopped({ cursorSaved: false, sql: "UPDATE t SET body = upper(body)" });
    stage.storage.poke(`app/${live(3)}`, stranger.storage.peek(`app/${live(3)}`));
    expect(stranger.image().length).toBe(stage.image().length);
    await expect(stage.restored()).rejects.toMatchObject({
      code: "INTEGRITY_CHAIN",
      message: expect.stringContaining("post-apply"),
    });
  });

  test("an answer that got lost: our own file is found, and adopted", async () => {
    const stage = new Stage({ layout: "litestream" });
    const replica = await stage.begin();
    insert(stage.app);
    await stage.capture(replica);
    stage.storage.fault = ({ operation }) => {
      if (operation !== "upload") return undefined;
      stage.storage.fault = () => undefined;
      return { kind: "after", error: new WalrustError("STORAGE_NETWORK", "the answer got lost") };
    };
    await expect(replica.publish()).rejects.toMatchObject({ code: "STORAGE_NETWORK" });
    expect(stage.files()).toEqual([live(1), live(2)]);
    expect(await replica.publish()).toMatchObject({ maxTxid: 2n });
    expect(stage.files()).toEqual([live(1), live(2)]);
    await stage.expectWhole();
  });
});

describe("what a restart may conclude (capture.md, On start)", () => {
  type Case = readonly [
    what: string,
    before: { readonly cursorSaved: boolean; readonly prepare?: (stage: Stage) => unknown },
    expected: { readonly duty: object; readonly outcome?: object; readonly files: readonly string[] },
  ];
  const continues = { duty: { kind: "none" }, files: [live(5)] };
  const begunAnew = (txid: number, reason: string) => ({
    duty: { kind: "snapshot", txid: BigInt(txid), reason },
    files: [live(txid), whole(txid), live(txid + 1)],
  });
  const changedAway = ({ app }: Stage) => {
    insert(app, 5);
    expect(checkpoint(app, "RESTART")[0]).toBe(0);
    insert(app, 5);
  };
  const forget = ({ folder }: Stage) => rmSync(folder.cursor);
  const forgetAndWrite = (stage: Stage) => {
    forget(stage);
    insert(stage.app, 3);
  };

  const cases: readonly Case[] = [
    ["stopped in order", { cursorSaved: true }, continues],
    [
      "killed: the files that are newer than the cursor bring it up to the head",
      { cursorSaved: false },
      continues,
    ],
    [
      "the log was restarted and written to: a repair, as one TXID",
      { cursorSaved: true, prepare: changedAway },
      { duty: { kind: "repair" }, outcome: { kind: "repaired" }, files: [live(5), live(6)] },
    ],
    [
      "killed, and the log was restarted and written to",
      { cursorSaved: false, prepare: changedAway },
      { duty: { kind: "repair" }, outcome: { kind: "repaired" }, files: [live(5), live(6)] },
    ],
    [
      "no local state, and the database is what our own head says: adopted without an upload",
      { cursorSaved: true, prepare: forget },
      { duty: { kind: "compare" }, outcome: { kind: "adopted" }, files: [live(5)] },
    ],
    [
      "no local state, and the database is another: a new chain, in both levels",
      { cursorSaved: true, prepare: forgetAndWrite },
      {
        duty: { kind: "compare" },
        outcome: { kind: "snapshot", reason: "unproved" },
        files: [live(5), live(6), whole(5)],
      },
    ],
    [
      "Litestream went on behind us: nothing is proved of its head",
      { cursorSaved: true, prepare: (stage) => pokeForeign(stage, 5) },
      begunAnew(6, "no-checksum-stored"),
    ],
    [
      "Litestream's file stands in place of ours",
      { cursorSaved: true, prepare: (stage) => pokeForeign(stage, 4) },
      begunAnew(5, "no-checksum-stored"),
    ],
    [
      "the newest files are gone, and the cursor knows of them",
      { cursorSaved: true, prepare: ({ storage }) => storage.remove(`app/${live(4)}`) },
      begunAnew(5, "objects-missing"),
    ],
    [
      "a file in between is gone: nothing leads to the head",
      { cursorSaved: true, prepare: ({ storage }) => storage.remove(`app/${live(3)}`) },
      begunAnew(5, "no-snapshot-stored"),
    ],
    [
      "everything is gone: TXIDs go on",
      {
        cursorSaved: true,
        prepare: ({ storage }) => [1, 2, 3, 4].map((txid) => storage.remove(`app/${live(txid)}`)),
      },
      begunAnew(5, "nothing-stored"),
    ],
    [
      "the newest TXID is not in level 0, where Litestream looks for it",
      {
        cursorSaved: true,
        prepare: ({ storage }) => {
          const bytes = storage.peek(`app/${live(4)}`);
          storage.remove(`app/${live(4)}`);
          storage.poke(`app/0001/${hex(4)}-${hex(4)}.ltx`, bytes);
        },
      },
      begunAnew(5, "no-snapshot-stored"),
    ],
  ];

  test.each(cases)("%s", async (_, { cursorSaved, prepare }, { duty, outcome, files }) => {
    const stage = await stopped({ cursorSaved });
    await prepare?.(stage);
    const before = new Set(stage.files());
    const replica = await stage.open();
    expect(replica.duty).toMatchObject(duty);
    const done = await stage.doDuty(replica);
    if (outcome !== undefined) expect(done).toMatchObject(outcome);
    insert(stage.app);
    await stage.publishAll(replica);
    expect(
      stage
        .files()
        .filter((file) => !before.has(file))
        .sort(),
    ).toEqual([...files].sort());
    expect((await stage.restored()).equals(stage.image())).toBe(true);
    await replica.saveCursor();
    stage.endLives();
    expect((await stage.open()).duty, "and then there is nothing left to do").toEqual({ kind: "none" });
  });

  describe("the size of the pages changed while nobody watched", () => {
    test("a file of other pages cannot be applied to those before it: the snapshot comes first", async () => {
      const stage = await stopped({ cursorSaved: true });
      changePageSize(stage.app, 8192);
      const uploaded: string[] = [];
      stage.storage.fault = ({ operation, key }) => {
        if (operation === "upload") uploaded.push(key);
        return undefined;
      };
      const replica = await stage.open();
      expect(replica.duty).toMatchObject({ kind: "snapshot", reason: "page-size-changed" });
      expect(await stage.doDuty(replica)).toMatchObject({ file: { minTxid: 1n, maxTxid: 5n } });
      expect(uploaded).toEqual([whole(5), live(5)].map((file) => `app/${file}`));
      insert(stage.app);
      await stage.publishAll(replica);
      await stage.expectWhole();
    });

    test.each([0, 1, 2])("killed when it had stored %i files: the newest can be restored", async (stored) => {
      const stage = await stopped({ cursorSaved: true });
      const before = stage.image();
      changePageSize(stage.app, 8192);
      const { length } = stage.files();
      stage.storage.fault = ({ operation }) =>
        operation === "upload" && stage.files().length === length + stored
          ? { kind: "before", error: new WalrustError("STORAGE_NETWORK", "killed") }
          : undefined;
      const replica = await stage.open();
      const done = stage.doDuty(replica);
      if (stored < 2) await expect(done).rejects.toMatchObject({ code: "STORAGE_NETWORK" });
      else await done;
      stage.endLives();
      stage.storage.fault = () => undefined;
      expect((await stage.restored()).equals(stored === 0 ? before : stage.image())).toBe(true);
      insert(stage.app);
      const next = await stage.begin();
      await stage.publishAll(next);
      expect(stage.files(), "Litestream looks for the newest in level 0").toContain(
        live(Number(next.published?.txid)),
      );
      await stage.expectWhole();
      stage.endLives();
      expect((await stage.open()).duty).toEqual({ kind: "none" });
    });
  });

  test("frames that a stop left behind are published, as one TXID", async () => {
    const stage = await stopped({ cursorSaved: true });
    const replica = await stage.open();
    for (let commit = 0; commit < 3; commit += 1) insert(stage.app);
    await stage.capture(replica);
    replica.capture.drain();
    stage.endLives();
    const again = await stage.open();
    expect(again.duty).toEqual({ kind: "none" });
    expect(await again.publish()).toMatchObject({ minTxid: 5n, maxTxid: 5n });
    await stage.expectWhole();
  });

  test("a segment between two others is lost: nothing is published over that hole", async () => {
    const stage = await stopped({ cursorSaved: true });
    const replica = await stage.open();
    for (let round = 0; round < 3; round += 1) {
      insert(stage.app, 10);
      await stage.capture(replica);
      expect(stage.handover(replica)).toMatchObject({ kind: "done" });
      expect(checkpoint(stage.app, "RESTART")[0]).toBe(0);
    }
    stage.endLives();
    const [first] = readdirSync(stage.folder.segments).sort();
    rmSync(join(stage.folder.segments, first ?? ""));
    const before = stage.files();
    await stage.begin();
    // frames of the others alone would be a state that the database never was in
    expect(stage.files()).toEqual([...before, live(5)]);
    await stage.expectWhole();
  });
});

describe("the other layout under the same name", () => {
  test.each([
    ["walrust", "litestream"],
    ["litestream", "walrust"],
  ] as const)("a copy in the %s layout is not gone on with in the %s layout", async (found, asked) => {
    const stage = new Stage({ layout: found });
    await stage.begin();
    stage.endLives();
    const before = stage.storage.keys();
    await expect(stage.open({ layout: asked })).rejects.toMatchObject({
      code: "CONFIG_INVALID",
      message: expect.stringContaining(`${found} layout`),
    });
    expect(stage.storage.keys()).toEqual(before);
  });
});
