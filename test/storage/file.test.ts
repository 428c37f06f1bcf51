import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { systemClock } from "../../src/clock.ts";
import { openStorage } from "../../src/storage/open.ts";
import { storageContract } from "./contract.ts";
import { settingsFor } from "./support.ts";

storageContract("file://", async () => {
  const root = await mkdtemp(join(tmpdir(), "walrust-file-"));
  const storage = await openStorage(settingsFor(pathToFileURL(root).href), { clock: systemClock });
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
