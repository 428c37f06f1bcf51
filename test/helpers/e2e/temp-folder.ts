import { mkdtempSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";

/** A folder of its own for the running test, gone when the test is over. */
export function tempFolder(): string {
  const path = mkdtempSync(join(realpathSync(tmpdir()), "walrust-e2e-"));
  onTestFinished(() => rmSync(path, { recursive: true, force: true }));
  return path;
}
