import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Database from "better-sqlite3";
import { dice } from "../../src/bench/dice.ts";
import { SimulatedDaemon } from "./daemon.ts";
import type { Move, Schedule } from "./moves.ts";
import { SimulationFailure } from "./oracle.ts";
import type { Production } from "./program.ts";
import type { Fate, Operation, SimulatedProcess } from "./simulated-process.ts";
import { NAME, troubleOf } from "./simulated-storage.ts";
import { errno, World } from "./world.ts";

export interface Outcome {
  readonly failure: SimulationFailure | undefined;
  /** What happened, line by line. */
  readonly story: readonly string[];
  readonly announced: number;
  readonly states: number;
}

type Load = (process: SimulatedProcess, world: World) => Production;

/** Memory, where there is some for files. */
const ROOM = existsSync("/dev/shm") ? "/dev/shm" : tmpdir();
const HEALED_WITHIN_MS = 600_000;
const STEPS_LIMIT = 200_000;
const WORK_PATIENCE_MS = 1500;
const QUIET_CHECK_MS = 300_000;
/** Of requests that are due after a quiet while: the manifest. */
const SETTLED_MS = 120_000;

/** Plays a schedule, then lets everything heal, and compares. */
export async function simulate(load: Load, schedule: Schedule): Promise<Outcome> {
  const folder = mkdtempSync(join(ROOM, "walrust-simulation-"));
  const story: string[] = [];
  const simulation = new Simulation(load, schedule, folder, (line) =>
    story.push(line.replaceAll(folder, "")),
  );
  let failure: SimulationFailure | undefined;
  try {
    await simulation.play();
  } catch (error) {
    failure =
      error instanceof SimulationFailure
        ? error
        : new SimulationFailure("crash", String((error as Error).stack));
  } finally {
    await simulation.end();
    rmSync(folder, { recursive: true, force: true });
  }
  const { oracle } = simulation.world;
  return { failure, story, announced: oracle.announced.length, states: oracle.states };
}

class Simulation {
  readonly world: World;
  readonly #schedule: Schedule;
  readonly #folder: string;
  readonly #tell: (line: string) => void;
  #daemon: SimulatedDaemon | undefined;
  #isCompacted = false;
  #isManifestLost = false;
  #restores = 0;

  constructor(load: Load, schedule: Schedule, folder: string, tell: (line: string) => void) {
    this.#schedule = schedule;
    this.#folder = folder;
    this.#tell = tell;
    this.world = new World({ folder, setup: schedule.setup, load, tell });
  }

  async play(): Promise<void> {
    this.#daemon = await SimulatedDaemon.begin(this.world);
    for (const move of this.#schedule.moves) {
      this.#tell(JSON.stringify(move));
      const applied = await this.#apply(move);
      if (!applied) this.#tell("  (does not apply)");
      await this.world.turn();
    }
    this.#tell("everything heals");
    await this.#heal();
    await this.#quiet();
    await this.#drain();
    await this.#audit();
  }

  /** Leaves nothing behind, whatever happened. */
  async end(): Promise<void> {
    for (const process of [...this.world.processes]) process.kill();
    await this.world.turn().catch(() => {});
    this.world.application.crash();
  }

