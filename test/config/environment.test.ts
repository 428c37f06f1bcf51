import { describe, expect, test } from "vitest";
import { readEnvironment, wantsColor } from "../../src/config/environment.ts";

describe("readEnvironment", () => {
  test.each([
    [{}, {}],
    [{ AWS_ENDPOINT_URL_S3: "http://a", AWS_ENDPOINT_URL: "http://b" }, { endpoint: "http://a" }],
    [{ AWS_ENDPOINT_URL: "http://b" }, { endpoint: "http://b" }],
    [{ AWS_ENDPOINT_URL_S3: "" }, {}],
    [{ AWS_REGION: "eu-1", AWS_DEFAULT_REGION: "eu-2" }, { region: "eu-1" }],
    [{ AWS_DEFAULT_REGION: "eu-2" }, { region: "eu-2" }],
    [{ WALRUST_LOG: "debug" }, { logLevel: "debug" }],
    [{ WALRUST_LOG: "WARN" }, { logLevel: "warn" }],
    [{ WALRUST_LOG: "walrust=trace" }, { logLevel: "trace" }],
    [{ WALRUST_LOG: "error,walrust=debug,aws=trace" }, { logLevel: "debug" }],
    [{ WALRUST_LOG: "walrust::daemon=debug" }, { logLevel: "debug" }],
    [{ WALRUST_LOG: "off" }, { logLevel: "error" }],
    [{ WALRUST_LOG: "info", RUST_LOG: "debug" }, { logLevel: "info" }],
    [{ RUST_LOG: "debug" }, { logLevel: "debug" }],
    [{ RUST_LOG: "hyper=debug" }, {}],
    [{ RUST_LOG: "nonsense" }, {}],
  ])("%j gives %j", (env, settings) => {
    expect(readEnvironment(env)).toEqual(settings);
  });

  test.each(["loud", "other=debug", "walrust=loud"])("WALRUST_LOG=%s is refused", (text) => {
    expect(() => readEnvironment({ WALRUST_LOG: text })).toThrow(
      expect.objectContaining({ code: "CONFIG_INVALID", message: expect.stringContaining(text) }),
    );
  });
});

test.each([
  [{}, true],
  [{ NO_COLOR: "" }, true],
  [{ NO_COLOR: "1" }, false],
  [{ TERM: "dumb" }, false],
])("colour with %j: %j", (env, wanted) => {
  expect(wantsColor(env)).toBe(wanted);
});
