import { dirname } from "node:path";
import type { AsyncSubscription } from "@parcel/watcher";

/** Told that a file of a database may have changed. Only a hint: the poll alone must suffice. */
export type Hint = () => void;

/** Where nothing below a folder is watched: a plain subscription walks the whole tree. */
const SUBFOLDERS = ["*/**", ".*/**"];

/** One subscription for each folder that holds watched databases. A folder that cannot be watched is left to the poll. */
export class FolderWatcher {
  readonly #folders = new Map<string, Folder>();
  readonly #onUnwatchable: (folder: string, error: unknown) => void;

  constructor(onUnwatchable: (folder: string, error: unknown) => void) {
    this.#onUnwatchable = onUnwatchable;
  }

  /** Calls `hint` whenever the database or its log changes; the function returned ends that. */
  watch(databasePath: string, hint: Hint): Promise<() => void> {
    return this.#watch([databasePath, `${databasePath}-wal`], dirname(databasePath), hint);
  }

  /** The same for a file that is no database. */
  watchFile(path: string, hint: Hint): Promise<() => void> {
    return this.#watch([path], dirname(path), hint);
  }

  async #watch(paths: readonly string[], folderPath: string, hint: Hint): Promise<() => void> {
    const folder = await this.#folder(folderPath);
    for (const path of paths) folder.hints.set(path, hint);
    return () => {
      for (const path of paths) folder.hints.delete(path);
    };
  }

  async close(): Promise<void> {
    await Promise.all(
      [...this.#folders.values()].map(async ({ subscription }) => (await subscription)?.unsubscribe()),
    );
    this.#folders.clear();
  }

  async #folder(path: string): Promise<Folder> {
    let folder = this.#folders.get(path);
    if (folder === undefined) {
      const hints = new Map<string, Hint>();
      folder = { hints, subscription: this.#subscribe(path, hints) };
      this.#folders.set(path, folder);
    }
    await folder.subscription;
    return folder;
  }

  async #subscribe(path: string, hints: ReadonlyMap<string, Hint>): Promise<AsyncSubscription | undefined> {
    try {
      const { default: parcel } = await import("@parcel/watcher");
      const onEvents = (error: Error | null, events: readonly { readonly path: string }[]) => {
        if (error) this.#onUnwatchable(path, error);
        for (const event of events) hints.get(event.path)?.();
      };
      return await parcel.subscribe(path, onEvents, { ignore: SUBFOLDERS });
    } catch (error) {
      this.#onUnwatchable(path, error);
      return undefined;
    }
  }
}

interface Folder {
  readonly hints: Map<string, Hint>;
  readonly subscription: Promise<AsyncSubscription | undefined>;
}
