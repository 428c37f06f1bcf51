import { readFileSync } from "node:fs";
import { WalrustError } from "../errors.ts";
import type { StorageDependencies } from "./dependencies.ts";
import type { Credentials } from "./s3-signer.ts";

/**
 * Credentials that stand in the environment, which is read once. Undefined: the SDK has to look for them, also when a profile
 * is named, since that goes before them there.
 */
export function fixedCredentials(env: StorageDependencies["env"]): Credentials | undefined {
  const accessKeyId = env["AWS_ACCESS_KEY_ID"];
  const secretAccessKey = env["AWS_SECRET_ACCESS_KEY"];
  if (!accessKeyId || !secretAccessKey || env["AWS_PROFILE"]) return undefined;
  const sessionToken = env["AWS_SESSION_TOKEN"];
  return { accessKeyId, secretAccessKey, ...(sessionToken ? { sessionToken } : {}) };
}

/** Certificates of a storage's own authority (AWS_CA_BUNDLE, as the aws program takes it). Errors: CONFIG_INVALID. */
export function certificateAuthorities(env: StorageDependencies["env"]): string | undefined {
  const path = env["AWS_CA_BUNDLE"];
  if (!path) return undefined;
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    throw new WalrustError("CONFIG_INVALID", `AWS_CA_BUNDLE names ${path}, which cannot be read`, {
      cause: error,
    });
  }
}
