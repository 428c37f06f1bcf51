import { setTimeout as sleep } from "node:timers/promises";
import { expect, onTestFinished } from "vitest";
import { until } from "../../../src/bench/until.ts";
import { assertPrefix } from "../writers/assert-prefix.ts";
import { startWriter } from "../writers/start-writer.ts";
import { s3Storage } from "./s3-storage.ts";
import { scene } from "./scene.ts";
import { runWalrust, startWatch } from "./walrust.ts";

/**
 * Storage goes away while a writer commits, and comes back (pitfall 58): uploads go on, the log tells both, and nothing is missing.
 * @param resumeWithinMs of storage's return; 2 s where the machine does nothing else
 */
export async function outage(seconds: number, how: "refused" | "503", resumeWithinMs: number): Promise<void> {
  const at = scene();
  const storage = await s3Storage();
  const { server } = storage;
  const writer = await startWriter({ database: at.path("app.db"), rate: 100 });
  onTestFinished(() => writer.kill());
  const watch = startWatch(at, { databases: [at.path("app.db")], ...storage });
  await watch.untilEvent("snapshot");

  const away = async (on: boolean) => {
    if (how === "refused") return server.outage(on);
    if (on)
      server.faults.add({ kind: "refuse", status: 503, code: "ServiceUnavailable" }, undefined, {
        times: 1e9,
      });
    else server.faults.clear();
  };
  const puts = () =>
    server.requests.filter(({ operation, status }) => operation === "PutObject" && status === 200).length;
  await away(true);
  await sleep(seconds * 1000);
  expect(watch.child.running()).toBe(true);
  await watch.untilEvent("sync_failed");
  const before = puts();
  await away(false);
  const backMs = performance.now();
  await until("an upload after the outage", () => puts() > before, { limitMs: 30_000, everyMs: 5 });
  expect(performance.now() - backMs, "ms from storage's return to the first upload").toBeLessThan(
    resumeWithinMs,
  );
  await watch.untilEvent("recovered");

  await writer.stop();
  const written = writer.acknowledged();
  await watch.drain();
  const out = at.path("out.db");
  const args = ["restore", "app", "-o", out, "--bucket", storage.address, ...storage.args];
  const exit = await runWalrust(at, args, { env: storage.env });
  expect(exit.code, exit.stderr).toBe(0);
  assertPrefix(out, { atLeast: written, atMost: written });
}
