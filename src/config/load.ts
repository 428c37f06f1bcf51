import { readFile } from "node:fs/promises";
import path from "node:path";
import { WalrustError } from "../errors.ts";
import type { ConfigLayer } from "./config-file.ts";
import type { TomlDocument } from "./toml.ts";

export const CONFIG_FILE_NAME = "walrust.toml";

export interface LoadedConfig extends ConfigLayer {
  /** Relative paths in the file start from its own folder. */
  readonly folder: string;
  /** Absolute; undefined: there is none. */
  readonly file: string | undefined;
}

/** The file that is read, or would be if it were there: absolute. */
export function configPath(given: string | undefined, cwd: string): string {
  return path.resolve(cwd, given ?? CONFIG_FILE_NAME);
}

/**
 * The file that `--config` names, which must exist, or `./walrust.toml` if it is there.
 * Errors: CONFIG_NOT_FOUND; CONFIG_INVALID when it cannot be read as TOML.
 */
export async function loadConfig(given: string | undefined, cwd: string): Promise<LoadedConfig> {
  const shown = given ?? CONFIG_FILE_NAME;
  const file = configPath(given, cwd);
  const text = await readText(file, shown, given !== undefined);
  const document = text === undefined ? nothing(shown) : (await import("./toml.ts")).parseToml(text, shown);
  return {
    value: document.value,
    folder: path.dirname(file),
    file: text === undefined ? undefined : file,
    locate: (keyPath) => locate(document, keyPath),
  };
}

function nothing(file: string): TomlDocument {
  return { file, value: {}, lineOf: () => 1 };
}

async function readText(file: string, shown: string, required: boolean): Promise<string | undefined> {
  try {
    return await readFile(file, "utf8");
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === "ENOENT" && !required) return undefined;
    if (code === "ENOENT") {
      throw new WalrustError("CONFIG_NOT_FOUND", `no configuration file ${shown}`, {
        details: { file: shown },
      });
    }
    throw new WalrustError("CONFIG_INVALID", `cannot read the configuration ${shown}: ${code ?? error}`, {
      cause: error,
      details: { file: shown },
    });
  }
}

function locate(document: TomlDocument, keyPath: readonly (string | number)[]) {
  const line = document.lineOf(keyPath);
  const key = keyPath.filter((part) => typeof part === "string").join(".");
  return {
    text: `${document.file}:${line}: ${key}`,
    details: { file: document.file, line, key },
  };
}
