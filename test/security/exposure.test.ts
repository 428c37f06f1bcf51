import { lstatSync, readdirSync } from "node:fs";
import { createServer, request } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { until } from "../../src/bench/until.ts";
import { EventCounts } from "../../src/observability/event-counts.ts";
import { isLoopback } from "../../src/observability/loopback.ts";
import { DaemonPages } from "../../src/observability/metrics-pages.ts";
import { MetricsServer } from "../../src/observability/metrics-server.ts";
import { RequestCounts } from "../../src/observability/request-counts.ts";
import { silentLog } from "../../src/observability/silent-log.ts";
import { databaseStatus } from "../helpers/database-status.ts";
import { addNotes, openApplication } from "../helpers/e2e/application.ts";
import { scene } from "../helpers/e2e/scene.ts";
import { metricsOf, runWalrust, startWatch } from "../helpers/e2e/walrust.ts";
import { ManualClock } from "../helpers/manual-clock.ts";
import { startS3Server } from "../helpers/s3-server/server.ts";

/** Who can speak to the daemon, and whom it speaks to. */

const SCRIPT = `<script>alert(1)</script>"'\\<img src=x onerror=alert(1)>`;

async function serve(host: string) {
  const clock = new ManualClock();
  const warnings: string[] = [];
  const log = { ...silentLog, warn: (_: object, message: string) => void warnings.push(message) };
  const statuses = () => [databaseStatus({ name: SCRIPT, path: SCRIPT })];
  const counts = { events: new EventCounts(clock), requests: new RequestCounts() };
  const source = { clock, version: "1", startedAtMs: 0, statuses, ...counts };
  const pages = async () => new DaemonPages({ source, storage: "s3://copies", host, log });
  const server = await MetricsServer.listen({ host, port: 0, isPortGiven: true }, { clock, log, pages });
  onTestFinished(async () => server?.close());
  return { port: server?.port ?? 0, warnings };
}

interface Answer {
  readonly status: number | undefined;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly body: string;
}

function ask(port: number, path: string, options: { method?: string; host?: string } = {}): Promise<Answer> {
  const { method = "GET", host = `127.0.0.1:${port}` } = options;
  return new Promise((resolve, reject) => {
    const sent = request(
      { host: "127.0.0.1", port, path, method, headers: { host }, agent: false },
      (answer) => {
        let body = "";
        answer.setEncoding("utf8").on("data", (text: string) => {
          body += text;
        });
        answer.on("end", () => resolve({ status: answer.statusCode, headers: answer.headers, body }));
      },
    );
    sent.on("error", reject).end();
  });
}

describe("the metrics server", () => {
  test.each([
    ["127.0.0.1", true],
    ["127.1.2.3", true],
    ["localhost", true],
    ["::1", true],
    ["0.0.0.0", false],
    ["::", false],
    ["10.0.0.1", false],
    ["127.0.0.1.example", false],
    ["localhost.example", false],
    ["", false],
  ])("%j is loopback: %s", (name, expected) => {
    expect(isLoopback(name)).toBe(expected);
  });

  test("an address that others can reach is said, and what they can read there", async () => {
    expect((await serve("127.0.0.1")).warnings).toEqual([]);
    expect((await serve("0.0.0.0")).warnings).toEqual([expect.stringContaining("without a password")]);
  });

  test.each([
    ["/", {}],
    ["/metrics", {}],
    ["/status.json", {}],
    ["/healthz", {}],
    ["/readyz", {}],
    ["/nothing", {}],
    ["/metrics", { method: "POST" }],
    ["/metrics", { host: "evil.example" }],
  ])("%s %j: nothing in it can run, be framed, guessed at or kept", async (path, options) => {
    const { port } = await serve("127.0.0.1");
    const { headers, body } = await ask(port, path, options);
    expect(headers).toMatchObject({
      "content-security-policy": expect.stringContaining("default-src 'none'"),
      "x-content-type-options": "nosniff",
      "cache-control": "no-store",
      "referrer-policy": "no-referrer",
      "cross-origin-resource-policy": "same-origin",
    });
    expect(headers["access-control-allow-origin"]).toBeUndefined();
    expect(headers["server"]).toBeUndefined();
    const type = String(headers["content-type"]);
    // The page itself holds no name at all; elsewhere a name is text or JSON.
    if (type.startsWith("text/html")) expect(body).not.toContain("alert(1)");
    else expect(type).toMatch(/^(text\/plain|application\/json)/);
  });

  test("headers above 8 KiB are not read", async () => {
    const { port } = await serve("127.0.0.1");
    const socket = connect({ host: "127.0.0.1", port });
    let answer = "";
    socket.setEncoding("utf8").on("data", (text: string) => {
      answer += text;
    });
    socket.write(`GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-Long: ${"x".repeat(16_384)}\r\n\r\n`);
    await new Promise((resolve) => socket.once("close", resolve).on("error", () => {}));
    expect(answer).toMatch(/^(HTTP\/1\.1 431 .*|)$/m);
    expect(answer).not.toContain("200 OK");
  });
});

