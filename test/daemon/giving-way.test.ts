import { statSync } from "node:fs";
import { expect, test } from "vitest";
import { CheckpointerWatch } from "../../src/sqlite/checkpointer-watch.ts";
import { Watched } from "../helpers/daemon/watched.ts";
import { Stage } from "../helpers/replication/stage.ts";
import { lockLine } from "../helpers/sqlite/proc-locks.ts";
import { type CheckpointMode, checkpoint, insert } from "../helpers/sqlite/temp-database.ts";

/* The application's own checkpoints (capture.md, "Giving way"). */

const OTHER_PID = 4_000_000;
const COMMIT_EVERY_MS = 10;
/** While events go on, the watcher's batches come so far apart. */
const HINT_EVERY_MS = 500;
/** The busy timeout of a checkpoint, and how long SQLite sleeps between its tries: it has its locks then, whether or not the way is free. */
const WITHIN_MS = 200;
const TRY_EVERY_MS = 50;

const MODES: readonly CheckpointMode[] = ["FULL", "RESTART", "TRUNCATE"];

/** A database whose application is another process, as far as the list of locks tells. */
class Scene {
  readonly stage = new Stage();
  looks = 0;
  #waits = false;
  #watched: Watched | undefined;
  #hintedMs = Number.NEGATIVE_INFINITY;
  readonly #checkpointers = new CheckpointerWatch({
    clock: this.stage.clock,
    readLocks: () => {
      this.looks += 1;
      const { ino } = statSync(`${this.stage.path}-shm`);
      return Buffer.from(this.#waits ? lockLine(OTHER_PID, ino, "120 121") : "");
    },
  });

  static async begin(walSyncIntervalMs: number): Promise<Scene> {
    const scene = new Scene();
    scene.stage.app.pragma("wal_autocheckpoint = 0");
    scene.stage.app.pragma("busy_timeout = 0");
    const sync = { walSyncIntervalMs, monitorIntervalMs: 1000 };
    scene.#watched = await Watched.begin(scene.stage, { sync, checkpointers: scene.#checkpointers });
    return scene;
  }

  get watched(): Watched {
    if (this.#watched === undefined) throw new Error("not begun");
    return this.#watched;
  }

  async commits(count: number): Promise<void> {
    for (let done = 0; done < count; done += 1) {
      insert(this.stage.app);
      const nowMs = this.stage.clock.monotonicMs();
      if (nowMs - this.#hintedMs >= HINT_EVERY_MS) {
        this.#hintedMs = nowMs;
        this.watched.task.hint();
      }
      await this.stage.clock.advance(COMMIT_EVERY_MS);
    }
  }

  /** Whether a checkpoint succeeds within its busy timeout. */
  async checkpoints(mode: CheckpointMode): Promise<boolean> {
    const isDone = () => checkpoint(this.stage.app, mode)[0] === 0;
    for (let leftMs = WITHIN_MS; leftMs > 0 && !isDone(); leftMs -= TRY_EVERY_MS) {
      this.#waits = true;
      await this.stage.clock.advance(TRY_EVERY_MS);
    }
    this.#waits = false;
    return isDone();
  }
}

test("of a writer that does not pause every one succeeds, wherever in the sync interval it comes", async () => {
  const scene = await Scene.begin(1000);
  const failed: string[] = [];
  for (let round = 0; round < 24; round += 1) {
    await scene.commits(11 + round);
    const mode = MODES[round % MODES.length] ?? "FULL";
    if (!(await scene.checkpoints(mode))) failed.push(`${round}: ${mode}`);
  }
  expect(failed).toEqual([]);
  await scene.stage.clock.advance(10_000);
  await scene.stage.expectWhole();
});

test("the first commit after a long quiet, within a long sync interval: a hint of the watcher is enough", async () => {
  const scene = await Scene.begin(3_600_000);
  await scene.commits(1);
  await scene.stage.clock.advance(60_000);
  const { looks } = scene;
  await scene.stage.clock.advance(60_000);
  expect(scene.looks, "nobody is looked out for meanwhile").toBe(looks);
  for (const mode of MODES) {
    await scene.commits(1);
    expect(await scene.checkpoints(mode), mode).toBe(true);
    await scene.stage.clock.advance(60_000);
  }
});

test("nobody is looked out for any more after the stop, though hints come until its end", async () => {
  const scene = await Scene.begin(1000);
  const { watched } = scene;
  await scene.commits(20);
  const stopped = watched.stop();
  watched.task.hint();
  await stopped;
  watched.task.hint();
  const { looks } = scene;
  await scene.stage.clock.advance(10_000);
  expect(scene.looks).toBe(looks);
});
