import { describe, expect, it } from "vitest";
import { formatWriterRecord, parseWriterRecord, type WriterRecord } from "../../src/storage/writer-record.ts";

const record: WriterRecord = {
  id: 0xfedc_ba98_7654_3210n,
  epoch: 3,
  host: "db-1.example",
  pid: 4711,
  sinceMs: Date.UTC(2026, 0, 2, 3, 4, 5, 678),
};

const text = (value: unknown) => Buffer.from(typeof value === "string" ? value : JSON.stringify(value));
const fields = JSON.parse(Buffer.from(formatWriterRecord(record)).toString()) as Record<string, unknown>;

describe("writer.json", () => {
  it("has the fields of capture.md", () => {
    expect(fields).toEqual({
      id: "fedcba9876543210",
      epoch: 3,
      host: "db-1.example",
      pid: 4711,
      since: "2026-01-02T03:04:05.678Z",
    });
  });

  it.each([
    record,
    { ...record, id: 1n, epoch: 1, pid: 1, host: "" },
    { ...record, id: 2n ** 64n - 1n, epoch: Number.MAX_SAFE_INTEGER },
  ])("is read as it was written: %o", (one) => {
    expect(parseWriterRecord(formatWriterRecord(one), "app/writer.json")).toEqual(one);
  });

  it("may have keys of later versions", () => {
    expect(parseWriterRecord(text({ ...fields, region: "eu" }), "app/writer.json")).toEqual(record);
  });

  it.each([
    ["nothing", ""],
    ["no JSON", "{"],
    ["no object", "[]"],
    ["null", "null"],
    ["no text", Buffer.from([0xff, 0xfe])],
    ["no id", { ...fields, id: undefined }],
    ["an id of 0", { ...fields, id: "0000000000000000" }],
    ["an id that is short", { ...fields, id: "1" }],
    ["an id as a number", { ...fields, id: 1 }],
    ["epoch 0", { ...fields, epoch: 0 }],
    ["half an epoch", { ...fields, epoch: 1.5 }],
    ["an epoch beyond what numbers hold", { ...fields, epoch: 2 ** 53 }],
    ["an epoch as text", { ...fields, epoch: "3" }],
    ["no host", { ...fields, host: null }],
    ["a host that would write its own lines", { ...fields, host: "a\nb" }],
    ["a host without end", { ...fields, host: "x".repeat(256) }],
    ["pid 0", { ...fields, pid: 0 }],
    ["another kind of time", { ...fields, since: "yesterday" }],
    ["a time that is none", { ...fields, since: "2026-13-01T00:00:00Z" }],
  ])("is refused with %s, and the object named", (_, value) => {
    const bytes = Buffer.isBuffer(value) ? value : text(value);
    expect(() => parseWriterRecord(bytes, "app/writer.json")).toThrow(
      expect.objectContaining({
        code: "INTEGRITY_FORMAT",
        message: expect.stringContaining("app/writer.json"),
      }),
    );
  });
});
