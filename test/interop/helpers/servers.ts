import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { freePorts, programFrom, type RunningProgram, startProgram } from "./program.ts";

export interface RealServer extends RunningProgram {
  readonly endpoint: string;
  readonly bucket: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

const IDENTITY = { bucket: "test", accessKeyId: "interop-key", secretAccessKey: "interop-secret-0123456789" };

/** SeaweedFS as one process. Ports from `port`: master, volume, filer, S3, admin. */
export async function startSeaweedFs(weed = programFrom("WALRUST_WEED")): Promise<RealServer> {
  const port = await freePorts(5);
  const endpoint = `http://127.0.0.1:${port + 3}`;
  const program = await startProgram(
    weed,
    async (folder) => {
      const config = join(folder, "s3.json");
      const { accessKeyId: accessKey, secretAccessKey: secretKey } = IDENTITY;
      const identity = {
        name: "test",
        credentials: [{ accessKey, secretKey }],
        actions: ["Admin", "Read", "Write", "List"],
      };
      await writeFile(config, JSON.stringify({ identities: [identity] }));
      return [
        "mini",
        `-dir=${folder}`,
        `-bucket=${IDENTITY.bucket}`,
        "-ip=127.0.0.1",
        "-ip.bind=127.0.0.1",
        `-master.port=${port}`,
        `-volume.port=${port + 1}`,
        `-filer.port=${port + 2}`,
        `-s3.port=${port + 3}`,
        `-admin.port=${port + 4}`,
        "-s3.port.iceberg=0",
        "-s3.port.lance=0",
        "-webdav=false",
        "-admin.ui=false",
        `-s3.config=${config}`,
        "-s3.autoCreateBucket=false",
        "-master.telemetry=false", // otherwise it reports to its vendor
        "-master.volumeSizeLimitMB=64",
        `-filer.localSocket=${join(folder, "f.sock")}`,
        `-s3.localSocket=${join(folder, "s3.sock")}`,
      ];
    },
    { healthUrl: `${endpoint}/healthz`, env: { GOGC: "50", GOMEMLIMIT: "150MiB" } },
  );
  return { ...program, ...IDENTITY, endpoint };
}

export async function startVersityGw(): Promise<RealServer> {
  const versitygw = programFrom("WALRUST_VERSITYGW");
  const port = await freePorts(1);
  const endpoint = `http://127.0.0.1:${port}`;
  const program = await startProgram(
    versitygw,
    async (folder) => {
      const data = join(folder, "data");
      // A folder of its posix backend is a bucket.
      await mkdir(join(data, IDENTITY.bucket), { recursive: true });
      const identity = ["--access", IDENTITY.accessKeyId, "--secret", IDENTITY.secretAccessKey];
      return [
        ...identity,
        "--port",
        `127.0.0.1:${port}`,
        "--keep-alive",
        "--health",
        "/health",
        "--quiet",
        "posix",
        data,
      ];
    },
    { healthUrl: `${endpoint}/health`, env: {} },
  );
  return { ...program, ...IDENTITY, endpoint };
}
