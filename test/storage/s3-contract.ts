import { systemClock } from "../../src/clock.ts";
import type { ProviderName } from "../../src/config/settings.ts";
import { openStorage } from "../../src/storage/open.ts";
import { PROFILES } from "../helpers/s3-server/profiles.ts";
import { startS3Server } from "../helpers/s3-server/server.ts";
import { storageContract } from "./contract.ts";
import { ENV, IDENTITY, settingsFor } from "./support.ts";

/** The contract suite on the strict server in the provider's profile. */
export function s3Contract(provider: Exclude<ProviderName, "other">, url = "bucket"): void {
  storageContract(`${url} as ${provider} has it`, async () => {
    const server = await startS3Server({ bucket: "bucket", ...IDENTITY, pageSize: 7, profile: provider });
    const settings = settingsFor(url, {
      endpoint: `http://storage.example.org:${server.port}`,
      provider,
      region: PROFILES[provider].region,
    });
    const storage = await openStorage(settings, {
      clock: systemClock,
      env: ENV,
      lookup: (_host, _options, callback) => callback(null, [{ address: "127.0.0.1", family: 4 }]),
    });
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
