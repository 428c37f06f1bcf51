import { join } from "node:path";
import { type Arrivals, watchArrivals } from "./arrivals.ts";
import { folderStorage } from "./session.ts";
import type { BenchStorage } from "./tools/tool.ts";
import type { Bench } from "./workload.ts";

/** Where the copies of a workload go. */
export interface Place {
  /** Behind "storage: ". */
  readonly title: string;
  /** Empty, and of this run alone. Whoever opens it closes it. */
  open(bench: Bench): Promise<OpenPlace>;
}

export interface OpenPlace {
  readonly storage: BenchStorage;
  /** Stamps every `.ltx` object whose key is `prefix` and a name, from now on. */
  arrivals(prefix: string): Arrivals;
  close(): Promise<void>;
}

export const FOLDER: Place = {
  title: "a folder",
  open: async (bench) => {
    const storage = folderStorage(bench);
    return {
      storage,
      arrivals: (prefix) => watchArrivals(join(storage.path, prefix)),
      close: async () => {}, // goes with the scratch folder
    };
  },
};

/** Opens the place, and closes it whatever happens. */
export async function withPlace<T>(
  place: Place,
  bench: Bench,
  work: (opened: OpenPlace) => Promise<T>,
): Promise<T> {
  const opened = await place.open(bench);
  try {
    return await work(opened);
  } finally {
    await opened.close();
  }
}