  /** False: it does not apply now. */
  async #apply(move: Move): Promise<boolean> {
    const { world } = this;
    switch (move.kind) {
      case "application":
        return world.move(move.does);
      case "amid":
        world.lieInWait({
          left: move.operation,
          among: move.among,
          strikes: () => void world.move(move.does),
        });
        return true;
      case "work":
        return this.#work(move.steps, move.order);
      case "time":
        return this.#pass(move.ms);
      case "clock-jump":
        world.clock.jump(move.ms);
        return true;
      case "trouble":
        return world.trouble(move.pick, {
          kind: move.effect ? "unanswered" : "refused",
          error: troubleOf(move.says),
        });
      case "outage":
        world.storage.isAway = move.begins;
        return true;
      case "file-error":
        world.lieInWait({ left: move.operation, strikes: (operation) => fileError(move.code, operation) });
        return true;
      case "disk-full":
        world.isDiskFull = move.begins;
        return true;
      case "kill":
        world.lieInWait({
          left: move.operation,
          among: move.among,
          who: move.who,
          strikes: () => ({ kind: "death", at: move.at }),
        });
        return true;
      case "power-loss":
        await world.losePower(move.keeps, move.zeros, move.order);
        return true;
      default:
        return this.#ask(move);
    }
  }

  async #ask(
    move: Extract<
      Move,
      {
        kind:
          | "start"
          | "stop"
          | "hint"
          | "snapshot"
          | "compact"
          | "restore"
          | "lose-local-state"
          | "lose-manifest";
      }
    >,
  ): Promise<boolean> {
    const { world } = this;
    const isAlive = this.#daemon?.isAlive === true;
    switch (move.kind) {
      case "start":
        if (!isAlive) this.#daemon = await SimulatedDaemon.begin(world);
        return !isAlive;
      case "stop":
        if (isAlive) this.#daemon?.stop();
        return isAlive;
      case "hint":
        if (isAlive) this.#daemon?.task.hint();
        return isAlive;
      case "snapshot":
        if (isAlive) this.#daemon?.task.snapshot("command").catch(() => {}); // it may be killed, or fail: it told that
        return isAlive;
      case "compact":
        if (this.#schedule.setup.layout !== "walrust") return false;
        void this.#compact();
        return true;
      case "restore":
        void this.#restoreMeanwhile();
        return true;
      case "lose-local-state":
        if (isAlive) return false;
        rmSync(world.shadowFolder, { recursive: true, force: true });
        world.disk.forget();
        return true;
      case "lose-manifest": {
        // once: nobody could tell a second loss, right behind a compaction that made a new one, from files that are gone
        const isFirst = !this.#isManifestLost;
        if (isFirst) world.storage.objects.remove(`${NAME}/manifest.json`);
        this.#isManifestLost = true;
        return isFirst;
      }
      default:
        return move satisfies never;
    }
  }

  /** Steps of whoever can go on. */
  async #work(steps: number, order: number): Promise<boolean> {
    const throwDice = dice(order);
    const untilMs = this.world.clock.elapsedMs() + WORK_PATIENCE_MS;
    for (let step = 0; step < steps; step++) {
      const patienceMs = untilMs - this.world.clock.elapsedMs();
      if (patienceMs <= 0 || !(await this.world.step(throwDice, patienceMs))) return step > 0;
    }
    return true;
  }

  /** Time passes, and everybody goes on as he can. */
  async #pass(ms: number): Promise<boolean> {
    const first = () => 0;
    const untilMs = this.world.clock.elapsedMs() + ms;
    for (let steps = 0; ; steps++) {
      if (steps > STEPS_LIMIT) {
        const ends = this.world.recent.join("\n  ");
        throw new SimulationFailure(
          "spinning",
          `${STEPS_LIMIT} steps within ${ms} ms of the clock, the last of them\n  ${ends}`,
        );
      }
      const leftMs = untilMs - this.world.clock.elapsedMs();
      if (leftMs <= 0 && this.world.waiting.length === 0) return true;
      if (!(await this.world.step(first, Math.max(0, leftMs))) && leftMs <= 0) return true;
    }
  }

  async #compact(): Promise<void> {
    const { process, production } = this.world.begin("compaction");
    this.#isCompacted = true;
    const storage = this.world.storage.of(process, production.WalrustError);
    const clock = this.world.clock.of(process);
    const policy = {
      retention: { hourly: 2, daily: 2, weekly: 1, monthly: 1 },
      compaction: { fineWindowMs: 60_000, stepMs: 10_000 },
    };
    await production.Sha256.begin();
    const options = { policy, force: true };
    await production.compact({ storage, cores: new production.CorePool(), clock }, NAME, options).then(
      ({ plan }) =>
        this.#tell(
          `    compacted: deleted ${plan.deletions.map(({ file }) => file.key).join(" ")}; ${plan.merges.length} merged`,
        ),
      (error) => process.isAlive && this.#trouble("compact", error, /^(STORAGE|LOCAL|RESTORE_NOTHING)/),
    );
    this.world.ended(process);
  }

  async #restoreMeanwhile(): Promise<void> {
    const { process, production } = this.world.begin("restore");
    const least = this.world.oracle.newestTxid;
    const path = join(this.#folder, `restore-${++this.#restores}`, "restored.db");
    mkdirSync(join(path, ".."));
    await production.Sha256.begin();
    await production
      .restore(
        {
          storage: this.world.storage.of(process, production.WalrustError),
          cores: new production.CorePool(),
        },
        NAME,
        path,
      )
      .then(
        ({ point }) => this.world.oracle.restoredMeanwhile(readFileSync(path), point.txid, least),
        (error) =>
          process.isAlive &&
          this.#trouble(
            "restore",
            error,
            least === 0n ? /^(STORAGE|LOCAL|DATABASE|RESTORE)/ : /^(STORAGE|LOCAL|DATABASE)/,
          ),
      )
      .catch((error) => this.world.failWith(error));
    this.world.ended(process);
  }

  /** Trouble that the world made is no failure. */
  #trouble(
    what: string,
    error: { readonly code?: string; readonly stack?: string; readonly message: string },
    allowed: RegExp,
  ): void {
    this.#tell(`    ${what}: ${error.code}: ${error.message}`);
    if (!allowed.test(error.code ?? ""))
      this.world.failWith(new SimulationFailure(`${what} fails`, `${error.code} ${error.stack}`));
  }

  /** No trouble any more: within a limit, storage has what the database is. */
  async #heal(): Promise<void> {
    const { world } = this;
    world.calm();
    while (world.move({ kind: "reader-ends" }));
    world.move({ kind: "end-large", how: "COMMIT" });
    if (!this.#daemon?.isAlive) this.#daemon = await SimulatedDaemon.begin(world);
    const untilMs = world.clock.elapsedMs() + HEALED_WITHIN_MS;
    while (world.clock.elapsedMs() < untilMs) {
      await this.#pass(5000);
      if (this.#daemon?.result !== undefined)
        this.#daemon = await SimulatedDaemon.begin(world); // it was told to stop
      else if (await this.#isHealed()) return;
    }
    const status = this.#daemon?.task.status();
    throw new SimulationFailure(
      "not healed",
      `after ${HEALED_WITHIN_MS} ms without trouble the copy is not what the database is; ${JSON.stringify(status, (_, value) => (typeof value === "bigint" ? String(value) : value))}`,
    );
  }

  async #isHealed(): Promise<boolean> {
    const status = this.#daemon?.task.status();
    if (status === undefined || status.lastError !== undefined || this.#isBusy) return false;
    if (status.capturedTxid !== status.publishedTxid || status.lagMs > 0) return false;
    const [image] = await this.#restored(undefined).catch(() => [undefined]);
    return image !== undefined && this.world.oracle.isNow(image);
  }

  /** A compaction or a restore is on its way beside the daemon. */
  get #isBusy(): boolean {
    return [...this.world.processes].some(({ name }) => name !== "daemon");
  }

  /** Where nobody writes, nothing is asked of storage. */
  async #quiet(): Promise<void> {
    if (!this.#schedule.setup.endsQuietly) return;
    await this.#pass(SETTLED_MS);
    const { calls } = this.world.storage.objects;
    const before = calls.length;
    await this.#pass(QUIET_CHECK_MS);
    const since = calls.slice(before).map(({ operation, key }) => `${operation} ${key}`);
    if (since.length > 0) throw new SimulationFailure("requests for nothing", since.join(", "));
  }

  /** The end: it stops, and says that everything is stored. */
  async #drain(): Promise<void> {
    this.#daemon?.stop();
    await this.#pass(1000);
    const result = this.#daemon?.result;
    if (result?.isComplete !== true || result.error !== undefined)
      throw new SimulationFailure(
        "drain",
        `it ended with ${result?.error?.stack ?? JSON.stringify(result?.isComplete)}`,
      );
  }

  /** Everything that was announced is there, and is what it was. */
  async #audit(): Promise<void> {
    const { oracle, storage } = this.world;
    const { process, production } = this.world.begin("restore");
    const cores = new production.CorePool();
    const report = await this.#alone(
      production.verify({ storage: storage.of(process, production.WalrustError), cores }, NAME),
    );
    const [finding] = report.findings;
    if (finding)
      throw new SimulationFailure("verify", `${finding.kind} ${finding.object}: ${finding.message}`);
    if (!this.#isCompacted) {
      const lost = oracle.announced.filter((txid) => !report.restorableTxids.includes(txid));
      if (lost.length > 0)
        throw new SimulationFailure("lost point", `TXID ${lost.join(", ")} was announced and is gone`);
    }
    let state = 0;
    for (const txid of report.restorableTxids) {
      const [image] = await this.#restored(txid);
      state = oracle.restored(txid, image, state);
      if (txid === report.headTxid && !oracle.isNow(image))
        throw new SimulationFailure("lost commit", `TXID ${txid}, the last one, is not what the database is`);
    }
    if (!report.restorableTxids.includes(report.headTxid))
      throw new SimulationFailure("lost point", `TXID ${report.headTxid}, the last one, cannot be restored`);
  }

  async #restored(txid: bigint | undefined): Promise<[image: Buffer, txid: bigint]> {
    const { process, production } = this.world.begin("restore");
    const path = join(this.#folder, `restore-${++this.#restores}`, "restored.db");
    mkdirSync(join(path, ".."));
    await production.Sha256.begin();
    const target = txid === undefined ? {} : { target: { kind: "txid", txid } as const };
    const deps = {
      storage: this.world.storage.of(process, production.WalrustError),
      cores: new production.CorePool(),
    };
    const { point } = await this.#alone(production.restore(deps, NAME, path, target));
    this.world.ended(process);
    return [readFileSync(path), point.txid];
  }

  /** Goes on until it is done; time passes only if nothing else can happen. */
  async #alone<T>(work: Promise<T>): Promise<T> {
    let isDone = false;
    const done = () => {
      isDone = true;
    };
    work.then(done, done);
    await this.world.turn();
    for (let steps = 0; !isDone; steps++) {
      if (steps > STEPS_LIMIT) throw new SimulationFailure("hang", "a restore or verification does not end");
      await this.world.step(() => 0, 1000);
    }
    return work;
  }
}

/** Not known to fail, or not to say so. */
const UNFAILING = new Set(["close", "exists"]);

/** As SQLite tells what its own files say. */
const TOLD_BY_SQLITE = {
  EIO: "SQLITE_IOERR_READ",
  ENOSPC: "SQLITE_FULL",
  EMFILE: "SQLITE_CANTOPEN",
  EACCES: "SQLITE_READONLY",
};

function fileError(code: keyof typeof TOLD_BY_SQLITE, operation: Operation): Fate | undefined {
  if (operation.kind === "pause" || operation.kind === "storage" || UNFAILING.has(operation.name))
    return undefined;
  const error =
    operation.kind === "sqlite"
      ? new Database.SqliteError("simulated", TOLD_BY_SQLITE[code])
      : errno(code, operation);
  return { kind: "refused", error };
}
