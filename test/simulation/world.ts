import * as fs from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { dice } from "../../src/bench/dice.ts";
import { Application, type ApplicationMove } from "./application.ts";
import { Disk } from "./disk.ts";
import type { ProcessName, Setup } from "./moves.ts";
import { Oracle, SimulationFailure } from "./oracle.ts";
import type { Production } from "./program.ts";
import { SimulatedClock } from "./simulated-clock.ts";
import { abandon } from "./simulated-driver.ts";
import type { Deferred, Fate, Operation, Supervisor } from "./simulated-process.ts";
import { SimulatedProcess } from "./simulated-process.ts";
import { SimulatedStorage, troubleOf } from "./simulated-storage.ts";
import { SyncedLog } from "./synced-log.ts";

/** Something that is going to happen at an operation to come. */
interface Ambush {
  readonly who?: ProcessName;
  readonly among?: "operations" | "statements" | "requests";
  /** Operations until then. */
  left: number;
  readonly strikes: (operation: Operation) => Fate | undefined;
}

export interface WorldOptions {
  readonly folder: string;
  readonly setup: Setup;
  /** The program, loaded anew for a process. */
  readonly load: (process: SimulatedProcess, world: World) => Production;
  /** Told what happens, for the script of a failure. */
  readonly tell: (line: string) => void;
}

/** A refused writer has to get through within this time of the clock. */
const LONGEST_REFUSAL_MS = 2000;
const RECENT = 40;
const DISK_FULL_FAILS = /^(write|writeFile|open|mkdir|copyFile|link)$/;

/** One machine with one database, its application, and a storage far away. */
export class World implements Supervisor {
  readonly clock = new SimulatedClock();
  readonly storage = new SimulatedStorage(() => this.clock.now());
  readonly oracle = new Oracle();
  readonly disk: Disk;
  readonly application: Application;
  readonly path: string;
  readonly folder: string;
  readonly setup: Setup;
  readonly tell: (line: string) => void;
  readonly #options: WorldOptions;
  readonly #waiting: Deferred[] = [];
  readonly #ambushes: Ambush[] = [];
  readonly #dead: SimulatedProcess[] = [];
  readonly processes = new Set<SimulatedProcess>();
  readonly #syncedLog: SyncedLog;
  #pids = 1000;
  #failure: unknown;
  readonly #recent: string[] = [];
  isDiskFull = false;
  boot = 1;
  #refusedSinceMs: number | undefined;

