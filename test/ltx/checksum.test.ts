import { expect, test } from "vitest";
import {
  applyToDatabaseChecksum,
  bodyChecksumOf,
  formatChecksum,
  parseChecksum,
} from "../../src/ltx/checksum.ts";

const FLAG = 1n << 63n;

// pitfall 31
test.each([0n, 1n, 2n ** 53n + 1n, FLAG, FLAG + 2n ** 53n + 1n, 2n ** 64n - 1n])(
  "%d as text and back",
  (checksum) => {
    const text = formatChecksum(checksum);
    expect(text).toMatch(/^[0-9a-f]{16}$/);
    expect(parseChecksum(text)).toBe(checksum);
  },
);

test.each([
  "",
  "8",
  "80000000000000000",
  "800000000000000g",
  "0x80000000000000",
  "ABCDEF0123456789",
  " 123456789abcdef",
])("'%s' is no checksum", (text) => {
  expect(parseChecksum(text)).toBeUndefined();
});

test("a database checksum keeps bit 63, whatever is put in or taken out", () => {
  const [a, b] = [FLAG | 0x1234n, FLAG | 0x00ffn];
  expect(applyToDatabaseChecksum(FLAG, a)).toBe(a);
  expect(applyToDatabaseChecksum(applyToDatabaseChecksum(FLAG, a), b)).toBe(FLAG | 0x12cbn);
  expect(applyToDatabaseChecksum(a, a ^ b)).toBe(b);
  expect(applyToDatabaseChecksum(a, a)).toBe(FLAG);
});

test("a body checksum is the start of the SHA-256, with bit 63 set", () => {
  expect(bodyChecksumOf(`0123456789abcdef${"f".repeat(48)}`)).toBe(0x8123456789abcdefn);
  expect(bodyChecksumOf(`fedcba9876543210${"0".repeat(48)}`)).toBe(0xfedcba9876543210n);
});
