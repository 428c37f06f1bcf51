import { describe, expect, test } from "vitest";
import { parseListPage } from "../../src/storage/s3-list-page.ts";

const entry = (key = "db/a", size = "7", time = "2026-01-31T00:00:00.000Z") =>
  `<Contents><Key>${key}</Key><LastModified>${time}</LastModified><ETag>&quot;e&quot;</ETag><Size>${size}</Size></Contents>`;
const END = "<IsTruncated>false</IsTruncated>";
const page = (...parts: string[]) =>
  Buffer.from(
    `<?xml version="1.0" encoding="UTF-8"?>\n<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>b</Name>${parts.join("")}</ListBucketResult>`,
  );
const read = (document: Uint8Array) => parseListPage(document, "db/", "list db/");
const AT_MS = Date.UTC(2026, 0, 31);

describe("a page", () => {
  test("without entries, with one, with two", () => {
    expect(read(page(END))).toEqual({ objects: [], next: undefined });
    const a = { key: "db/a", sizeBytes: 7, lastModifiedMs: AT_MS };
    expect(read(page(END, entry()))).toEqual({ objects: [a], next: undefined });
    expect(read(page(entry(), entry("db/b", "0"), END)).objects).toEqual([
      a,
      { ...a, key: "db/b", sizeBytes: 0 },
    ]);
  });

  test("more follow", () => {
    const token = "1/+=&amp;x";
    const more = `<IsTruncated>true</IsTruncated><NextContinuationToken>${token}</NextContinuationToken>`;
    expect(read(page(more, entry())).next).toBe("1/+=&x");
    expect(read(page(END, `<NextContinuationToken>${token}</NextContinuationToken>`)).next).toBeUndefined();
  });

  test.each([
    ["db/a&amp;b&lt;c&gt;&quot;&apos;&#x20;&#32;d", "db/a&b<c>\"'  d"],
    ["db/\u00e4 \u{1f600}", "db/\u00e4 \u{1f600}"],
    ["db/12345", "db/12345"],
    ["db/true", "db/true"],
    ["db/__proto__", "db/__proto__"],
    [`db/${"k".repeat(1021)}`, `db/${"k".repeat(1021)}`],
  ])("the key %j", (written, key) => {
    expect(read(page(END, entry(written))).objects).toMatchObject([{ key }]);
  });

  test.each([
    ["2026-01-31T01:00:00+01:00", AT_MS],
    ["2026-01-31T00:00:00Z", AT_MS],
    ["2026-01-31T00:00:00.123456789Z", AT_MS + 123],
    ["1970-01-01T00:00:00Z", 0],
  ])("the time %s", (time, lastModifiedMs) => {
    expect(read(page(END, entry("db/a", "1", time))).objects).toMatchObject([{ lastModifiedMs }]);
  });

  test("its own prefix", () => {
    expect(read(page("<Prefix>db/</Prefix>", END, entry())).objects).toHaveLength(1);
    expect(parseListPage(page("<Prefix/>", END, entry()), "", "list").objects).toHaveLength(1);
  });
});

const without = (name: string) => entry().replace(new RegExp(`<${name}>[^<]*</${name}>`), "");

test.each<readonly [string, Uint8Array, string]>([
  ["no word on the end", page(entry()), "whether more follow"],
  ["another word on it", page("<IsTruncated>no</IsTruncated>"), "whether more follow"],
  ["said twice", page(END, END), "whether more follow"],
  ["more, and nobody knows where", page("<IsTruncated>true</IsTruncated>", entry()), "but not where"],
  [
    "more, at an empty place",
    page("<IsTruncated>true</IsTruncated><NextContinuationToken/>"),
    "but not where",
  ],
  ["another list", page("<Prefix>other/</Prefix>", END), "another list"],
  ["another list, of nothing", page("<Prefix/>", END), "another list"],
  ["no key", page(END, without("Key")), "lacks its key, size or time"],
  ["no size", page(END, without("Size")), "lacks its key, size or time"],
  ["no time", page(END, without("LastModified")), "lacks its key, size or time"],
  ["two keys", page(END, entry("db/a</Key><Key>db/b")), "lacks its key, size or time"],
  ["an entry that is text", page(END, "<Contents>db/a</Contents>"), "lacks its key, size or time"],
  ["an empty entry", page(END, "<Contents/>"), "lacks its key, size or time"],
  ["a key of others", page(END, entry("dbx/a")), "was not asked for"],
  ["a key that cannot be", page(END, entry(`db/${"k".repeat(1022)}`)), "was not asked for"],
  ...["-1", "1.5", "0x10", "1e3", " 7", "9007199254740992", "many"].map(
    (size) => [`the size ${size}`, page(END, entry("db/a", size)), "no size that can be"] as const,
  ),
  ...["yesterday", "2026-13-31T00:00:00Z", "2026-01-31", "1969-12-31T23:59:59Z"].map(
    (time) => [`the time ${time}`, page(END, entry("db/a", "7", time)), "no time that can be"] as const,
  ),
  ["what is no XML", Buffer.from("ListBucketResult"), "cannot be read"],
  ["tags that don't close", Buffer.from("<ListBucketResult><Contents></ListBucketResult>"), "cannot be read"],
  ["tags without an end", Buffer.from("<ListBucketResult>".repeat(200_000)), "cannot be read"],
  ["another document", Buffer.from("<Other/>"), "whether more follow"],
  ["an empty one", Buffer.from("<ListBucketResult/>"), "whether more follow"],
])("refused: %s", (_, document, reason) => {
  expect(() => read(document)).toThrow(
    expect.objectContaining({ code: "STORAGE_REJECTED", message: expect.stringContaining(reason) }),
  );
});
