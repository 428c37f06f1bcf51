import { systemClock } from "../../src/clock.ts";
import { openStorage } from "../../src/storage/open.ts";
import { type S3ServerOptions, startS3Server } from "../helpers/s3-server/server.ts";
import { storageContract } from "./contract.ts";
import { ENV, IDENTITY, settingsFor } from "./support.ts";

function s3Contract(name: string, url: string, options: Partial<S3ServerOptions>) {
  storageContract(name, async () => {
    const server = await startS3Server({ bucket: "bucket", ...IDENTITY, pageSize: 7, ...options });
    const settings = settingsFor(url, { endpoint: server.endpoint });
    const storage = await openStorage(settings, { clock: systemClock, env: ENV });
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

s3Contract("S3", "bucket", {});
s3Contract("S3 with a prefix", "s3://bucket/some/prefix", {});
s3Contract("S3 as R2 has it", "bucket", { profile: "r2" });
s3Contract("S3 as SeaweedFS has it", "bucket", { profile: "seaweedfs" });