  constructor(options: WorldOptions) {
    const { folder, setup, tell } = options;
    this.#options = options;
    this.setup = setup;
    this.folder = folder;
    this.tell = tell;
    this.path = join(folder, "app.db");
    this.#syncedLog = new SyncedLog(this.path);
    this.disk = new Disk(this.clock, join(folder, ".app.db-walrust"));
    this.application = this.#timed(
      () =>
        new Application({
          ...{ path: this.path, pageSizeBytes: setup.pageSizeBytes },
          ...{ autoVacuum: setup.autoVacuum, autocheckpoint: setup.autocheckpoint },
          onState: (image) => this.oracle.becomes(image),
          onWrite: (outcome) => this.#noteWrite(outcome),
        }),
    );
  }

  get shadowFolder(): string {
    return join(this.folder, ".app.db-walrust");
  }

  /** A new life of the program, and what it is made of. */
  begin(name: ProcessName): { readonly process: SimulatedProcess; readonly production: Production } {
    this.#pids += 1;
    const process = new SimulatedProcess(name, this.#pids, this);
    this.processes.add(process);
    return { process, production: this.#options.load(process, this) };
  }

  /** It has ended by itself. */
  ended(process: SimulatedProcess): void {
    this.processes.delete(process);
  }

  /** The operations of late, for the story of a hang. */
  get recent(): readonly string[] {
    return this.#recent;
  }

  fateOf(operation: Operation, process: SimulatedProcess): Fate {
    this.#recent.push(`${process.name}: ${operation.name} ${operation.target.replace(this.folder, "")}`);
    if (this.#recent.length > RECENT) this.#recent.shift();
    for (const ambush of [...this.#ambushes]) {
      if (ambush.who !== undefined && ambush.who !== process.name) continue;
      if (ambush.among === "statements" && operation.kind !== "sqlite") continue;
      if (ambush.among === "requests" && operation.kind !== "storage") continue;
      ambush.left -= 1;
      if (ambush.left > 0) continue;
      this.#ambushes.splice(this.#ambushes.indexOf(ambush), 1);
      this.tell(`  (${process.name} is at ${operation.name} ${operation.target.replace(this.folder, "")})`);
      const fate = this.#strike(ambush, operation);
      if (fate) return fate;
    }
    if (
      this.isDiskFull &&
      operation.kind === "file" &&
      DISK_FULL_FAILS.test(operation.name) &&
      this.#isOurs(operation.target)
    )
      return { kind: "refused", error: errno("ENOSPC", operation) };
    return { kind: "done" };
  }

  /** What fails in the middle of walrust is not walrust's to handle. */
  #strike(ambush: Ambush, operation: Operation): Fate | undefined {
    try {
      return ambush.strikes(operation);
    } catch (error) {
      this.#failure ??= error;
      return undefined;
    }
  }

  defer(deferred: Deferred): void {
    this.#waiting.push(deferred);
  }

  died(process: SimulatedProcess): void {
    this.#dead.push(process);
    this.processes.delete(process);
    for (let i = this.#waiting.length - 1; i >= 0; i--) {
      const waiting = this.#waiting[i];
      // a request may still arrive; everything else ends with the process
      if (waiting?.process === process && waiting.operation.kind !== "storage") this.#waiting.splice(i, 1);
    }
  }

  /** In the middle of what walrust does: at the n-th operation from now. */
  lieInWait(ambush: Ambush): void {
    this.#ambushes.push({ ...ambush });
  }

  /** Ends the simulation at the end of this turn. */
  failWith(failure: unknown): void {
    this.#failure ??= failure;
  }

  calm(): void {
    this.#ambushes.length = 0;
    this.isDiskFull = false;
    this.storage.isAway = false;
  }

  move(does: ApplicationMove): boolean {
    if (does.kind === "crash") this.#syncedLog.note();
    return this.#timed(() => this.application.move(does));
  }

  /** What waits for its turn at this moment. */
  get waiting(): readonly Deferred[] {
    return this.#waiting;
  }

  /** One request fails. False: there is none. */
  async trouble(pick: number, fate: Exclude<Fate, { kind: "death" }>): Promise<boolean> {
    const requests = this.#waiting.filter(({ operation }) => operation.kind === "storage");
    const request = requests[pick % Math.max(1, requests.length)];
    if (request === undefined) return false;
    this.tell(`  (${request.process.name}'s ${request.operation.name} ${request.operation.target})`);
    await this.#end(request, fate);
    return true;
  }

  /** Whoever can go on goes on: one step, or else time passes, up to `patienceMs`. False: nothing can happen in that time. */
  async step(throwDice: () => number, patienceMs: number): Promise<boolean> {
    const next = this.#waiting[Math.floor(throwDice() * this.#waiting.length)];
    if (next === undefined) {
      const moved = this.clock.step(patienceMs);
      await this.turn();
      return moved;
    }
    if (next.operation.kind !== "storage" || (!this.storage.isAway && next.process.isAlive))
      await this.#end(next, { kind: "done" });
    // who died asked for something that may never have arrived
    else if (!next.process.isAlive) await this.#end(next, throwDice() < 0.5 ? { kind: "done" } : lost());
    else await this.#end(next, lost());
    return true;
  }

  async #end(deferred: Deferred, fate: Exclude<Fate, { kind: "death" }>): Promise<void> {
    this.#waiting.splice(this.#waiting.indexOf(deferred), 1);
    deferred.end(fate);
    await this.turn();
  }

  /** Everybody goes on until he waits for the schedule; the dead are carried off. */
  async turn(): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve));
    for (const process of this.#dead.splice(0)) this.#bury(process);
    const [key] = this.storage.deletedTooEarly;
    if (key !== undefined)
      throw new SimulationFailure("deleted too early", `${key}, which the manifest names`);
    if (this.#failure) throw this.#failure;
  }

  /** As the kernel does: locks and descriptors go. */
  #bury(process: SimulatedProcess): void {
    this.#syncedLog.note();
    this.#timed(() => {
      for (const connection of process.connections) if (connection.open) abandon(connection);
    });
    process.connections.clear();
    for (const fd of process.descriptors.keys()) fs.closeSync(fd);
    process.descriptors.clear();
  }

  /** The machine stops. What was not synced may be gone, of the log and of our own files. */
  async losePower(keeps: number, zeros: boolean, order: number): Promise<void> {
    this.#syncedLog.note();
    for (const process of [...this.processes]) process.kill();
    await this.turn();
    this.#timed(() => this.application.crash());
    this.#timed(() => this.#syncedLog.tear(keeps, zeros));
    const throwDice = dice(order);
    const all = throwDice() < 0.5;
    this.disk.losePower(() => all || throwDice() < 0.5);
    this.boot += 1;
    this.#timed(() => this.application.reopen());
  }

  /** Around every statement of walrust on the database. */
  statement<T>(sql: string, effect: () => T): T {
    // behind a checkpoint the application may overwrite frames that are nowhere else than in a segment
    const [segment] = this.disk.unsynced(this.shadowFolder).filter((path) => path.endsWith(".frames"));
    if (segment !== undefined && sql.includes("wal_checkpoint"))
      this.failWith(new SimulationFailure("unsynced segment", segment));
    return this.#timed(effect);
  }

  #timed<T>(effect: () => T): T {
    if (!this.setup.parks) return effect();
    return this.disk.timed([this.path, `${this.path}-wal`], effect);
  }

  #noteWrite(outcome: "written" | "refused"): void {
    const nowMs = this.clock.elapsedMs();
    if (outcome === "written") this.#refusedSinceMs = undefined;
    else this.#refusedSinceMs ??= nowMs;
    const forMs = nowMs - (this.#refusedSinceMs ?? nowMs);
    if (forMs > LONGEST_REFUSAL_MS)
      throw new SimulationFailure("blocked writer", `writes were refused for ${forMs} ms`);
  }

  /** Not of the database, which SQLite writes. */
  #isOurs(path: string): boolean {
    return path.startsWith(this.shadowFolder) || path.startsWith(join(this.folder, "restore"));
  }

  get identity() {
    return { host: hostname(), boot: String(this.boot) };
  }
}

const lost = () => ({ kind: "refused", error: troubleOf("STORAGE_NETWORK") }) as const;

export function errno(code: string, { name, target }: Pick<Operation, "name" | "target">): Error {
  return Object.assign(new Error(`${code}: simulated, ${name} '${target}'`), {
    code,
    syscall: name,
    path: target,
  });
}
