import { fork } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import { systemClock } from "../src/clock.ts";
import { openStorage } from "../src/storage/open.ts";
import type { Storage } from "../src/storage/storage.ts";
import { storageSettings } from "./storage-settings.ts";

/** What a request costs this process, and how fast uploads stream. */
interface StorageReport {
  readonly puts: number;
  readonly bodySizeBytes: number;
  readonly atOnce: number;
  readonly cpuMsPerPut: number;
  readonly putsPerSecond: number;
  /** `peak`: of the whole run, uploads included. */
  readonly rssMegabytes: Readonly<Record<"before" | "afterPuts" | "afterList" | "peak", number>>;
  readonly uploadMegabytesPerSecond: { readonly folder: number; readonly s3: number };
}

const IDENTITY = { bucket: "bench", accessKeyId: "bench-key", secretAccessKey: "bench-secret" };

export async function main(args: readonly string[], paths: { readonly serverPath: string }): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      json: { type: "boolean", default: false },
      puts: { type: "string", default: "5000" },
      size: { type: "string", default: "4096" },
      "at-once": { type: "string", default: "16" },
      megabytes: { type: "string", default: "512" },
    },
  });
  const report = await measure(paths.serverPath, {
    puts: Number(values.puts),
    bodySizeBytes: Number(values.size),
    atOnce: Number(values["at-once"]),
    megabytes: Number(values.megabytes),
  });
  if (values.json) console.log(JSON.stringify(report));
  else console.log(asText(report));
}

interface Load {
  readonly puts: number;
  readonly bodySizeBytes: number;
  readonly atOnce: number;
  readonly megabytes: number;
}

async function measure(serverPath: string, load: Load): Promise<StorageReport> {
  const folder = await mkdtemp(join(tmpdir(), "walrust-bench-"));
  const server = fork(serverPath, [IDENTITY.bucket, IDENTITY.accessKeyId, IDENTITY.secretAccessKey]);
  try {
    const [endpoint] = (await once(server, "message")) as [string];
    const env = { AWS_ACCESS_KEY_ID: IDENTITY.accessKeyId, AWS_SECRET_ACCESS_KEY: IDENTITY.secretAccessKey };
    const s3 = await openStorage(storageSettings(IDENTITY.bucket, load.atOnce, endpoint), {
      clock: systemClock,
      env,
    });
    const files = await openStorage(storageSettings(pathToFileURL(folder).href, load.atOnce), {
      clock: systemClock,
    });
    const before = rssMegabytes();
    await putAll(s3, { ...load, puts: 200 }); // connections and compiled code are not what a PUT costs
    const cpuBefore = process.cpuUsage();
    const startMs = performance.now();
    await putAll(s3, load);
    const { user, system } = process.cpuUsage(cpuBefore);
    const seconds = (performance.now() - startMs) / 1000;
    const afterPuts = rssMegabytes();
    for await (const _object of s3.list("db/0")) break;
    const afterList = rssMegabytes();
    const uploads = { folder: await upload(files, load.megabytes), s3: await upload(s3, load.megabytes) };
    await s3.close();
    return {
      puts: load.puts,
      bodySizeBytes: load.bodySizeBytes,
      atOnce: load.atOnce,
      cpuMsPerPut: (user + system) / 1000 / load.puts,
      putsPerSecond: load.puts / seconds,
      rssMegabytes: { before, afterPuts, afterList, peak: process.resourceUsage().maxRSS / 1000 },
      uploadMegabytesPerSecond: uploads,
    };
  } finally {
    server.disconnect();
    await rm(folder, { recursive: true });
  }
}

async function putAll(storage: Storage, { puts, bodySizeBytes, atOnce }: Load): Promise<void> {
  const body = Buffer.alloc(bodySizeBytes, 0x5a);
  let next = 0;
  const worker = async () => {
    while (next < puts) await storage.put(`db/${next++}`, body);
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
}

async function upload(storage: Storage, megabytes: number): Promise<number> {
  const piece = Buffer.alloc(64 * 1024, 0x5a);
  const sizeBytes = megabytes * 1e6;
  const startMs = performance.now();
  const target = storage.upload("db/large", { headSizeBytes: 100, expectedSizeBytes: sizeBytes });
  for (let written = 0; written < sizeBytes; written += piece.length) await target.write(piece);
  await target.complete(Buffer.alloc(100));
  return sizeBytes / 1e3 / (performance.now() - startMs);
}

function rssMegabytes(): number {
  return process.memoryUsage.rss() / 1e6;
}

function asText(report: StorageReport): string {
  const { rssMegabytes: rss, uploadMegabytesPerSecond: uploads } = report;
  return [
    `${report.puts} PUTs of ${report.bodySizeBytes} bytes, ${report.atOnce} at once:`,
    `  CPU        ${report.cpuMsPerPut.toFixed(3)} ms each`,
    `  rate       ${report.putsPerSecond.toFixed(0)} a second`,
    `  memory     ${rss.before.toFixed(0)} MB before, ${rss.afterPuts.toFixed(0)} after, ${rss.afterList.toFixed(0)} after a list (with the SDK)`,
    `uploads in a stream: ${uploads.folder.toFixed(0)} MB/s into a folder, ${uploads.s3.toFixed(0)} MB/s to S3; memory at most ${rss.peak.toFixed(0)} MB`,
  ].join("\n");
}
