import * as fs from "node:fs";
import { dirname } from "node:path";
import type { SimulatedClock } from "./simulated-clock.ts";

/** Older than anything that is written: what has another time afterwards was written to. */
const LONG_AGO_S = 1;

/**
 * The machine's disk, as far as it matters that a machine can lose its power: of the files below one folder it remembers what they were when they were
 * last synced. And the times of files by the simulated clock, since what is watched by them cannot wait for the real one.
 */
export class Disk {
  readonly #clock: SimulatedClock;
  readonly #folder: string;
  /** What a file holds for good, where that is not what it holds. */
  readonly #content = new Map<string, Buffer>();
  /** What is found under a name for good, where that is not what is found there; undefined: nothing. */
  readonly #entries = new Map<string, Buffer | undefined>();
  readonly #changedAtMs = new Map<bigint, number>();

  /** @param folder of which a power loss takes what was not synced; the databases themselves are not in it */
  constructor(clock: SimulatedClock, folder: string) {
    this.#clock = clock;
    this.#folder = folder;
  }

  /** A file is about to be written to, or cut. */
  willWrite(path: string): void {
    if (!this.#tracks(path) || this.#content.has(path)) return;
    const content = contentOf(path);
    if (content !== undefined) this.#content.set(path, content);
  }

  /** A name is about to be made, to go, or to lead to another file. */
  willRename(path: string): void {
    if (!this.#tracks(path) || this.#entries.has(path)) return;
    this.#entries.set(path, this.#content.get(path) ?? contentOf(path));
    this.#content.delete(path);
  }

  /** The file or folder is synced. */
  synced(path: string): void {
    if (!this.#tracks(path) && path !== dirname(this.#folder)) return;
    this.#content.delete(path);
    for (const entry of this.#entries.keys()) if (dirname(entry) === path) this.#entries.delete(entry);
  }

  /** What is under another name now takes what it is synced of along. */
  renamed(from: string, to: string): void {
    const content = this.#content.get(from);
    this.#content.delete(from);
    this.#content.delete(to);
    if (content !== undefined && this.#tracks(to)) this.#content.set(to, content);
  }

  /** The power goes: of what was not synced, that is lost for which `isLost` says so. */
  losePower(isLost: (path: string) => boolean): void {
    for (const [path, content] of this.#content)
      if (fs.existsSync(path) && isLost(path)) fs.writeFileSync(path, content);
    for (const [path, content] of this.#entries) {
      if (!isLost(path) || !fs.existsSync(dirname(path))) continue;
      if (content === undefined) fs.rmSync(path, { recursive: true, force: true });
      else fs.writeFileSync(path, content);
    }
    this.forget();
  }

  /** Files below a folder that a power loss would take, or change. */
  unsynced(folder: string): readonly string[] {
    return [...this.#content.keys(), ...this.#entries.keys()].filter(
      (path) => path.startsWith(`${folder}/`) && fs.existsSync(path),
    );
  }

  /** What is there now is taken for synced. */
  forget(): void {
    this.#content.clear();
    this.#entries.clear();
  }

  /** Runs what may write to these files, and gives those that it wrote to the time that it is now. */
  timed<T>(paths: readonly string[], effect: () => T): T {
    for (const path of paths) if (fs.existsSync(path)) fs.utimesSync(path, LONG_AGO_S, LONG_AGO_S);
    try {
      return effect();
    } finally {
      for (const path of paths) {
        const stat = fs.statSync(path, { bigint: true, throwIfNoEntry: false });
        if (stat !== undefined && stat.mtimeMs !== BigInt(LONG_AGO_S * 1000))
          this.#changedAtMs.set(stat.ino, this.#clock.now());
      }
    }
  }

  /** What `stat` says, with the times of this machine. */
  withTimes<T extends fs.Stats | fs.BigIntStats | undefined>(stat: T): T {
    const atMs = stat && this.#changedAtMs.get(BigInt(stat.ino));
    if (stat === undefined || atMs === undefined) return stat;
    if (typeof stat.ino !== "bigint") return Object.assign(stat, { mtimeMs: atMs, ctimeMs: atMs });
    const [ms, ns] = [BigInt(atMs), BigInt(atMs) * 1_000_000n];
    return Object.assign(stat, { mtimeMs: ms, ctimeMs: ms, mtimeNs: ns, ctimeNs: ns });
  }

  #tracks(path: string): boolean {
    return path === this.#folder || path.startsWith(`${this.#folder}/`);
  }
}

function contentOf(path: string): Buffer | undefined {
  const stat = fs.statSync(path, { throwIfNoEntry: false });
  return stat?.isFile() ? fs.readFileSync(path) : undefined;
}
