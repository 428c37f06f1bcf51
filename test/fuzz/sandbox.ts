import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface Sandbox {
  /** The working folder and TMPDIR while a target runs: must stay empty. */
  readonly empty: string;
  /** Where targets that read files put their inputs. */
  readonly scratch: string;
}

let current:
  | (Sandbox & { readonly root: string; readonly before: readonly [string, string | undefined] })
  | undefined;

export function sandbox(): Sandbox {
  if (current === undefined) throw new Error("fuzzing needs a sandbox");
  return current;
}

export function openSandbox(): void {
  const root = mkdtempSync(join(tmpdir(), "walrust-fuzz-"));
  const [empty, scratch] = [join(root, "empty"), join(root, "scratch")];
  mkdirSync(empty);
  mkdirSync(scratch);
  current = { empty, scratch, root, before: [process.cwd(), process.env["TMPDIR"]] };
  process.chdir(empty);
  process.env["TMPDIR"] = empty;
}

export function closeSandbox(): void {
  if (current === undefined) return;
  const { root, before } = current;
  const [folder, temporary] = before;
  process.chdir(folder);
  if (temporary === undefined) delete process.env["TMPDIR"];
  else process.env["TMPDIR"] = temporary;
  rmSync(root, { recursive: true, force: true });
  current = undefined;
}
