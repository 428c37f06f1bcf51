import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** Inputs that once were findings, or that only one check keeps out; one file each, by target. Their names say what is wrong. */
const FOLDER = join(import.meta.dirname, "corpus");

export interface KeptInput {
  readonly name: string;
  readonly bytes: Uint8Array;
}

export function keptTargets(): readonly string[] {
  return readdirSync(FOLDER).sort();
}

export function keptInputs(target: string): readonly KeptInput[] {
  const folder = join(FOLDER, target);
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .sort()
    .map((name) => ({ name, bytes: new Uint8Array(readFileSync(join(folder, name))) }));
}

/** Returns the path. Somebody has to give it a name that says what it is. */
export function keepInput(target: string, bytes: Uint8Array): string {
  const path = pathFor(target, bytes);
  mkdirSync(join(FOLDER, target), { recursive: true });
  writeFileSync(path, bytes);
  return path;
}

export function pathFor(target: string, bytes: Uint8Array): string {
  const digest = createHash("sha256").update(bytes).digest("hex").slice(0, 12);
  return join(FOLDER, target, `finding-${digest}`);
}
