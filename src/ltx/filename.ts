import type { Txid } from "./format.ts";

export interface TxidRange {
  readonly minTxid: Txid;
  readonly maxTxid: Txid;
}

const MAX_TXID = 2n ** 64n - 1n;
const DECIMAL = /^([0-9]{8,20})-([0-9]{8,20})\.ltx$/;
const HEX = /^([0-9a-f]{16})-([0-9a-f]{16})\.ltx$/;

/** Our names: decimal, padded to 8 digits and wider when needed, so they sort only as numbers. */
export function formatFilename({ minTxid, maxTxid }: TxidRange): string {
  return `${decimal(minTxid)}-${decimal(maxTxid)}.ltx`;
}

/** The range that one of our names stands for; undefined for every name that we would not have made. */
export function parseFilename(name: string): TxidRange | undefined {
  const range = parseRange(DECIMAL.exec(name), "");
  return range && formatFilename(range) === name ? range : undefined;
}

/** Litestream's names: 16 hex digits. */
export function formatLitestreamFilename({ minTxid, maxTxid }: TxidRange): string {
  return `${hex(minTxid)}-${hex(maxTxid)}.ltx`;
}

export function parseLitestreamFilename(name: string): TxidRange | undefined {
  return parseRange(HEX.exec(name), "0x");
}

function parseRange(match: RegExpExecArray | null, radixPrefix: "" | "0x"): TxidRange | undefined {
  if (match === null) return undefined;
  const minTxid = BigInt(`${radixPrefix}${match[1]}`);
  const maxTxid = BigInt(`${radixPrefix}${match[2]}`);
  return minTxid >= 1n && minTxid <= maxTxid && maxTxid <= MAX_TXID ? { minTxid, maxTxid } : undefined;
}

const decimal = (txid: Txid): string => txid.toString().padStart(8, "0");
const hex = (txid: Txid): string => txid.toString(16).padStart(16, "0");
