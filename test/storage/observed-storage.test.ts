import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { expect, onTestFinished, test } from "vitest";
import { systemClock } from "../../src/clock.ts";
import type { StorageRequest } from "../../src/storage/dependencies.ts";
import { openStorage } from "../../src/storage/open.ts";
import { storageContract } from "./contract.ts";
import { bytesOf, keysOf, readAll, refusal, settingsFor } from "./support.ts";

async function observed() {
  const root = mkdtempSync(join(tmpdir(), "walrust-observed-"));
  const requests: StorageRequest[] = [];
  const onRequest = (request: StorageRequest) => requests.push(request);
  const storage = await openStorage(settingsFor(pathToFileURL(root).href), { clock: systemClock, onRequest });
  const close = async () => {
    await storage.close();
    rmSync(root, { recursive: true });
  };
  return { storage, requests, close };
}

storageContract("a folder whose calls are counted", async () => {
  const { storage, close } = await observed();
  return { storage, close, partSizeBytes: 1024 * 1024, keepsTime: true, knowsSha256OfParts: true };
});

test("each call is told with what it was and came to", async () => {
  const { storage, requests, close } = await observed();
  onTestFinished(close);
  await storage.check();
  await storage.put("db/a", bytesOf(10, 1), { condition: { kind: "absent" } });
  await refusal(storage.put("db/a", bytesOf(10, 2), { condition: { kind: "absent" } }));
  await storage.get("db/a", { maxBytes: 10 });
  await refusal(storage.get("db/none", { maxBytes: 10 }));
  await refusal(storage.get("db/a", { maxBytes: 1 }));
  await readAll(storage.read("db/a"));
  for await (const _piece of storage.read("db/a")) break;
  await storage.head("db/a");
  await keysOf(storage.list("db/"));
  const upload = storage.upload("db/b", { headSizeBytes: 1, expectedSizeBytes: 3 });
  await upload.write(bytesOf(2, 1));
  await upload.complete(bytesOf(1, 1));
  await storage.upload("db/c", { headSizeBytes: 1, expectedSizeBytes: 3 }).abort();
  await storage.delete(["db/a"]);
  await refusal(storage.put("db/a", bytesOf(1, 1), { signal: AbortSignal.abort() }));
  expect(requests.map(({ operation, outcome }) => `${operation} ${outcome}`)).toEqual([
    ...["head ok", "put ok", "put conflict", "get ok", "get not_found", "get failed", "get ok", "get ok"],
    ...["head ok", "list ok", "put ok", "delete ok", "put aborted"],
  ]);
  expect(requests.every(({ durationMs }) => durationMs >= 0 && durationMs < 60_000)).toBe(true);
});
