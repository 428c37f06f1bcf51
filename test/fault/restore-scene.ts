import { copyFileSync, existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import Database from "better-sqlite3";
import { expect } from "vitest";
import { addNotes, contentOf, openApplication } from "../helpers/e2e/application.ts";
import { type Scene, scene } from "../helpers/e2e/scene.ts";
import { tempFolder } from "../helpers/e2e/temp-folder.ts";
import { runWalrust } from "../helpers/e2e/walrust.ts";
import type { CrashScene } from "./crash-scene.ts";
import { type Death, type Operation, runUntilDeath, traceOf } from "./dying.ts";
import { oldCopy } from "./old-copy.ts";
import { copyObjects, type Place, type PlaceName, placeOf } from "./place.ts";

const FILES = ["", "-wal", "-journal"] as const;

/** `restore` to a new file, or over a database whose last commits are in its log. */
export class RestoreScene implements CrashScene {
  readonly #at: Scene;
  readonly #place: Place;
  readonly #out: string;
  /** What a program that opens the output may see; undefined: there is none. */
  readonly #before: Buffer | undefined;
  readonly #after: Buffer;

  static async begin(isOver: boolean, placeName: PlaceName): Promise<RestoreScene> {
    const at = scene();
    const place = await placeOf(at, placeName);
    const source = await oldCopy();
    await copyObjects(source.storage, place.storage);
    const out = at.path("out.db");
    return new RestoreScene(
      at,
      place,
      isOver ? leaveDatabase(out) : undefined,
      Buffer.from(source.history.image()),
    );
  }

  private constructor(at: Scene, place: Place, before: Buffer | undefined, after: Buffer) {
    this.#at = at;
    this.#place = place;
    this.#out = at.path("out.db");
    this.#before = before;
    this.#after = after;
  }

  async die(death: Death): Promise<Operation | undefined> {
    return (await runUntilDeath(this.#at, death, this.#run())).operation;
  }

  trace(): Promise<readonly Operation[]> {
    return traceOf(this.#at, this.#run());
  }

  /** Untouched or whole, and nothing in between. */
  async afterDeath(): Promise<void> {
    const seen = seenAt(this.#out);
    const isWhole = seen?.equals(this.#after) === true;
    if (this.#before === undefined) expect(seen === undefined || isWhole, "nothing, or all of it").toBe(true);
    else expect(isWhole || seen?.equals(this.#before), "what stood there, or all of the new one").toBe(true);
  }

  async liveOn(): Promise<void> {
    const { args, env } = this.#run();
    const exit = await runWalrust(this.#at, args, { env });
    expect(exit.code, exit.stderr).toBe(0);
    expect(seenAt(this.#out)?.equals(this.#after)).toBe(true);
    const beside = readdirSync(this.#at.folder).filter((name) => name !== "storage");
    expect(beside, "what the dead one left").toEqual(["out.db"]);
  }

  #run() {
    const { address, args, env } = this.#place;
    const force = existsSync(this.#out) ? ["--force"] : [];
    return { args: ["restore", "app", "-o", this.#out, "-b", address, ...args, ...force], env };
  }
}

/** A database as its application leaves it that is killed: the last commits are in the log only. */
function leaveDatabase(path: string): Buffer {
  const app = openApplication(join(tempFolder(), "old.db"));
  addNotes(app, 20);
  app.pragma("wal_checkpoint(TRUNCATE)");
  addNotes(app, 20);
  const content = contentOf(app);
  for (const suffix of ["", "-wal"]) copyFileSync(app.name + suffix, path + suffix);
  return content;
}

/** What SQLite finds there, looked at on a copy, so that nothing is put right; undefined: no database. */
function seenAt(path: string): Buffer | undefined {
  if (!existsSync(path)) return undefined;
  const copy = join(tempFolder(), "copy.db");
  for (const suffix of FILES) if (existsSync(path + suffix)) copyFileSync(path + suffix, copy + suffix);
  const reader = new Database(copy);
  try {
    expect(reader.pragma("integrity_check", { simple: true })).toBe("ok");
    return reader.serialize();
  } finally {
    reader.close();
  }
}
