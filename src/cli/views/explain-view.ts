import type { Override, Provenance } from "../../config/provenance.ts";
import { COMPRESSION } from "../../explain/estimate.ts";
import type { Estimate, EstimateRow, Explanation } from "../../explain/explain.ts";
import type { LookedAtDatabase } from "../../explain/looked-at.ts";
import { PRICES_AS_OF } from "../../explain/prices.ts";
import { humanDuration, humanSize } from "../../observability/human.ts";
import { formatTable } from "../table.ts";
import {
  compactionSentences,
  metricsSentence,
  publishingSentences,
  retentionSentences,
  snapshotSentences,
  upkeepSentences,
  webhookLine,
} from "./explain-sentences.ts";

/** `walrust explain` for people. What differs for single databases stands under Overrides; everything else is of all others. */
export function explainText(explanation: Explanation, provenance: Provenance): string {
  const { settings, databases, estimate } = explanation;
  const { sync, retention } = provenance;
  const sections: readonly (readonly [string, readonly string[]])[] = [
    ["Storage", storageLines(explanation)],
    ["Databases", databaseLines(databases, settings.globs)],
    ["Overrides", overrideLines(provenance.overrides)],
    ["Snapshots", snapshotSentences(sync)],
    ["Publishing", publishingSentences(sync)],
    ["Retention", retentionSentences(retention, sync)],
    ["Compaction", compactionSentences(settings.compaction, sync)],
    ["Upkeep", upkeepSentences(sync)],
    ["Webhooks", settings.webhooks.length === 0 ? ["none"] : settings.webhooks.map(webhookLine)],
    ["Metrics", [metricsSentence(settings.metrics)]],
    [`Estimate for a month of ${estimate.days} days`, estimateLines(estimate)],
  ];
  const from = provenance.file ?? "no file: command line, environment and defaults";
  return [
    `Configuration: ${from}`,
    ...sections.flatMap(([title, lines]) => ["", title, ...lines.flatMap(indented)]),
  ].join("\n");
}

function storageLines({ storage, settings }: Explanation): readonly string[] {
  const { layout, encryption, region, retry } = settings.storage;
  const key = encryption?.kind === "file" ? encryption.path : `the variable ${encryption?.variable}`;
  return [
    `address: ${storage.url}`,
    ...(storage.endpoint === undefined ? [] : [`endpoint: ${storage.endpoint} (region ${region})`]),
    `provider: ${storage.provider}`,
    ...storage.quirks.map((quirk) => `  ${quirk}`),
    `layout: ${layout}`,
    `encryption: ${encryption === undefined ? "off" : `on, with the key of ${key}`}`,
    `a failed request is tried again ${retry.maxRetries} times`,
  ];
}

function databaseLines(
  databases: readonly LookedAtDatabase[],
  globs: Explanation["settings"]["globs"],
): readonly string[] {
  const rows = databases.map(({ settings, sizeBytes, walSizeBytes, problem }) => [
    settings.path,
    settings.name,
    sizeBytes === undefined ? "-" : humanSize(sizeBytes),
    humanSize(walSizeBytes),
    problem === undefined ? "WAL" : problem.message.replace(`${settings.path}: `, ""),
  ]);
  const columns = [
    { title: "FILE" },
    { title: "NAME IN STORAGE" },
    { title: "SIZE", align: "right" },
    { title: "LOG", align: "right" },
    { title: "MODE" },
  ] as const;
  return [
    ...(rows.length === 0 ? ["none"] : formatTable(columns, rows).split("\n")),
    ...globs.map(({ pattern }) => `files that appear later are picked up: ${pattern}`),
  ];
}

function overrideLines(overrides: readonly Override[]): readonly string[] {
  return overrides.length === 0
    ? ["none: all databases are treated alike"]
    : overrides.map(
        (override) =>
          `${override.database}: ${override.key} = ${settingText(override, override.value)} instead of ${settingText(override, override.common)} (${placeOf(override)})`,
      );
}

function settingText({ setting }: Override, value: Override["value"]): string {
  return setting.endsWith("Ms") ? humanDuration(Number(value)) : String(value);
}

function placeOf({ location }: Override): string {
  const { file, line } = location.details;
  return `${file}:${line}`;
}

