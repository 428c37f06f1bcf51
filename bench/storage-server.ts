import { startS3Server } from "../test/helpers/s3-server/server.ts";

/** The other process of bench/storage.ts: its work must not count as ours. */
const [bucket = "", accessKeyId = "", secretAccessKey = ""] = process.argv.slice(2);
const server = await startS3Server({ bucket, accessKeyId, secretAccessKey });
process.send?.(server.endpoint);
process.on("disconnect", () => process.exit());
