import { renameSync, writeFileSync } from "node:fs";
import type { Role } from "./mix.ts";

export interface ConfigFacts {
  readonly path: string;
  /** Lines of [s3]. */
  readonly s3: readonly string[];
  readonly shadow: string;
  readonly metricsPort: number;
  readonly webhook: string;
  readonly keyFile: string | undefined;
  readonly mix: readonly Role[];
}

/** What a reload changes. */
export interface Pace {
  readonly snapshotSeconds: number;
  readonly validationSeconds: number;
}

/** Short, so that in minutes as much comes and goes as in days otherwise. */
export const PACES: readonly [Pace, ...Pace[]] = [
  { snapshotSeconds: 20, validationSeconds: 40 },
  { snapshotSeconds: 30, validationSeconds: 55 },
];

/** Nothing is done without a commit. */
export const AT_REST: Pace = { snapshotSeconds: 0, validationSeconds: 0 };

/** Replaces the configuration in one step. */
export function writeConfig(facts: ConfigFacts, pace: Pace): void {
  const lines = [
    ...["[s3]", ...facts.s3],
    "[sync]",
    'wal_sync_interval = "500ms"',
    `snapshot_interval = ${pace.snapshotSeconds}`,
    `validation_interval = ${pace.validationSeconds}`,
    'checkpoint_interval = "10s"',
    "min_checkpoint_page_count = 200",
    'manifest_interval = "10s"',
    "compact_after_snapshot = true",
    ...["[retention]", "hourly = 1", "daily = 0", "weekly = 0", "monthly = 0"],
    ...["[compaction]", 'fine_window = "15s"', 'step = "5s"'],
    ...["[shadow]", `dir = ${JSON.stringify(facts.shadow)}`],
    ...["[metrics]", `port = ${facts.metricsPort}`],
    ...["[log]", 'format = "json"'],
    ...["[[webhooks]]", `url = ${JSON.stringify(facts.webhook)}`, 'secret = "soak"'],
    ...(facts.keyFile === undefined ? [] : ["[encryption]", `key_file = ${JSON.stringify(facts.keyFile)}`]),
    ...facts.mix.flatMap(({ section }) => [
      "[[databases]]",
      ...Object.entries(section).map(([key, value]) => `${key} = ${JSON.stringify(value)}`),
    ]),
  ];
  writeFileSync(`${facts.path}.new`, `${lines.join("\n")}\n`);
  renameSync(`${facts.path}.new`, facts.path);
}
