import { describe, expect, it } from "vitest";
import { assertDocument, assertNoBody, assertNoPage } from "../../src/storage/s3-answer.ts";

const list = (text: string) => assertDocument(Buffer.from(text), "ListBucketResult", "list");

describe("a document", () => {
  it.each([
    ["plain", "<ListBucketResult><Name>b</Name></ListBucketResult>"],
    [
      "with a declaration and a namespace",
      '<?xml version="1.0"?>\n<ListBucketResult xmlns="http://x/"><A/></ListBucketResult>\n',
    ],
    ["behind white space that kept the connection alive", "   \n <ListBucketResult></ListBucketResult>"],
    ["behind a byte order mark", "\ufeff<ListBucketResult></ListBucketResult>"],
    ["without content", '<ListBucketResult xmlns="http://x/"/>'],
  ])("%s is one", (_name, text) => {
    expect(list(text)).toBe("ListBucketResult");
  });

  it("may be an error of S3", () => {
    expect(list("<Error><Code>InternalError</Code></Error>")).toBe("Error");
  });

  it.each([
    ["nothing", ""],
    ["white space", "  \n"],
    ["a page", "<html><body></body></html>"],
    ["a page with a document type", "<!DOCTYPE html><html></html>"],
    ["another document", "<DeleteResult></DeleteResult>"],
    ["one whose name only begins so", "<ListBucketResultV3></ListBucketResultV3>"],
    ["its beginning", "<ListBucketResult><Contents><Key>a</Key>"],
    ["its beginning, up to an entry", "<ListBucketResult><Contents/>"],
    ["JSON", "{}"],
  ])("%s is none", (_name, text) => {
    expect(() => list(text)).toThrow(expect.objectContaining({ code: "STORAGE_NETWORK" }));
  });
});

it("a web page is no answer of S3, whatever its status", () => {
  const head = (type: string) => ({ status: 200, headers: { "content-type": type } });
  for (const type of ["text/html", "Text/HTML; charset=utf-8"])
    expect(() => assertNoPage(head(type), "GET x")).toThrow(
      expect.objectContaining({ code: "STORAGE_NETWORK" }),
    );
  for (const type of ["application/xml", "binary/octet-stream", ""]) assertNoPage(head(type), "GET x");
});

it("an answer to a PUT has no body", () => {
  assertNoBody(Buffer.alloc(0), "PUT x");
  expect(() => assertNoBody(Buffer.from("<html>"), "PUT x")).toThrow(
    expect.objectContaining({ code: "STORAGE_NETWORK" }),
  );
});
