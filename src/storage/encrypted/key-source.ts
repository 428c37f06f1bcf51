import { open } from "node:fs/promises";
import path from "node:path";
import type { EncryptionSettings } from "../../config/settings.ts";
import { WalrustError } from "../../errors.ts";
import type { StorageDependencies } from "../dependencies.ts";
import { MASTER_KEY_BYTES, MasterKey } from "./master-key.ts";

/** A key in any of its forms is shorter. */
const MAX_FILE_BYTES = 1024;
const OTHERS_MAY_READ_OR_WRITE = 0o006;
const HEX = /^[0-9a-fA-F]{64}$/;
const BASE64 = /^[A-Za-z0-9+/_-]{43}=?$/;
const MAKE_ONE =
  "Make a key with `openssl rand -hex 32 > backup.key`, and keep a copy where it outlives this machine.";

/**
 * Reads the key that the settings name. What is wrong with it is said without its content, and without a name that may be a key itself.
 * Errors: CONFIG_INVALID.
 */
export async function readMasterKey(
  settings: EncryptionSettings,
  dependencies: Pick<StorageDependencies, "env" | "logger">,
): Promise<MasterKey> {
  return settings.kind === "env"
    ? fromEnvironment(settings.variable, dependencies.env)
    : fromFile(settings.path, dependencies.logger);
}

function fromEnvironment(variable: string, env: StorageDependencies["env"]): MasterKey {
  if (keyInText(variable) !== undefined)
    throw invalid("key_env holds a key: it wants the name of an environment variable that holds it");
  const value = env[variable];
  if (!value) throw invalid(`the environment variable ${variable} for the encryption key is not set`);
  const key = keyInText(value);
  if (key === undefined)
    throw invalid(
      `the environment variable ${variable} holds no encryption key: expected ${MASTER_KEY_BYTES} bytes as 64 hex digits or as base64`,
    );
  return key;
}

async function fromFile(file: string, logger: StorageDependencies["logger"]): Promise<MasterKey> {
  if (keyInText(path.basename(file)) !== undefined)
    throw invalid("key_file holds a key: it wants the path of a file that holds it");
  const { bytes, mode } = await readFile(file);
  const key = keyInText(bytes.toString("latin1")) ?? keyInBytes(bytes);
  if (key === undefined) {
    throw invalid(
      `the key file ${file} holds no encryption key: expected ${MASTER_KEY_BYTES} random bytes, as they are, as 64 hex digits or as base64`,
    );
  }
  if ((mode & OTHERS_MAY_READ_OR_WRITE) !== 0)
    logger.warn({ path: file }, `the key file ${file} is open to every user of this machine: chmod 600`);
  return key;
}

/** Reads at most what a key can be: the path may lead to a device or a pipe. */
async function readFile(file: string): Promise<{ readonly bytes: Buffer; readonly mode: number }> {
  const buffer = Buffer.alloc(MAX_FILE_BYTES);
  try {
    const handle = await open(file);
    try {
      const { mode } = await handle.stat();
      let filled = 0;
      while (filled < buffer.length) {
        const { bytesRead } = await handle.read(buffer, filled, buffer.length - filled);
        if (bytesRead === 0) break;
        filled += bytesRead;
      }
      return { bytes: buffer.subarray(0, filled), mode };
    } finally {
      await handle.close();
    }
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const reason = code === "ENOENT" ? "it does not exist" : (code ?? "unknown");
    throw invalid(`the key file ${file} cannot be read: ${reason}`, error);
  }
}

/** A key as 64 hex digits or base64, with white space around it. */
function keyInText(text: string): MasterKey | undefined {
  const trimmed = text.trim();
  if (HEX.test(trimmed)) return new MasterKey(Buffer.from(trimmed, "hex"));
  if (!BASE64.test(trimmed)) return undefined;
  const bytes = Buffer.from(trimmed, "base64");
  return bytes.length === MASTER_KEY_BYTES ? new MasterKey(bytes) : undefined;
}

/** A key as it is. 32 bytes of text are a password or half a key: random bytes are not all printable. */
function keyInBytes(bytes: Buffer): MasterKey | undefined {
  if (bytes.length !== MASTER_KEY_BYTES || bytes.every(isPrintable)) return undefined;
  return new MasterKey(bytes);
}

function isPrintable(byte: number): boolean {
  return (byte >= 0x20 && byte < 0x7f) || byte === 0x0a || byte === 0x0d || byte === 0x09;
}

function invalid(message: string, cause?: unknown): WalrustError {
  return new WalrustError("CONFIG_INVALID", message, { hint: MAKE_ONE, cause });
}