test("by default nothing of the daemon can be reached from another machine", async () => {
  const at = scene();
  addNotes(openApplication(at.path("app.db")));
  const watch = startWatch(at, { databases: ["app.db"], metrics: true });
  await watch.untilPublished("app");
  const url = new URL(await metricsOf(watch));
  expect(url.hostname).toBe("127.0.0.1");
  expect(watch.child.stderr()).not.toContain("without a password");
  const [socket] = await until("the socket", () => {
    const folder = at.path(`walrust-${process.getuid?.()}`);
    const found = readdirSync(folder).map((name) => join(folder, name));
    return found.length > 0 && found;
  });
  const stat = lstatSync(socket ?? "");
  expect([stat.isSocket(), stat.mode & 0o777]).toEqual([true, 0o600]);
  // Nobody who says nothing, or nonsense, or too much, takes anything from others.
  for (const said of [
    "",
    "\n",
    "{}\n",
    `${"[".repeat(60_000)}\n`,
    '{"version":1,"command":"__proto__"}\n',
    "x".repeat(100_000),
  ]) {
    const client = connect({ path: socket ?? "" }).on("error", () => {});
    client.write(said);
  }
  const { code, stdout, stderr } = await runWalrust(at, ["status", "--json"]);
  expect(code, stderr).toBe(0);
  expect(stdout).toContain('"name":"app"');
  await watch.drain();
}, 60_000);

describe("credentials go to the storage that is named, and nowhere else", () => {
  const env = {
    AWS_ACCESS_KEY_ID: "someone",
    AWS_SECRET_ACCESS_KEY: "a secret",
    AWS_SESSION_TOKEN: "a token",
  };

  async function listener(status = 200, headers: Readonly<Record<string, string>> = {}) {
    const heard: string[] = [];
    const server = createServer((asked, answer) => {
      heard.push(`${asked.method} ${asked.url} ${JSON.stringify(asked.headers)}`);
      answer.writeHead(status, headers).end();
    });
    server.on("connect", (asked, socket) => {
      heard.push(`CONNECT ${asked.url}`);
      socket.destroy();
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    onTestFinished(() => void server.close());
    return { heard, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
  }

  test.each([301, 302, 307, 308])(
    "a storage that answers %d: its redirect is not followed",
    async (status) => {
      const at = scene();
      addNotes(openApplication(at.path("app.db")));
      const elsewhere = await listener();
      const storage = await listener(status, { location: `${elsewhere.url}/copies/app` });
      for (const line of [
        ["list"],
        ["restore", "app", "-o", "out.db"],
        ["watch", "app.db", "--once", "--max-retries", "0"],
      ]) {
        const args = [...line, "-b", "copies", "--endpoint", storage.url];
        const { code, stdout, stderr } = await runWalrust(at, args, { env });
        expect(code, `${stdout}${stderr}`).toBe(4);
        expect(stdout + stderr).not.toContain("a token");
      }
      expect(storage.heard.length).toBeGreaterThan(2);
      expect(elsewhere.heard).toEqual([]);
    },
    60_000,
  );

  test("proxies of the environment see nothing", async () => {
    const at = scene();
    const proxy = await listener(502);
    const server = await startS3Server({
      bucket: "copies",
      accessKeyId: env.AWS_ACCESS_KEY_ID,
      secretAccessKey: env.AWS_SECRET_ACCESS_KEY,
    });
    onTestFinished(() => server.close());
    const proxies = Object.fromEntries(
      ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy"].map((name) => [
        name,
        proxy.url,
      ]),
    );
    const { code, stderr } = await runWalrust(at, ["list", "-b", "copies", "--endpoint", server.endpoint], {
      env: { ...env, ...proxies },
    });
    expect(code, stderr).toBe(0);
    expect(proxy.heard).toEqual([]);
  }, 30_000);
});
