import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { systemClock } from "../../../src/clock.ts";
import { openStorage } from "../../../src/storage/open.ts";
import { MemoryStorage } from "../../helpers/memory-storage.ts";
import { startS3Server } from "../../helpers/s3-server/server.ts";
import { storageContract } from "../contract.ts";
import { ENV, IDENTITY, settingsFor } from "../support.ts";
import { encrypted, KEY } from "./support.ts";

const COMMON = { keepsTime: false, knowsSha256OfParts: false, keepsSha256: false } as const;
const encryption = { kind: "env", variable: "BACKUP_KEY" } as const;
const env = { ...ENV, BACKUP_KEY: Buffer.from(KEY).toString("hex") };

storageContract("an encrypted storage in memory", async () => {
  const storage = encrypted(new MemoryStorage({ pieceSizeBytes: 10_007, now: Date.now }));
  return { ...COMMON, storage, partSizeBytes: 200_000, close: () => storage.close() };
});

storageContract("an encrypted folder", async () => {
  const root = await mkdtemp(join(tmpdir(), "walrust-encrypted-"));
  const settings = settingsFor(pathToFileURL(root).href, { encryption });
  const storage = await openStorage(settings, { clock: systemClock, env });
  return {
    ...COMMON,
    storage,
    partSizeBytes: 1024 * 1024,
    async close() {
      await storage.close();
      await rm(root, { recursive: true });
    },
  };
});

storageContract("encrypted S3", async () => {
  const server = await startS3Server({ bucket: "bucket", ...IDENTITY, pageSize: 7 });
  const settings = settingsFor("s3://bucket/some/prefix", { endpoint: server.endpoint, encryption });
  const storage = await openStorage(settings, { clock: systemClock, env });
  return {
    ...COMMON,
    storage,
    partSizeBytes: settings.partSizeBytes,
    async close() {
      await storage.close();
      await server.close();
    },
  };
});
