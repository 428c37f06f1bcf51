import { createHash } from "node:crypto";
import { request } from "node:http";
import { connect, createServer } from "node:net";
import { expect, onTestFinished, test, vi } from "vitest";
import type { DatabaseStatus } from "../../src/observability/database-status.ts";
import { EventCounts } from "../../src/observability/event-counts.ts";
import { DaemonPages } from "../../src/observability/metrics-pages.ts";
import { MetricsServer } from "../../src/observability/metrics-server.ts";
import { RequestCounts } from "../../src/observability/request-counts.ts";
import { silentLog } from "../../src/observability/silent-log.ts";
import { STATUS_PAGE } from "../../src/observability/status-page.ts";
import { databaseStatus } from "../helpers/database-status.ts";
import { ManualClock } from "../helpers/manual-clock.ts";

interface SceneOptions {
  readonly statuses?: () => readonly DatabaseStatus[] | undefined;
  readonly isPortGiven?: boolean;
  readonly port?: number;
}

async function serve(options: SceneOptions = {}) {
  const { statuses = () => [databaseStatus()], port = 0, isPortGiven = true } = options;
  const clock = new ManualClock();
  const warnings: string[] = [];
  const log = { ...silentLog, warn: (_: object, message: string) => warnings.push(message) };
  const source = { clock, version: "1.2.3", startedAtMs: clock.now(), statuses };
  const counts = { events: new EventCounts(clock), requests: new RequestCounts() };
  const host = "127.0.0.1";
  const load = vi.fn(
    async () => new DaemonPages({ source: { ...source, ...counts }, storage: "s3://copies", host, log }),
  );
  const server = await MetricsServer.listen({ host, port, isPortGiven }, { clock, log, pages: load });
  onTestFinished(async () => server?.close());
  return { server, port: server?.port ?? 0, load, clock, warnings };
}

interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly body: string;
}

function ask(port: number, path: string, options: { method?: string; host?: string } = {}): Promise<Answer> {
  const { method = "GET", host = `localhost:${port}` } = options;
  return new Promise((resolve, reject) => {
    const sent = request(
      { host: "127.0.0.1", port, path, method, headers: { host }, agent: false },
      (response) => {
        let body = "";
        response.setEncoding("utf8").on("data", (text: string) => {
          body += text;
        });
        response.on("end", () =>
          resolve({ status: response.statusCode ?? 0, headers: response.headers, body }),
        );
      },
    );
    sent.on("error", reject).end();
  });
}

test("/metrics, /healthz, /status.json and / answer; everything else does not", async () => {
  const { port } = await serve();
  const metrics = await ask(port, "/metrics");
  expect(metrics.headers["content-type"]).toBe("text/plain; version=0.0.4; charset=utf-8");
  expect(metrics.body).toContain('walrust_current_txid{database="app"} 12\n');
  expect(await ask(port, "/healthz")).toMatchObject({ status: 200, body: "ok\n" });
  const status = await ask(port, "/status.json?now");
  expect(JSON.parse(status.body)).toMatchObject({ storage: "s3://copies", databases: [{ name: "app" }] });
  expect((await ask(port, "/")).headers["content-type"]).toBe("text/html; charset=utf-8");
  expect(await ask(port, "/etc/passwd")).toMatchObject({ status: 404 });
  expect(await ask(port, "/metrics", { method: "HEAD" })).toMatchObject({ status: 200, body: "" });
  for (const method of ["POST", "PUT", "DELETE", "OPTIONS"])
    expect(await ask(port, "/metrics", { method }), method).toMatchObject({ status: 405 });
});

test("/readyz names what is not published within its interval", async () => {
  let statuses: readonly DatabaseStatus[] | undefined;
  const { port } = await serve({ statuses: () => statuses });
  expect(await ask(port, "/readyz")).toMatchObject({ status: 503, body: "not ready: starting\n" });
  statuses = [databaseStatus(), databaseStatus({ name: "b", state: "parked" })];
  expect(await ask(port, "/readyz")).toMatchObject({ status: 200, body: "ok\n" });
  const lastError = { code: "STORAGE_NETWORK", message: "no" };
  statuses = [databaseStatus(), databaseStatus({ name: "b", lagMs: 90_000, state: "waiting", lastError })];
  expect(await ask(port, "/readyz")).toMatchObject({
    status: 503,
    body: "not ready: 1 of 2 databases\nb: waiting, 90.0 s behind, STORAGE_NETWORK\n",
  });
  statuses = Array.from({ length: 60 }, (_, index) => databaseStatus({ name: `d${index}`, lagMs: 90_000 }));
  expect((await ask(port, "/readyz")).body).toMatch(/d49: .*\nand 10 more\n$/);
});

