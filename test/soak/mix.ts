import { mkdirSync } from "node:fs";
import { join } from "node:path";
import type { SoakOptions } from "./arguments.ts";

/** One process of application.py and its databases. */
export interface Role {
  readonly role: "steady" | "bursty" | "brief" | "quiet" | "tended" | "read" | "coming";
  readonly databases: readonly LiveDatabase[];
  /** Commits a second. */
  readonly rate: number;
  /** Rows of each of its databases. */
  readonly slots: number;
  /** As it stands under [[databases]]. */
  readonly section: Readonly<Record<string, string | boolean>>;
}

export interface LiveDatabase {
  readonly path: string;
  /** In storage. */
  readonly name: string;
  readonly slots: number;
  /** Its file is made anew again and again. */
  readonly comesAndGoes: boolean;
}

/** The databases of a run: every way of using one that a daemon may meet. Makes their folders. */
export function theMix(live: string, options: Pick<SoakOptions, "databases" | "rate">): readonly Role[] {
  for (const folder of ["crowd", "bursty", "visits"]) mkdirSync(join(live, folder), { recursive: true });
  const one = (name: string, role: Role["role"], rate: number, slots = 300, more = {}): Role => ({
    ...{ role, rate, slots, section: { path: join(live, `${name}.db`), ...more } },
    databases: [{ path: join(live, `${name}.db`), name, slots, comesAndGoes: false }],
  });
  const many = (folder: string, role: Role["role"], count: number, rate: number, slots: number): Role => ({
    ...{ role, rate, slots, section: { path: join(live, folder, "*.db"), prefix: folder } },
    databases: Array.from({ length: count }, (_, index) => ({
      path: join(live, folder, `d${index}.db`),
      name: `${folder}/d${index}`,
      slots,
      comesAndGoes: role === "coming",
    })),
  });
  return [
    one("busy", "steady", options.rate, 4000),
    many("bursty", "bursty", 4, 10, 500),
    one("brief", "brief", 3),
    many("crowd", "quiet", options.databases, 1, 100),
    one("tended", "tended", 30),
    one("read", "read", 20),
    one("observed", "steady", 5, 300, { observe: true }),
    many("visits", "coming", 3, 5, 100),
  ];
}

/** The database that a replica follows. */
export const FOLLOWED = "busy";
