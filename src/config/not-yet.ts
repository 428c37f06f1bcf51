import { type ConfigLayer, configInvalid } from "./config-file.ts";
import { parseDuration } from "./durations.ts";
import { RETENTION_KEYS } from "./keys.ts";
import type { KeyPath } from "./toml.ts";

/** Documented sections whose function this version does not have: the change that brings it takes the row away. */
const SECTIONS = ["webhooks", "encryption", "metrics", "compaction", "retention"] as const;

/** The same for keys; one that says "off" may stand, because off is what happens. */
const SYNC_SWITCHES: readonly string[] = [
  "validation_interval",
  "compact_after_snapshot",
  "compact_interval",
];

type Table = Readonly<Record<string, unknown>>;

/**
 * Refuses what would silently do nothing: a user who asks for encryption and gets none is worse off than with an error.
 * `layer` has passed checkLayer. Errors: CONFIG_INVALID, with the place of each key.
 */
export function refuseNotYet(layer: ConfigLayer): void {
  const paths = notYetPaths(layer.value);
  if (paths.length === 0) return;
  throw configInvalid(
    paths.map((path) => ({ location: layer.locate(path), message: "not supported by this version yet" })),
    "Take it out of the configuration: this version would not act on it.",
  );
}

function notYetPaths(value: Table): readonly KeyPath[] {
  const databases = (value["databases"] ?? []) as readonly Table[];
  return [
    ...SECTIONS.filter((name) => name in value).map((name) => [name]),
    ...switchesOn(value["sync"] as Table | undefined).map((key) => ["sync", key]),
    ...databases.flatMap((entry, index) => notYetKeys(entry).map((key) => ["databases", index, key])),
  ];
}

function notYetKeys(entry: Table): readonly string[] {
  return [...switchesOn(entry), ...Object.keys(RETENTION_KEYS).filter((key) => key in entry)];
}

function switchesOn(section: Table = {}): readonly string[] {
  return SYNC_SWITCHES.filter((key) => key in section && !isOff(section[key]));
}

function isOff(value: unknown): boolean {
  if (typeof value === "number" || typeof value === "string") return parseDuration(value) === 0;
  return value === false;
}