test.each([
  ["a name that somebody lets point here", "evil.example", 403],
  ["the same with a port", "evil.example:16767", 403],
  ["localhost", "localhost", 200],
  ["an address of this machine", "127.0.0.1:1", 200],
  ["IPv6", "[::1]:1", 200],
  ["a name that only begins like one", "127.0.0.1.evil.example", 403],
])("DNS rebinding: %s", async (_, host, status) => {
  const { port } = await serve();
  for (const path of ["/", "/metrics", "/status.json", "/readyz"])
    expect((await ask(port, path, { host })).status, path).toBe(status);
});

test("the page needs nothing from elsewhere, and its policy allows exactly its own style and script", async () => {
  const { port } = await serve();
  const { body, headers } = await ask(port, "/");
  const inline = (tag: string) => new RegExp(`<${tag}>([\\s\\S]*?)</${tag}>`).exec(body)?.[1] ?? "";
  const policy = String(headers["content-security-policy"]);
  for (const tag of ["style", "script"]) {
    const hash = createHash("sha256").update(inline(tag)).digest("base64");
    expect(policy).toContain(`${tag}-src 'sha256-${hash}'`);
  }
  expect(policy).toContain("default-src 'none'");
  expect(policy).not.toContain("unsafe");
  expect(body).not.toMatch(/https?:\/\/(?!www\.w3\.org\/2000\/svg)|src=|@import|url\(/);
  expect(inline("script"), "only text goes in").not.toMatch(
    /innerHTML|outerHTML|insertAdjacent|document\.write|eval/,
  );
  expect(() => new Function(inline("script"))).not.toThrow();
  expect(STATUS_PAGE).toContain("prefers-color-scheme: dark");
});

test("a daemon that nobody asks loads nothing", async () => {
  const { port, load } = await serve();
  expect(load).not.toHaveBeenCalled();
  await ask(port, "/healthz");
  await ask(port, "/healthz");
  expect(load).toHaveBeenCalled();
});

test("who says nothing, or nothing sensible, is let go", async () => {
  const { port, clock } = await serve();
  const silent = connect({ host: "127.0.0.1", port });
  const ended = new Promise((resolve) => silent.once("close", resolve));
  await vi.waitUntil(() => clock.sleepers === 1, { timeout: 40_000 });
  await clock.advance(30_000);
  await ended;
  const garbage = connect({ host: "127.0.0.1", port }, () => garbage.write("\u0000\u0001 what\r\n\r\n"));
  await new Promise((resolve) => garbage.once("close", resolve).resume());
  expect((await ask(port, "/healthz")).status).toBe(200);
});

test("a page that fails ends its connection and nothing else", async () => {
  let isBroken = true;
  const statuses = () => {
    if (isBroken) throw new Error("broken");
    return [];
  };
  const { port } = await serve({ statuses });
  for (const path of ["/metrics", "/status.json", "/readyz"]) await expect(ask(port, path)).rejects.toThrow();
  isBroken = false;
  expect((await ask(port, "/readyz")).status).toBe(200);
});

test("the end does not wait for who hangs on", async () => {
  const { port, server } = await serve();
  const silent = connect({ host: "127.0.0.1", port });
  await new Promise((resolve) => silent.once("connect", resolve));
  await server?.close();
  await new Promise((resolve) => silent.once("close", resolve).resume());
});

test("a port that is taken: refused if it was asked for, else said", async () => {
  const taken = createServer();
  await new Promise<void>((resolve) => taken.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => void taken.close());
  const { port } = taken.address() as { port: number };
  await expect(serve({ port })).rejects.toMatchObject({
    code: "CONFIG_INVALID",
    exitCode: 2,
    message: `metrics cannot be served at 127.0.0.1:${port} (EADDRINUSE)`,
  });
  const { server, warnings } = await serve({ port, isPortGiven: false });
  expect(server).toBeUndefined();
  expect(warnings).toEqual([expect.stringContaining("none are; --metrics-port chooses another port")]);
});
