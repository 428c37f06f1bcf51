import { writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { until } from "../../src/bench/until.ts";
import { addNotes, openApplication } from "../helpers/e2e/application.ts";
import { s3Storage } from "../helpers/e2e/s3-storage.ts";
import { scene } from "../helpers/e2e/scene.ts";
import { metricsOf, restored, runWalrust, startWatch } from "../helpers/e2e/walrust.ts";
import { HttpSink } from "../helpers/http-sink.ts";

/** One sample of an exposition. */
function sample(text: string, name: string): number {
  const line = text.split("\n").find((candidate) => candidate.startsWith(`${name} `));
  if (line === undefined) throw new Error(`no ${name} in ${text}`);
  return Number(line.slice(name.length));
}

const get = async (url: string) => {
  const response = await fetch(url);
  return { status: response.status, text: await response.text() };
};

test("while storage is away the lag grows, nothing is ready and a webhook is told; all of it ends with its return", async () => {
  const at = scene();
  const [storage, sink] = [await s3Storage(), await HttpSink.start()];
  const app = openApplication(at.path("app.db"));
  addNotes(app, 5);
  writeFileSync(at.path("walrust.toml"), `[[webhooks]]\nurl = "${sink.origin}/hook"\nsecret = "hush"\n`);
  const watch = startWatch(at, { databases: ["app.db"], ...storage, metrics: true });
  const origin = await metricsOf(watch);
  const scrape = async () => (await get(`${origin}/metrics`)).text;
  await until("ready", async () => (await get(`${origin}/readyz`)).status === 200);
  const label = '{database="app"}';
  const before = sample(await scrape(), `walrust_replicated_txid${label}`);
  addNotes(app);
  await until("the commit is published", async () => {
    const text = await scrape();
    return (
      sample(text, `walrust_replicated_txid${label}`) > before &&
      sample(text, `walrust_lag_seconds${label}`) === 0
    );
  });
  const counted = (text: string) =>
    sample(text, 'walrust_storage_request_duration_seconds_count{operation="put",outcome="ok"}');
  expect(counted(await scrape())).toBeGreaterThanOrEqual(2);

  await storage.server.outage(true);
  addNotes(app);
  const away = await until("not ready", async () => {
    const answer = await get(`${origin}/readyz`);
    return answer.status === 503 && answer.text;
  });
  expect(away).toMatch(/^not ready: 1 of 1 databases\napp: waiting, \d+\.\d s behind, STORAGE_/);
  await until("the lag grows", async () => sample(await scrape(), `walrust_lag_seconds${label}`) > 1);
  expect(sample(await scrape(), `walrust_pending_bytes${label}`)).toBeGreaterThan(4096);
  expect(sample(await scrape(), `walrust_error_count_total${label}`)).toBeGreaterThan(0);
  expect((await get(`${origin}/healthz`)).status, "the process is well").toBe(200);
  const status = await runWalrust(at, ["status", "--json"]);
  expect(JSON.parse(status.stdout)).toMatchObject({
    daemons: [{ storage: storage.address, databases: [{ name: "app", state: "waiting", ready: false }] }],
  });

  await storage.server.outage(false);
  await until("ready again", async () => (await get(`${origin}/readyz`)).status === 200);
  await until("all is published", async () => sample(await scrape(), `walrust_lag_seconds${label}`) === 0);
  await watch.drain();
  expect(sink.documents[0]).toMatchObject({ event: "sync_failed", database: "app", attempts: 1 });
  expect(
    sink.received.every(({ headers }) =>
      /^sha256=[0-9a-f]{64}$/.test(String(headers["x-walrust-signature"])),
    ),
  ).toBe(true);
  expect(watch.child.stderr()).not.toMatch(/hush|\/hook/);
});

test("a webhook that hangs delays neither publication nor, beyond a few seconds, the end (pitfall 50)", async () => {
  const at = scene();
  const sink = await HttpSink.start();
  sink.answer = undefined;
  const app = openApplication(at.path("app.db"));
  addNotes(app);
  const toml = [
    "[[webhooks]]",
    `url = "${sink.origin}"`,
    "[[databases]]",
    `path = "${at.path("missing.db")}"`,
  ];
  writeFileSync(
    at.path("walrust.toml"),
    [...toml, "[[databases]]", `path = "${at.path("app.db")}"`].join("\n"),
  );
  const watch = startWatch(at);
  await until("the webhook is asked", () => sink.received.length > 0);
  const before = await watch.untilPublished("app");
  addNotes(app);
  await watch.untilPublished("app", before);
  watch.child.kill("SIGTERM");
  const { code, stderr } = await watch.child.exited;
  expect(code, "one database could not be opened").toBe(1);
  expect(stderr).toContain("events that were not delivered: 1");
  expect(await restored(at, "app")).toContain("restored");
});

test("a port that is taken: exit 2 before anything starts if it was asked for", async () => {
  const at = scene();
  addNotes(openApplication(at.path("app.db")));
  const taken = createServer();
  await new Promise<void>((resolve) => taken.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => void taken.close());
  const port = String((taken.address() as AddressInfo).port);
  const exit = await runWalrust(at, ["watch", "app.db", "-b", at.address, "--metrics-port", port]);
  expect(exit).toMatchObject({
    code: 2,
    stderr: expect.stringContaining(`metrics cannot be served at 127.0.0.1:${port}`),
  });
  expect((await runWalrust(at, ["list", "-b", at.address])).stdout).toContain("no databases");
  const once = await runWalrust(at, ["watch", "app.db", "-b", at.address, "--metrics-port", port, "--once"]);
  expect(once.code, "--once serves none").toBe(0);
});
