import { readdir } from "node:fs/promises";
import { basename, dirname } from "node:path";
import type { AsyncSubscription } from "@parcel/watcher";
import type { Clock } from "../clock.ts";
import { isShadowFolder, SHADOW_FOLDERS } from "../shadow/shadow-folder.ts";

/** Told that a file of a database may have changed. Only a hint: the poll alone must suffice. */
export interface Hinted {
  hint(): void;
}

const LOG_SUFFIX = "-wal";

/**
 * What lies in subfolders is not watched: a plain subscription walks the whole tree. What we write ourselves would wake the watcher each time. The
 * subfolders themselves would still have a watch each, which a writer in one of them pays for: they are ignored by name.
 */
const IGNORED = ["*/**", SHADOW_FOLDERS];
/** Each name is compared with each event's. Of more subfolders none is named. */
const MOST_NAMED = 100;
/** Such a name would be taken for a pattern. */
const LIKE_A_GLOB = /[*?!+@()[\]{}|\\]/;
/** So many databases in a folder may be hinted by the clock instead. */
const FEW_FILES = 16;
const CLOCK_HINT_MS = 50;

type OnUnwatchable = (folder: string, error: unknown) => void;

/** Whose writes are so many that they are polled anyway. */
export interface BusyFiles {
  setBusy(databasePath: string, isBusy: boolean): void;
}

/** One subscription for each folder that holds watched databases. A folder that cannot be watched is left to the poll. */
export class FolderWatcher implements BusyFiles {
  readonly #folders = new Map<string, WatchedFolder>();
  readonly #clock: Clock;
  readonly #onUnwatchable: OnUnwatchable;

  constructor(clock: Clock, onUnwatchable: OnUnwatchable) {
    this.#clock = clock;
    this.#onUnwatchable = onUnwatchable;
  }

  /** From now on, until `unwatch`, hints whenever the database or its log changes, or the file that is no database. Resolves when it is so. */
  async watch(path: string, hinted: Hinted): Promise<void> {
    const folderPath = dirname(path);
    let folder = this.#folders.get(folderPath);
    if (folder === undefined) {
      folder = new WatchedFolder(folderPath, this.#clock, this.#onUnwatchable);
      this.#folders.set(folderPath, folder);
      this.#folders.get(dirname(folderPath))?.leaveOut(folderPath);
    }
    folder.hinted.set(path, hinted);
    await folder.subscribed;
  }

  unwatch(path: string): void {
    this.#folders.get(dirname(path))?.hinted.delete(path);
  }

  setBusy(databasePath: string, isBusy: boolean): void {
    this.#folders.get(dirname(databasePath))?.setBusy(databasePath, isBusy);
  }

  async close(): Promise<void> {
    await Promise.all([...this.#folders.values()].map((folder) => folder.close()));
    this.#folders.clear();
  }
}

/**
 * Each write to a file of a watched folder is an event, which costs its writer as much as half a small commit. Behind a writer at full speed the
 * subscription ends, as long as the folder has only few files that want hints; these come by the clock meanwhile.
 */
class WatchedFolder {
  readonly hinted = new Map<string, Hinted>();
  readonly #path: string;
  readonly #clock: Clock;
  readonly #onUnwatchable: OnUnwatchable;
  readonly #busy = new Set<string>();
  #named: readonly string[] = [];
  #subscription: Promise<AsyncSubscription | undefined>;
  /** Set while hints come by the clock. */
  #cancel: (() => void) | undefined;

  constructor(path: string, clock: Clock, onUnwatchable: OnUnwatchable) {
    this.#path = path;
    this.#clock = clock;
    this.#onUnwatchable = onUnwatchable;
    this.#subscription = this.#subscribe();
  }

  get subscribed(): Promise<unknown> {
    return this.#subscription;
  }

  setBusy(path: string, isBusy: boolean): void {
    if (isBusy) this.#busy.add(path);
    else this.#busy.delete(path);
    const byClock = this.#busy.size > 0 && this.hinted.size <= FEW_FILES;
    if (byClock === (this.#cancel !== undefined)) return;
    if (byClock) {
      this.#hintByClock();
      this.#subscription = this.#subscription.then(unsubscribe);
    } else {
      this.#cancel?.();
      this.#cancel = undefined;
      this.#subscription = this.#subscription.then(() => this.#subscribe());
    }
  }

  /** A subfolder that is watched itself, and may be a new one. */
  leaveOut(subfolder: string): void {
    this.#subscription = this.#subscription.then(async (before) => {
      const isNamed = this.#named.includes(basename(subfolder));
      if (before === undefined || isNamed || this.#named.length > MOST_NAMED) return before;
      await unsubscribe(before); // first: a second subscription beside it would take over what it watches
      const after = await this.#subscribe();
      for (const hinted of this.hinted.values()) hinted.hint(); // in between nobody did
      return after;
    });
  }

  async close(): Promise<void> {
    this.#cancel?.();
    await this.#subscription.then(unsubscribe);
  }

  #hintByClock(): void {
    this.#cancel = this.#clock.schedule(CLOCK_HINT_MS, () => {
      this.#hintByClock();
      for (const [path, hinted] of this.hinted) if (!this.#busy.has(path)) hinted.hint();
    });
  }

  #find(path: string): Hinted | undefined {
    const isLog = path.endsWith(LOG_SUFFIX);
    return this.hinted.get(path) ?? (isLog ? this.hinted.get(path.slice(0, -LOG_SUFFIX.length)) : undefined);
  }

  async #subscribe(): Promise<AsyncSubscription | undefined> {
    try {
      const { default: parcel } = await import("@parcel/watcher");
      const onEvents = (error: Error | null, events: readonly { readonly path: string }[]) => {
        if (error) this.#onUnwatchable(this.#path, error);
        for (const { path } of events) this.#find(path)?.hint();
      };
      this.#named = await subfoldersOf(this.#path);
      const named = this.#named.length > MOST_NAMED ? [] : this.#named;
      return await parcel.subscribe(this.#path, onEvents, { ignore: [...IGNORED, ...named] });
    } catch (error) {
      this.#onUnwatchable(this.#path, error);
      return undefined;
    }
  }
}

async function subfoldersOf(path: string): Promise<string[]> {
  const entries = await readdir(path, { withFileTypes: true });
  return entries
    .filter((entry) => entry.isDirectory() && !isShadowFolder(entry.name) && !LIKE_A_GLOB.test(entry.name))
    .map(({ name }) => name);
}

/** A folder that was just deleted has no watch to remove, which the system calls an error. */
async function unsubscribe(subscription: AsyncSubscription | undefined): Promise<undefined> {
  await subscription?.unsubscribe().catch(() => {});
}
