import { randomBytes } from "node:crypto";
import { lstatSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { type AddressInfo, createServer as createSocket } from "node:net";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { until } from "../../src/bench/until.ts";
import { addNotes, openApplication } from "../helpers/e2e/application.ts";
import { type Scene, scene } from "../helpers/e2e/scene.ts";
import { runWalrust, startWalrust } from "../helpers/e2e/walrust.ts";
import { type S3Server, startS3Server } from "../helpers/s3-server/server.ts";

/*
 * Marked secrets go in wherever a secret can be given, also by mistake, and must come out nowhere: not in what any command prints, well or
 * failing, in text or --json, at the log's finest level; not in metrics, status, webhooks, local state or stored objects.
 */

const mark = (what: string) => `mark-${what}-${randomBytes(9).toString("hex")}`;
const KEY = randomBytes(32);
const SECRETS = {
  "access key": mark("access-key"),
  "secret access key": mark("secret-access-key"),
  "session token": mark("session-token"),
  "webhook secret": mark("webhook-secret"),
  "webhook token": mark("webhook-token"),
  "webhook password": mark("webhook-password"),
  "encryption key": KEY.toString("hex"),
  "password in a URL": mark("url-password"),
} as const;
/** Another key, and secrets in the wrong place. */
const OTHER_KEY = randomBytes(32).toString("hex");
const MISPLACED = mark("misplaced");
/** A webhook secret that somebody wrote without quotes. */
const DIGITS = 7_391_846_205;

/** What would give a secret away: itself, and as it is written elsewhere. */
const TRACES: readonly (readonly [string, Buffer])[] = [
  ...Object.entries(SECRETS).map(([what, text]) => [what, Buffer.from(text)] as const),
  ["encryption key", Buffer.from(KEY.toString("hex").toUpperCase())],
  ["encryption key in base64", Buffer.from(KEY.toString("base64").slice(0, 42))],
  ["encryption key in base64url", Buffer.from(KEY.toString("base64url").slice(0, 42))],
  ["encryption key as it is", KEY],
  ["other encryption key", Buffer.from(OTHER_KEY)],
  ["misplaced secret", Buffer.from(MISPLACED)],
  ["digits", Buffer.from(String(DIGITS))],
  ...Object.entries(SECRETS).map(
    ([what, text]) =>
      [`${what} in base64`, Buffer.from(Buffer.from(text).toString("base64").slice(0, -4))] as const,
  ),
];

function expectNoSecret(bytes: Uint8Array | string, where: string): void {
  const haystack = typeof bytes === "string" ? Buffer.from(bytes) : Buffer.from(bytes);
  for (const [what, trace] of TRACES) {
    if (haystack.includes(trace))
      expect.fail(`${where}: the ${what} is in it: ${haystack.toString().slice(0, 2000)}`);
  }
}

const BUCKET = "backups";
const ENV = {
  AWS_ACCESS_KEY_ID: SECRETS["access key"],
  AWS_SECRET_ACCESS_KEY: SECRETS["secret access key"],
  AWS_SESSION_TOKEN: SECRETS["session token"],
  BACKUP_KEY: SECRETS["encryption key"],
  WALRUST_LOG: "trace",
};

interface Stage {
  readonly at: Scene;
  readonly server: S3Server;
  readonly hook: {
    readonly url: string;
    readonly bodies: readonly string[];
    readonly headers: readonly string[];
  };
  readonly toml: string;
}

async function stage(): Promise<Stage> {
  const at = scene();
  const server = await startS3Server({
    bucket: BUCKET,
    accessKeyId: ENV.AWS_ACCESS_KEY_ID,
    secretAccessKey: ENV.AWS_SECRET_ACCESS_KEY,
  });
  onTestFinished(() => server.close());
  const hook = await webhookServer();
  const toml = [
    "[s3]",
    `bucket = "s3://${BUCKET}"`,
    `endpoint = "${server.endpoint}"`,
    "[sync]",
    "wal_sync_interval = 0.1",
    "[retry]",
    "max_retries = 0",
    "[encryption]",
    'key_env = "BACKUP_KEY"',
    "[[webhooks]]",
    `url = ${JSON.stringify(hook.url)}`,
    `secret = "${SECRETS["webhook secret"]}"`,
    "[[databases]]",
    'path = "app.db"',
    "",
  ].join("\n");
  writeFileSync(at.path("walrust.toml"), toml);
  addNotes(openApplication(at.path("app.db")), 5);
  return { at, server, hook, toml };
}

async function webhookServer(): Promise<Stage["hook"]> {
  const bodies: string[] = [];
  const headers: string[] = [];
  const server = createServer(async (request, response) => {
    let body = "";
    for await (const text of request.setEncoding("utf8")) body += text;
    bodies.push(body);
    const { authorization: _ours, ...others } = request.headers;
    headers.push(JSON.stringify(others));
    response.end();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => void server.close());
  const { port } = server.address() as AddressInfo;
  const url = `http://hook:${SECRETS["webhook password"]}@127.0.0.1:${port}/services/${SECRETS["webhook token"]}`;
  return { url, bodies, headers };
}

/** Every command with what it can do, by name. A command that is missing here fails the first test. */
const COMMANDS: Readonly<Record<string, (at: Scene) => readonly (readonly string[])[]>> = {
  watch: () => [["watch", "--once"]],
  restore: (at) => [
    ["restore", "app", "-o", at.path("out.db"), "--force"],
    ["restore", "app", "-o", at.path("out.db"), "--dry-run"],
    ["restore", "nobody", "-o", at.path("out.db")],
  ],
  list: () => [["list"], ["list", "app", "--files"]],
  verify: () => [
    ["verify", "app", "--restore"],
    ["verify", "--all"],
    ["verify", "app", "--fix"],
  ],
  snapshot: () => [["snapshot", "app.db"]],
  replicate: (at) => [["replicate", "app", "--local", at.path("replica.db"), "--once"]],
  status: () => [["status"]],
  explain: () => [["explain"]],
  pragma: () => [["pragma"]],
  compact: () => [
    ["compact", "app"],
    ["compact", "app", "--force"],
  ],
  bench: () => [["bench", "snapshot", "--runs", "1", "--megabytes", "1"]],
};

async function registered(at: Scene): Promise<readonly string[]> {
  const { stdout } = await runWalrust(at, ["--help"]);
  const names = [...stdout.matchAll(/^ {2}([a-z]+) {2,}\S/gm)].map(([, name]) => name as string);
  expect(names).toContain("watch");
  return names;
}

interface RunAll {
  readonly env: Readonly<Record<string, string>>;
  readonly more?: readonly string[];
  /** All command lines of each command, or the first alone: for what goes wrong before a command begins. */
  readonly lines: "all" | "first";
}

/** Runs every command that there is, and looks for secrets in what they print. */
async function runAll(at: Scene, { env, more = [], lines }: RunAll): Promise<void> {
  const run = async (line: readonly string[]) => {
    const { stdout, stderr } = await runWalrust(at, [...line, ...more], { env });
    const where = [...line, ...more.filter((word) => word.startsWith("--"))].join(" ");
    expectNoSecret(stdout, `${where}: stdout`);
    expectNoSecret(stderr, `${where}: stderr`);
    expect(stderr, `${where}: a bug`).not.toContain("unexpected:");
  };
  const known = (await registered(at)).map((name) => COMMANDS[name]?.(at) ?? []);
  if (lines === "first") await Promise.all(known.flatMap((all) => all.slice(0, 1)).map(run));
  else for (const line of known.flat()) await run(line);
}

/** Everything below the scene's folder, but for the files by which secrets are given. */
function expectNoSecretInFiles(at: Scene, given: readonly string[] = ["walrust.toml"]): void {
  for (const entry of readdirSync(at.folder, { recursive: true, encoding: "utf8" })) {
    expectNoSecret(entry, "the name of a file");
    if (given.includes(entry) || !lstatSync(at.path(entry)).isFile()) continue;
    expectNoSecret(readFileSync(at.path(entry)), entry);
  }
}

test("no command is forgotten here", async () => {
  expect((await registered(scene())).filter((name) => COMMANDS[name] === undefined)).toEqual([]);
});

test("a trace is found where there is one", () => {
  for (const [what, trace] of TRACES)
    expect(
      () => expectNoSecret(Buffer.concat([Buffer.from("{"), trace, Buffer.from("}")]), "here"),
      what,
    ).toThrow("is in it"); // by which name: a key may read the same in base64 and base64url
});

test("while all goes well: a daemon, everybody who asks it, and every command", async () => {
  const { at, server, hook } = await stage();
  const port = await freePort();
  const daemon = startWalrust(at, ["watch", "--metrics-port", String(port), "--json"], { env: ENV });
  const saw = (type: string) => daemon.lines.some((line) => line.includes(`"type":"${type}"`));
  await until("the first snapshot", () => saw("snapshot"));
  // What a webhook tells of.
  server.faults.add({ kind: "refuse", status: 503, code: "SlowDown" }, "PutObject");
  addNotes(openApplication(at.path("app.db")), 1);
  await until("a webhook", () => hook.bodies.length > 0);

  for (const path of ["/", "/metrics", "/healthz", "/readyz", "/status", "/nothing"]) {
    const answer = await fetch(`http://127.0.0.1:${port}${path}`);
    expectNoSecret(await answer.text(), path);
    expectNoSecret(JSON.stringify([...answer.headers]), path);
  }
  await runAll(at, { env: ENV, lines: "all" });
  await runAll(at, { env: ENV, lines: "all", more: ["--json"] });
  daemon.kill("SIGTERM");
  const { code, stdout, stderr } = await daemon.exited;
  expect(code, stderr).toBe(0);
  expectNoSecret(stdout, "the daemon's stdout");
  expectNoSecret(stderr, "the daemon's stderr");

  for (const body of [...hook.bodies, ...hook.headers]) expectNoSecret(body, "a webhook");
  expect(server.objects.size).toBeGreaterThan(2);
  for (const [key, { body }] of server.objects) {
    expectNoSecret(key, "the name of an object");
    expectNoSecret(body, key);
  }
  expectNoSecretInFiles(at);
}, 240_000);

async function freePort(): Promise<number> {
  const socket = createSocket();
  await new Promise<void>((resolve) => socket.listen(0, "127.0.0.1", resolve));
  const { port } = socket.address() as AddressInfo;
  await new Promise((resolve) => socket.close(resolve));
  return port;
}

describe("while it fails", () => {
  const password = SECRETS["password in a URL"];
  const key = SECRETS["encryption key"];
  /** What is said of walrust.toml itself is said of all mistakes at once. */
  const mistaken = (toml: string) =>
    [
      toml
        .replace("[s3]", `[s3]\nsecret_access_key = "${MISPLACED}"`)
        .replace('key_env = "BACKUP_KEY"', `key = "${OTHER_KEY}"\nkey_env = ${DIGITS}\nkey_file = ${DIGITS}`)
        .replace('url = "http:', 'url = "ftp:')
        .replace(/secret = ".*"/, `secret = ${DIGITS}`),
      `[aws]\nsecret_access_key = "${MISPLACED}"`,
    ].join("\n");

  test.each<readonly [string, Readonly<Record<string, string>>, RunAll["lines"], (toml: string) => string]>([
    ["refused credentials", { AWS_ACCESS_KEY_ID: MISPLACED }, "all", (toml) => toml],
    ["a storage that is away", {}, "all", (toml) => toml.replace(/127\.0\.0\.1:\d+"/, '127.0.0.1:1"')],
    ["a bucket that is not there", {}, "first", (toml) => toml.replace(`s3://${BUCKET}`, "s3://nowhere")],
    ["an encryption key that does not fit", { BACKUP_KEY: OTHER_KEY }, "all", (toml) => toml],
    ["half an encryption key", { BACKUP_KEY: key.slice(0, 40) }, "first", (toml) => toml],
    ["a key for the name of its variable", {}, "first", (toml) => toml.replace("BACKUP_KEY", OTHER_KEY)],
    [
      "a key for the name of its file",
      {},
      "first",
      (toml) => toml.replace('key_env = "BACKUP_KEY"', `key_file = "${KEY.toString("base64url")}"`),
    ],
    ["a password in the bucket", {}, "first", (toml) => toml.replace("s3://", `s3://user:${password}@`)],
    [
      "a password in the endpoint",
      {},
      "first",
      (toml) => toml.replace('endpoint = "http://', `endpoint = "http://user:${password}@`),
    ],
    [
      "a password in the environment's endpoint",
      { AWS_ENDPOINT_URL_S3: `https://user:${password}@127.0.0.1:1` },
      "first",
      (toml) => toml,
    ],
    ["mistakes in walrust.toml", {}, "first", mistaken],
    ["a secret that does not end", {}, "first", (toml) => toml.replace(/(secret = ".*)"/, "$1")],
  ])(
    "%s",
    async (_what, env, lines, change) => {
      const { at, toml, server } = await stage();
      const first = await runWalrust(at, ["watch", "--once"], { env: ENV });
      expect(first.code, first.stderr).toBe(0);
      writeFileSync(at.path("walrust.toml"), change(toml));
      await runAll(at, { env: { ...ENV, ...env }, lines, more: ["--json"] });
      expectNoSecretInFiles(at);
      for (const [name, { body }] of server.objects) expectNoSecret(body, name);
    },
    240_000,
  );

  test("secrets in arguments", async () => {
    const { at } = await stage();
    const run = (...more: string[]) => runAll(at, { env: ENV, lines: "first", more: ["--json", ...more] });
    await run("-b", `s3://user:${password}@${BUCKET}`);
    await run("-b", `s3://user:pass/${password}@${BUCKET}`);
    await run("--endpoint", `https://user:${password}@127.0.0.1:1`);
    for (const address of [
      `s3://user:${password}@${BUCKET}/app`,
      `s3://user:${password}@app`,
      `ftp://${password}@/`,
    ]) {
      for (const more of [[], ["-b", "copies"]]) {
        const args = ["replicate", address, "--local", at.path("replica.db"), "--once", ...more];
        const { code, stdout, stderr } = await runWalrust(at, args, { env: ENV });
        expect(code, stderr).toBe(2);
        expectNoSecret(stdout + stderr, "replicate ADDRESS");
      }
    }
  }, 240_000);

  test("a key file, and credentials of a profile", async () => {
    const { at, toml } = await stage();
    const env = { WALRUST_LOG: "trace" };
    writeFileSync(at.path("backup.key"), KEY, { mode: 0o644 });
    mkdirSync(at.path(".aws"));
    const credentials = [
      "[default]",
      `aws_access_key_id = ${SECRETS["access key"]}`,
      `aws_secret_access_key = ${SECRETS["secret access key"]}`,
    ];
    writeFileSync(at.path(".aws/credentials"), `${credentials.join("\n")}\n`);
    writeFileSync(at.path("walrust.toml"), toml.replace('key_env = "BACKUP_KEY"', 'key_file = "backup.key"'));
    const given = ["walrust.toml", "backup.key", join(".aws", "credentials")];
    const first = await runWalrust(at, ["watch", "--once"], { env });
    expect(first.code, first.stderr).toBe(0);
    expect(first.stderr).toContain("backup.key");
    await runAll(at, { env, lines: "first" });
    expectNoSecretInFiles(at, given);
    writeFileSync(at.path("backup.key"), `${OTHER_KEY}\n`);
    await runAll(at, { env, lines: "first", more: ["--json"] });
    expectNoSecretInFiles(at, given);
  }, 240_000);
});
