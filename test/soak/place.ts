import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { type Child, spawnChild } from "../../src/bench/child.ts";

/** The folders and files of a run, and the program that it runs. */
export interface Place {
  /** The built program. */
  readonly program: string;
  /** Of the project. */
  readonly project: string;
  readonly out: string;
  /** Databases of the applications. */
  readonly live: string;
  /** Local state of the daemon. */
  readonly shadow: string;
  readonly restored: string;
  readonly config: string;
  /** Without anything of the machine's user. */
  readonly env: Readonly<Record<string, string>>;
}

export function makePlace(project: string, out: string, storageEnv: Readonly<Record<string, string>>): Place {
  const folder = (name: string) => {
    mkdirSync(join(out, name), { recursive: true });
    return join(out, name);
  };
  return {
    program: join(project, "dist", "cli.js"),
    ...{ project, out },
    ...{ live: folder("live"), shadow: folder("shadow"), restored: folder("restored") },
    config: join(out, "walrust.toml"),
    env: { PATH: process.env["PATH"] ?? "", HOME: out, TMPDIR: folder("tmp"), ...storageEnv },
  };
}

/** Runs a command of the program on the run's configuration. */
export function walrust(place: Place, ...args: readonly string[]): Child {
  return spawnChild(process.execPath, [place.program, ...args, "--config", place.config], {
    cwd: place.out,
    env: place.env,
  });
}
