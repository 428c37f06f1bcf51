import { expect, test } from "vitest";
import { WalrustError } from "../../src/errors.ts";
import { Watched } from "../helpers/daemon/watched.ts";
import { Stage } from "../helpers/replication/stage.ts";

const INSERT = "INSERT INTO t(body) VALUES ('a row')";

test("a task tells what it does: served, behind while storage is away, served again", async () => {
  const stage = new Stage();
  stage.app.exec("CREATE TABLE IF NOT EXISTS t(id INTEGER PRIMARY KEY, body TEXT)");
  const { task, ...watched } = await Watched.begin(stage);
  const { clock, storage } = stage;
  await clock.advance(5000);
  const first = task.status();
  expect(first).toMatchObject({ name: "app", path: stage.path, state: "serving", lagMs: 0, pendingBytes: 0 });
  expect(first.capturedTxid).toBe(first.publishedTxid);
  expect(first.lastSnapshot?.txid).toBe(1n);

  storage.fault = () => ({ kind: "before", error: new WalrustError("STORAGE_NETWORK", "no route") });
  stage.app.exec(INSERT);
  await clock.advanceUntil(() => task.status().state === "waiting", 10_000);
  await clock.advance(20_000);
  const away = task.status();
  expect(away.lagMs).toBeGreaterThan(19_000);
  expect(away.pendingBytes).toBeGreaterThan(4096);
  expect(away.walSizeBytes).toBeGreaterThan(4096);
  expect(away.lastError).toEqual({ code: "STORAGE_NETWORK", message: "no route" });
  expect(away.capturedTxid).toBe((first.capturedTxid ?? 0n) + 1n);
  expect(away.publishedTxid).toBe(first.publishedTxid);
  expect(away.nextSnapshotAtMs).toBeGreaterThan(clock.now());

  storage.fault = () => undefined;
  await clock.advanceUntil(() => task.status().state === "serving", 10_000);
  expect(task.status()).toMatchObject({ lagMs: 0, lastError: undefined, publishedTxid: away.capturedTxid });
  expect(watched.events.some(({ type }) => type === "circuit_breaker_open")).toBe(false);
});

test("that storage is left alone for a while is told once for each outage", async () => {
  const stage = new Stage();
  stage.app.exec("CREATE TABLE IF NOT EXISTS t(id INTEGER PRIMARY KEY, body TEXT)");
  const watched = await Watched.begin(stage);
  const details = { circuitOpen: true };
  const told = () => watched.of("circuit_breaker_open").length;
  for (const outages of [1, 2]) {
    stage.storage.fault = () => ({
      kind: "before",
      error: new WalrustError("STORAGE_UNAVAILABLE", "left alone", { details }),
    });
    stage.app.exec(INSERT);
    await stage.clock.advance(20_000);
    expect(told()).toBe(outages);
    stage.storage.fault = () => undefined;
    await stage.clock.advanceUntil(() => watched.of("recovered").length === outages, 20_000);
  }
});
