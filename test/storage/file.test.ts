import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { systemClock } from "../../src/clock.ts";
import { openStorage } from "../../src/storage/open.ts";
import { storageContract } from "./contract.ts";
import { settingsFor } from "./support.ts";

for (const mayBlock of [false, true]) {
  storageContract(mayBlock ? "file:// on this thread" : "file://", async () => {
    const root = await mkdtemp(join(tmpdir(), "walrust-file-"));
    const url = pathToFileURL(root).href;
    const storage = await openStorage(settingsFor(url), { clock: systemClock, mayBlock });
    return {
      storage,
      partSizeBytes: 1024 * 1024,
      keepsTime: true,
      knowsSha256OfParts: true,
      async close() {
        await storage.close();
        await rm(root, { recursive: true });
      },
    };
  });
}
