import { onTestFinished } from "vitest";
import { type S3Server, startS3Server } from "../s3-server/server.ts";

/** A strict S3 server of this test, and what the program needs to reach it. */
export interface S3Storage {
  readonly server: S3Server;
  readonly address: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

const BUCKET = "backups";
const ACCESS_KEY_ID = "e2e";
export const SECRET_ACCESS_KEY = "e2e-secret-key";

export async function s3Storage(): Promise<S3Storage> {
  const server = await startS3Server({
    bucket: BUCKET,
    accessKeyId: ACCESS_KEY_ID,
    secretAccessKey: SECRET_ACCESS_KEY,
  });
  onTestFinished(() => server.close());
  return {
    server,
    address: `s3://${BUCKET}`,
    args: ["--endpoint", server.endpoint],
    env: {
      AWS_ACCESS_KEY_ID: ACCESS_KEY_ID,
      AWS_SECRET_ACCESS_KEY: SECRET_ACCESS_KEY,
      AWS_REGION: "us-east-1",
    },
  };
}
