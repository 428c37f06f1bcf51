import { WalrustError } from "../errors.ts";
import type { RestoreTarget } from "../restore/plan.ts";

export interface TargetFlags {
  readonly pointInTime: string | undefined;
  readonly txid: string | undefined;
  readonly nearest: boolean;
}

const RFC3339 = /^(\d{4}-\d{2}-\d{2})[Tt ](\d{2}:\d{2}:\d{2})(?:\.\d+)?([Zz]|[+-]\d{2}:\d{2})$/;

/** Which state a restore is asked for. Errors: USAGE. */
export function restoreTarget({ pointInTime, txid, nearest }: TargetFlags): RestoreTarget {
  if (pointInTime !== undefined && txid !== undefined) {
    throw new WalrustError("USAGE", "--point-in-time and --txid say the same thing twice", {
      hint: "Give one of them.",
    });
  }
  const number = txid ?? (/^\d+$/.test(pointInTime ?? "") ? pointInTime : undefined);
  if (number !== undefined) return { kind: "txid", txid: parseTxid(number) };
  if (pointInTime !== undefined) return { kind: "time", timestampMs: parseTime(pointInTime), nearest };
  if (nearest) throw new WalrustError("USAGE", "--nearest needs --point-in-time TIME");
  return { kind: "latest" };
}

function parseTxid(text: string): bigint {
  const txid = /^\d{1,20}$/.test(text) ? BigInt(text) : 0n;
  if (txid >= 1n && txid < 2n ** 64n) return txid;
  throw new WalrustError("USAGE", `${JSON.stringify(text)} is not a TXID`, {
    hint: "A TXID is a whole number from 1; `walrust list NAME` shows which can be restored.",
  });
}

/** Unix ms. What is finer than a millisecond is cut off, which never reaches past the moment that was asked for. */
function parseTime(text: string): number {
  const [, date, time, zone] = RFC3339.exec(text) ?? [];
  const timestampMs = date === undefined ? Number.NaN : Date.parse(text.replace(" ", "T").toUpperCase());
  // JavaScript takes 30 February for 2 March.
  const isReal =
    !Number.isNaN(timestampMs) && new Date(`${date}T00:00:00Z`).toISOString().startsWith(date ?? "");
  if (isReal && time !== undefined && zone !== undefined) return timestampMs;
  throw new WalrustError("USAGE", `${JSON.stringify(text)} is neither a time nor a TXID`, {
    hint: "Write RFC 3339 with a zone, such as 2026-01-31T12:00:00Z or 2026-01-31T13:00:00+01:00.",
  });
}
