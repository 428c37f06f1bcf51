import { startS3Server } from "../helpers/s3-server/server.ts";
import type { StorageCounts, StorageOrder } from "./storage.ts";

/** The strict S3 server in a process of its own, so that its work does not count as anybody's; it counts what is asked of it. */
const [bucket = "", accessKeyId = "", secretAccessKey = ""] = process.argv.slice(2);
const server = await startS3Server({ bucket, accessKeyId, secretAccessKey });
const requests: Record<string, number> = {};
let sentBytes = 0;
const TELL_MS = 200;

function counts(): StorageCounts {
  // The server keeps its requests for tests that read them: those that are answered are counted and forgotten.
  const underWay = server.requests.splice(0).filter((request) => {
    if (request.status === undefined) return true;
    requests[request.operation] = (requests[request.operation] ?? 0) + 1;
    sentBytes += request.bodySizeBytes;
    return false;
  });
  server.requests.push(...underWay);
  const storedBytes = [...server.objects.values()].reduce((sum, { body }) => sum + body.length, 0);
  return { requests, sentBytes, objects: server.objects.size, storedBytes, openUploads: server.openUploads };
}

process.on("message", (order: StorageOrder) => {
  server.faults.clear();
  const refuse = { kind: "refuse", status: 503, code: "ServiceUnavailable" } as const;
  if (order.state === "unavailable") server.faults.add(refuse, undefined, { times: 1e9 });
  void server.outage(order.state === "refused").catch(() => {
    // it was open already
  });
});
process.on("disconnect", () => process.exit());
process.send?.({ endpoint: server.endpoint });
setInterval(() => process.send?.({ counts: counts() }), TELL_MS);
