import { vi } from "vitest";
import { systemClock } from "../../src/clock.ts";
import { openStorage } from "../../src/storage/open.ts";
import { storageContract } from "../storage/contract.ts";
import { settingsFor } from "../storage/support.ts";
import { type RealServer, startSeaweedFs, startVersityGw } from "./helpers/servers.ts";

function contractOn(name: string, start: () => Promise<RealServer>): void {
  storageContract(name, async () => {
    const server = await start();
    const settings = settingsFor(`s3://${server.bucket}/some/prefix`, { endpoint: server.endpoint });
    const env = { AWS_ACCESS_KEY_ID: server.accessKeyId, AWS_SECRET_ACCESS_KEY: server.secretAccessKey };
    const storage = await openStorage(settings, { clock: systemClock, env });
    // SeaweedFS calls itself healthy a moment before it has its bucket.
    await vi.waitFor(() => storage.check(), { timeout: 20_000 });
    return {
      storage,
      partSizeBytes: settings.partSizeBytes,
      keepsTime: false,
      knowsSha256OfParts: false,
      async close() {
        await storage.close();
        await server.close();
      },
    };
  });
}

contractOn("SeaweedFS", startSeaweedFs);
contractOn("versitygw", startVersityGw);
