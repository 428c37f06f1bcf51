import { writeFileSync } from "node:fs";
import type { Scene } from "./scene.ts";

type Value = string | number | boolean;
type Section = Readonly<Record<string, Value>>;

export interface ConfigFile {
  readonly sync?: Section;
  readonly retry?: Section;
  readonly databases?: readonly Section[];
}

/** Writes a walrust.toml into the scene's folder, where the program finds it by itself. */
export function writeConfig(at: Scene, config: ConfigFile): string {
  const path = at.path("walrust.toml");
  const lines = (head: string, section: Section = {}) => [
    head,
    ...Object.entries(section).map(([key, value]) => `${key} = ${JSON.stringify(value)}`),
  ];
  const text = [
    ...lines("[sync]", config.sync),
    ...lines("[retry]", config.retry),
    ...(config.databases ?? []).flatMap((database) => lines("[[databases]]", database)),
  ];
  writeFileSync(path, `${text.join("\n")}\n`);
  return path;
}
