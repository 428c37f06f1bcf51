import { expect, test } from "vitest";
import { parse, stringify } from "../src/json.ts";

test.each([0n, 2n ** 53n + 1n, 2n ** 63n, 2n ** 64n - 1n])("%s survives as an integer", (value) => {
  const text = stringify({ txid: value });
  expect(text).toBe(`{"txid":${value}}`);
  const { txid } = parse(text as string) as { txid: number | bigint };
  expect(BigInt(txid)).toBe(value);
});

test("other numbers are plain", () => {
  expect(parse('{"a":1,"b":-1.5,"c":1e3}')).toEqual({ a: 1, b: -1.5, c: 1000 });
});
