/** A slow, obvious reader of logs: the oracle of the scanner and the page map. */

export interface TwinTransaction {
  readonly firstFrame: number;
  readonly endOffset: number;
  readonly commitPages: number;
  readonly pgnos: readonly number[];
  readonly checksum: readonly [number, number];
}

export interface TwinLog {
  readonly pageSizeBytes: number;
  readonly bigEndian: boolean;
  readonly transactions: readonly TwinTransaction[];
}

export function runningChecksum(
  bytes: Uint8Array,
  littleEndian: boolean,
  [a, b]: readonly [number, number] = [0, 0],
): [number, number] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  let s0 = a;
  let s1 = b;
  for (let at = 0; at < bytes.length; at += 8) {
    s0 = (s0 + view.getUint32(at, littleEndian) + s1) >>> 0;
    s1 = (s1 + view.getUint32(at + 4, littleEndian) + s0) >>> 0;
  }
  return [s0, s1];
}

export function readLog(log: Uint8Array): TwinLog | undefined {
  if (log.length < 32) return undefined;
  const view = new DataView(log.buffer, log.byteOffset, log.length);
  const word = (at: number) => view.getUint32(at);
  if (word(0) !== 0x377f0682 && word(0) !== 0x377f0683) return undefined;
  if (word(4) !== 3007000) return undefined;
  if (![512, 1024, 2048, 4096, 8192, 16384, 32768, 65536].includes(word(8))) return undefined;
  const bigEndian = word(0) === 0x377f0683;
  let sum = runningChecksum(log.subarray(0, 24), !bigEndian);
  if (sum[0] !== word(24) || sum[1] !== word(28)) return undefined;

  const pageSizeBytes = word(8);
  const transactions: TwinTransaction[] = [];
  let pgnos: number[] = [];
  let frame = 0;
  for (let at = 32; at + 24 + pageSizeBytes <= log.length; at += 24 + pageSizeBytes) {
    if (word(at) === 0 || word(at + 8) !== word(16) || word(at + 12) !== word(20)) break;
    sum = runningChecksum(log.subarray(at, at + 8), !bigEndian, sum);
    sum = runningChecksum(log.subarray(at + 24, at + 24 + pageSizeBytes), !bigEndian, sum);
    if (sum[0] !== word(at + 16) || sum[1] !== word(at + 20)) break;
    frame += 1;
    pgnos.push(word(at));
    if (word(at + 4) === 0) continue;
    transactions.push({
      firstFrame: frame - pgnos.length + 1,
      endOffset: at + 24 + pageSizeBytes,
      commitPages: word(at + 4),
      pgnos,
      checksum: sum,
    });
    pgnos = [];
  }
  return { pageSizeBytes, bigEndian, transactions };
}