function estimateLines({ prices, rows }: Estimate): readonly string[] {
  const columns = [
    { title: "APPLICATION" },
    ...["PUT", "GET", "LIST", "DELETE", "UPLOADED", "STORED", ...(prices ? ["COST"] : [])].map((title) => ({
      title,
      align: "right" as const,
    })),
  ];
  const cells = rows.map((row) => [
    profileText(row),
    ...[row.puts, row.gets, row.lists, row.deletes].map(countText),
    humanSize(Math.round(row.uploadedBytes)),
    humanSize(Math.round(row.storedBytes)),
    ...(row.cost === undefined ? [] : [`$${row.cost.toFixed(2)}`]),
  ]);
  return [
    ...formatTable(columns, cells).split("\n"),
    `These are estimates, not measurements: ${Math.round(COMPRESSION * 100)} % of the pages' size after compression; every publication changes other pages.`,
    prices
      ? `Costs: list prices of ${prices.of} as of ${PRICES_AS_OF}, without free allowances and traffic.`
      : "No costs: a folder, a server of one's own, or a provider whose prices walrust does not know.",
  ];
}

function profileText({ profile }: EstimateRow): string {
  const { name, hoursADay, publicationEveryMs, pages } = profile;
  if (name === "idle") return "idle: no commit";
  const often = publicationEveryMs === 0 ? "wal_sync_interval" : humanDuration(publicationEveryMs);
  const when = hoursADay === 24 ? "all the time" : `${hoursADay} hours a day`;
  return `${name}: ${when}, a publication of ${pages} pages every ${often}`;
}

const countText = (count: number) => Math.round(count).toLocaleString("en");

const indented = (line: string) => line.split("\n").map((part) => `  ${part}`);

/** `explain --json`. Sizes are bytes, `*_ms` milliseconds, costs dollars. The keys are stable: users parse them. */
export function explainDocument(explanation: Explanation, provenance: Provenance) {
  const { settings, storage, databases, estimate } = explanation;
  return {
    file: provenance.file ?? null,
    storage: {
      url: storage.url,
      endpoint: storage.endpoint ?? null,
      region: settings.storage.region,
      provider: storage.provider,
      conditional_put: storage.conditionalPut,
      quirks: storage.quirks,
      layout: settings.storage.layout,
      encrypted: settings.storage.encryption !== undefined,
    },
    databases: databases.map((database) => ({
      name: database.settings.name,
      path: database.settings.path,
      size: database.sizeBytes ?? null,
      wal_size: database.walSizeBytes,
      page_size: database.pageSizeBytes ?? null,
      problem: database.problem === undefined ? null : database.problem.code,
      sync: snakeCase(database.settings.sync),
      retention: snakeCase(database.settings.retention),
    })),
    patterns: settings.globs.map(({ pattern }) => pattern),
    overrides: provenance.overrides.map(({ database, key, setting, value, common, location }) => ({
      database,
      key,
      setting: snake(setting),
      value,
      common,
      file: location.details["file"] ?? null,
      line: location.details["line"] ?? null,
    })),
    compaction: snakeCase(settings.compaction),
    webhooks: settings.webhooks.map(({ url, events, secret }) => ({
      origin: new URL(url).origin,
      events,
      signed: secret !== undefined,
    })),
    metrics:
      settings.metrics === undefined ? null : { host: settings.metrics.host, port: settings.metrics.port },
    estimate: estimateDocument(estimate),
  };
}

function estimateDocument({ days, prices, rows }: Estimate) {
  return {
    days,
    compression: COMPRESSION,
    prices: prices === undefined ? null : prices.of,
    prices_as_of: prices === undefined ? null : PRICES_AS_OF,
    rows: rows.map((row) => ({
      application: row.profile.name,
      hours_a_day: row.profile.hoursADay,
      publication_every_ms: row.profile.publicationEveryMs,
      pages: row.profile.pages,
      puts: Math.round(row.puts),
      gets: Math.round(row.gets),
      lists: Math.round(row.lists),
      deletes: Math.round(row.deletes),
      uploaded: Math.round(row.uploadedBytes),
      stored: Math.round(row.storedBytes),
      cost: row.cost === undefined ? null : Math.round(row.cost * 100) / 100,
    })),
  };
}

function snakeCase(settings: object): Readonly<Record<string, unknown>> {
  return Object.fromEntries(Object.entries(settings).map(([name, value]) => [snake(name), value]));
}

const snake = (name: string) => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
