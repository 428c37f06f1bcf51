import { describe, expect, it } from "vitest";
import { type SignedRequest, verifySignature } from "./signature.ts";

/** The examples of AWS's reference of Signature Version 4: "Authenticating Requests: Using the Authorization Header". */
const identity = {
  accessKeyId: "AKIAIOSFODNN7EXAMPLE",
  secretAccessKey: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
  region: "us-east-1",
};
const nowMs = Date.UTC(2013, 4, 24, 0, 5);
const scope = "AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request";
const emptyHash = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

const request = (method: string, path: string, query: string, headers: object, body = ""): SignedRequest => ({
  method,
  rawPath: path,
  rawQuery: query,
  headers: { host: "examplebucket.s3.amazonaws.com", "x-amz-date": "20130524T000000Z", ...headers },
  body: Buffer.from(body),
});

const examples = {
  get: request("GET", "/test.txt", "", {
    range: "bytes=0-9",
    "x-amz-content-sha256": emptyHash,
    authorization: `AWS4-HMAC-SHA256 Credential=${scope},SignedHeaders=host;range;x-amz-content-sha256;x-amz-date,Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41`,
  }),
  put: request(
    "PUT",
    "/test%24file.text",
    "",
    {
      date: "Fri, 24 May 2013 00:00:00 GMT",
      "x-amz-storage-class": "REDUCED_REDUNDANCY",
      "x-amz-content-sha256": "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072",
      authorization: `AWS4-HMAC-SHA256 Credential=${scope},SignedHeaders=date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class,Signature=98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd`,
    },
    "Welcome to Amazon S3.",
  ),
  list: request("GET", "/", "max-keys=2&prefix=J", {
    "x-amz-content-sha256": emptyHash,
    authorization: `AWS4-HMAC-SHA256 Credential=${scope},SignedHeaders=host;x-amz-content-sha256;x-amz-date,Signature=34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7`,
  }),
};

describe("verifySignature", () => {
  it.each(Object.entries(examples))("accepts AWS's example of a %s", (_name, example) => {
    expect(() => verifySignature(example, identity, nowMs)).not.toThrow();
  });

  const { get, put } = examples;
  const withHeaders = (headers: object): SignedRequest => ({
    ...get,
    headers: { ...get.headers, ...headers },
  });
  it.each<[string, SignedRequest, string]>([
    ["another method", { ...get, method: "PUT" }, "SignatureDoesNotMatch"],
    ["another path", { ...get, rawPath: "/test.tx" }, "SignatureDoesNotMatch"],
    ["another query", { ...get, rawQuery: "a=b" }, "SignatureDoesNotMatch"],
    ["another signed header", withHeaders({ range: "bytes=0-10" }), "SignatureDoesNotMatch"],
    ["another body", { ...put, body: Buffer.from("Welcome to Amazon S4.") }, "XAmzContentSHA256Mismatch"],
    ["an unsigned payload", withHeaders({ "x-amz-content-sha256": "UNSIGNED-PAYLOAD" }), "InvalidRequest"],
    [
      "a trailer",
      withHeaders({ "x-amz-content-sha256": "STREAMING-UNSIGNED-PAYLOAD-TRAILER" }),
      "NotImplemented",
    ],
    ["an x-amz header that is not signed", withHeaders({ "x-amz-meta-a": "b" }), "AccessDenied"],
    ["no signature", withHeaders({ authorization: undefined }), "AccessDenied"],
    ["a signature that is none", withHeaders({ authorization: "AWS4" }), "AuthorizationHeaderMalformed"],
  ])("refuses %s", (_name, changed, code) => {
    expect(() => verifySignature(changed, identity, nowMs)).toThrow(expect.objectContaining({ code }));
  });

  it("refuses other keys, regions and times", () => {
    const verify = (change: object, now = nowMs) => verifySignature(get, { ...identity, ...change }, now);
    expect(() => verify({ secretAccessKey: "x" })).toThrow(
      expect.objectContaining({ code: "SignatureDoesNotMatch" }),
    );
    expect(() => verify({ accessKeyId: "x" })).toThrow(
      expect.objectContaining({ code: "InvalidAccessKeyId" }),
    );
    expect(() => verify({ region: "x" })).toThrow(
      expect.objectContaining({ code: "AuthorizationHeaderMalformed" }),
    );
    expect(() => verify({}, nowMs + 3_600_000)).toThrow(
      expect.objectContaining({ code: "RequestTimeTooSkewed" }),
    );
  });
});
