import { afterEach, describe, expect, it } from "vitest";
import type { ProfileName } from "../helpers/s3-server/profiles.ts";
import { s3Contract } from "./s3-contract.ts";
import { bytesOf, refusal, type S3Bench, s3Bench } from "./support.ts";

let bench: S3Bench;
afterEach(() => bench?.close());

describe("a storage whose conditions nobody vouches for", () => {
  const open = async (profile: ProfileName) => {
    bench = await s3Bench({ hostname: "storage.example.org", server: { profile } });
    return bench;
  };
  const putIfAbsent = (key: string, size = 10) =>
    bench.storage.put(key, bytesOf(size, 1), { condition: { kind: "absent" } });
  const writes = () => bench.server.requests.filter(({ method }) => method === "PUT").length;

  it("shows with the first PUT that they hold, and is not asked again", async () => {
    await open("minio");
    expect(bench.storage.conditionalPut).toBe(true);
    await putIfAbsent("a");
    expect(writes()).toBe(2);
    const before = bench.server.requests.length;
    await putIfAbsent("b");
    expect(bench.server.requests.length - before).toBe(1);
    expect(bench.logs).toEqual([]);
  });

  it.each(["ignoring", "refusing"] as const)(
    "%s them: said once, and a look takes their place",
    async (profile) => {
      await open(profile);
      for (const key of ["a", "b"]) {
        await putIfAbsent(key);
        expect(await refusal(putIfAbsent(key))).toBe("STORAGE_CONFLICT");
      }
      expect(bench.storage.conditionalPut).toBe(false);
      expect(bench.logs.map(({ level }) => level)).toEqual(["warn"]);
      expect(bench.logs[0]?.message).toContain(profile.replace("ing", "es conditions on PUT"));
    },
  );

  it("is not overwritten by the PUT that tries it out", async () => {
    await open("ignoring");
    await bench.storage.put("a", bytesOf(5, 5));
    expect(await refusal(putIfAbsent("a"))).toBe("STORAGE_CONFLICT");
    expect((await bench.storage.get("a", { maxBytes: 10 })).body).toHaveLength(5);
  });

  it("tells the etag of the body that is there in the end", async () => {
    for (const profile of ["minio", "ignoring", "refusing", "ceph"] as const) {
      await open(profile);
      const { etag } = await putIfAbsent("a");
      expect((await bench.storage.head("a")).etag).toBe(etag);
      await bench.storage.put("a", bytesOf(11, 1), { condition: { kind: "match", etag } });
      await bench.close();
    }
  });

  it("does not answer the trial: the PUT stands, and the next one tries again", async () => {
    await open("ignoring");
    bench.server.faults.add({ kind: "refuse", status: 503 }, "PutObject", { skip: 1 });
    await putIfAbsent("a");
    expect(bench.storage.conditionalPut).toBe(true);
    await putIfAbsent("b");
    expect(bench.storage.conditionalPut).toBe(false);
  });

  it("is not sent a large body twice", async () => {
    await open("minio");
    await putIfAbsent("a", 300_000);
    expect(writes()).toBe(1);
  });
});

s3Contract("minio");
s3Contract("seaweedfs");
s3Contract("garage");
s3Contract("b2");
s3Contract("wasabi");
