import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, onTestFinished, test, vi } from "vitest";
import { systemClock } from "../../src/clock.ts";
import { WalrustError } from "../../src/errors.ts";
import type { WalrustEvent } from "../../src/events.ts";
import { startMonitoring } from "../../src/observability/monitoring.ts";
import { silentLog } from "../../src/observability/silent-log.ts";

/** A webhook that writes down which database it was told of. */
async function aWebhook() {
  const told: string[] = [];
  const server = createServer((request, response) => {
    let body = "";
    request.setEncoding("utf8").on("data", (text: string) => {
      body += text;
    });
    request.on("end", () => {
      told.push(JSON.parse(body).database);
      response.end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    server.close();
  });
  return { told, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`, events: [] };
}

const fenced = (database: string): WalrustEvent => ({
  type: "fenced",
  database,
  error: new WalrustError("STORAGE_FENCED", "another writer took over"),
});

test("webhooks come, change and go while it runs; those that went still tell what they have heard", async () => {
  const [first, second] = [await aWebhook(), await aWebhook()];
  const daemon = { uploaderConcurrency: 1, shadowMaxSizeBytes: 1, once: false, takeOver: false };
  const heard: string[] = [];
  const monitoring = await startMonitoring(
    { metrics: undefined, webhooks: [{ url: first.url, events: [] }], daemon },
    {
      ...{ clock: systemClock, log: silentLog, version: "1", storage: "memory://test", requests: undefined },
      events: ({ database }) => heard.push(database),
    },
  );
  monitoring.events(fenced("one"));
  monitoring.reload({ webhooks: [{ url: first.url, events: [] }] });
  monitoring.events(fenced("two"));
  monitoring.reload({ webhooks: [{ url: second.url, events: [] }] });
  await vi.waitUntil(
    () => {
      monitoring.events(fenced(`other ${heard.length}`)); // until the new ones are there, the old ones are told
      return second.told.length > 0;
    },
    { timeout: 40_000, interval: 20 },
  );
  monitoring.reload({ webhooks: [] });
  await monitoring.close();
  expect(first.told.slice(0, 2)).toEqual(["one", "two"]);
  expect([...first.told, ...second.told].toSorted()).toEqual(heard.toSorted());
});
