import { expect } from "vitest";
import { isWalrustError, type WalrustError } from "../../src/errors.ts";
import {
  breakDisk,
  type DiskFault,
  type Errno,
  filesBelow,
  IS_FULL,
  mendDisk,
  operations,
} from "./disk-full-faults.ts";

/** A job whose every try begins where the one before ended. */
export interface Job {
  /** Below which it writes. */
  readonly folder: string;
  readonly run: () => Promise<unknown>;
  /** Asserts that it has done what it should. */
  readonly check: () => void | Promise<void>;
  /** Files that may be there after a failure, besides those that were there before. */
  readonly mayLeave?: RegExp;
}

/** No job makes so many operations. */
const TOO_MANY = 500;
/** Nor so few. */
const FEWEST = 5;
const IS_REMOVAL = /^(rm|unlink)/;

/**
 * Every operation of a job on files fails in turn, alone or with all that follow: it ends with a typed error that names the place, leaves
 * nothing behind that was not there before, and succeeds when the disk does again.
 */
export async function sweep(makeJob: () => Promise<Job>, errno: Errno, goesOn: boolean): Promise<void> {
  for (let at = 0; ; at++) {
    expect(at).toBeLessThan(TOO_MANY);
    const job = await makeJob();
    const before = filesBelow(job.folder);
    const fault = { errno, at, goesOn, folder: job.folder };
    breakDisk(fault);
    const error = await failureOf(job);
    const done = [...operations];
    mendDisk();
    const what = `${errno} at ${at}${goesOn ? " and on" : ""}: ${done[at]}; ${error?.stack}`;
    if (error !== undefined) expectTold(error, fault, what);
    if (error !== undefined && !hinderedClearing(fault, done)) {
      const left = filesBelow(job.folder).filter((name) => !before.includes(name));
      expect(
        left.filter((name) => job.mayLeave?.test(name) !== true),
        what,
      ).toEqual([]);
    }
    if (done.length <= at) {
      expect(at, "operations of the job").toBeGreaterThan(FEWEST);
      expect(error, what).toBe(undefined);
      await job.check();
      return;
    }
    await job.run();
    await job.check();
  }
}

function expectTold(error: WalrustError, { errno, folder }: DiskFault, what: string): void {
  expect(error.code, what).toMatch(
    IS_FULL.test(errno) ? /^LOCAL_DISK_FULL$/ : /^(LOCAL_IO|DATABASE_UNREADABLE)$/,
  );
  expect(error.exitCode, what).toBe(error.code === "DATABASE_UNREADABLE" ? 3 : 1);
  expect(error.message, what).toContain(folder);
}

/** What cannot be taken away stays. */
function hinderedClearing({ errno, at, goesOn }: DiskFault, done: readonly string[]): boolean {
  return IS_REMOVAL.test(done[at] ?? "") || (goesOn && !IS_FULL.test(errno));
}

async function failureOf({ run }: Job): Promise<WalrustError | undefined> {
  const error = await run().then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (error === undefined || isWalrustError(error)) return error;
  throw error;
}
