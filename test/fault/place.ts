import { readdirSync } from "node:fs";
import { systemClock } from "../../src/clock.ts";
import { openStorage } from "../../src/storage/open.ts";
import type { Storage } from "../../src/storage/storage.ts";
import { s3Storage } from "../helpers/e2e/s3-storage.ts";
import type { Scene } from "../helpers/e2e/scene.ts";
import { collect, settingsFor } from "../storage/support.ts";

/** Where copies go: a folder, or the strict S3 server in the test's own process, which outlives the program. */
export type PlaceName = "folder" | "s3";

export interface Place {
  readonly address: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** The same storage, for the test. */
  readonly storage: Storage;
  /** What is there and is no object, once somebody has written again: what a dead process left goes with the next write to its folder. */
  strays(): Promise<string[]>;
}

export async function placeOf(at: Scene, name: PlaceName): Promise<Place> {
  if (name === "s3") return s3Place();
  const open = () => openStorage(settingsFor(at.address), { clock: systemClock });
  return {
    address: at.address,
    args: [],
    env: {},
    storage: await open(),
    strays: async () => {
      const next = await open();
      await next.put("app/next", new Uint8Array(1));
      await next.delete(["app/next"]);
      const paths = readdirSync(at.storage, { recursive: true, encoding: "utf8" });
      return paths.filter((path) => /(^|\/)\./.test(path));
    },
  };
}

async function s3Place(): Promise<Place> {
  const { server, address, args, env } = await s3Storage();
  const settings = settingsFor(address, { endpoint: server.endpoint });
  return {
    ...{ address, args, env },
    storage: await openStorage(settings, { clock: systemClock, env }),
    strays: async () => (server.openUploads > 0 ? [`${server.openUploads} open uploads`] : []),
  };
}

/** Puts all objects of one storage into another one. */
export async function copyObjects(from: Storage, to: Storage): Promise<void> {
  for (const { key } of await collect(from.list(""))) {
    const { body } = await from.get(key, { maxBytes: Number.MAX_SAFE_INTEGER });
    await to.put(key, body);
  }
}
