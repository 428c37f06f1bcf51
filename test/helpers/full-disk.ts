import { open } from "node:fs/promises";
import { devNull } from "node:os";
import { onTestFinished, vi } from "vitest";

/** From now on until the end of the test, files that are opened by promises take nothing: the disk is full. */
export async function fillDisk(): Promise<void> {
  const handle = await open(devNull);
  const prototype = Object.getPrototypeOf(handle) as typeof handle;
  await handle.close();
  const full = Object.assign(new Error("ENOSPC: no space left on device, write"), { code: "ENOSPC" });
  const spy = vi.spyOn(prototype, "writeFile").mockRejectedValue(full);
  onTestFinished(() => spy.mockRestore());
}
