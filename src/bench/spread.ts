/** How commits are spread over many databases by one writer. */
export interface SpreadLoad {
  /** Commits a second over all databases. */
  readonly rate: number;
  readonly seconds: number;
  /** The databases are picked at random with this seed; each in its turn if not given. */
  readonly seed?: number;
}

/** One commit of one row. */
export interface SpreadCommit {
  /** The last row of its database after it. */
  readonly rows: number;
  /** Of process.hrtime (CLOCK_MONOTONIC) when COMMIT had returned. */
  readonly atNs: bigint;
}

/** What the writer did, as it keeps and sends it: few bytes for each of up to a million commits. */
export interface SpreadRecord {
  /** Of process.hrtime, in decimal. */
  readonly startedNs: string;
  /** Until the last commit had returned. */
  readonly seconds: number;
  /** The last row of each database before the first commit, in the order of the list. */
  readonly rowsBefore: readonly number[];
  /** Base64 of Uint16Array: the index of the database of each commit, in order. */
  readonly picks: string;
  /** Base64 of Uint32Array: microseconds from the start to its return. */
  readonly committedUs: string;
}

/** The commits of each database, in order. */
export function commitsOf(record: SpreadRecord): readonly (readonly SpreadCommit[])[] {
  const startedNs = BigInt(record.startedNs);
  const picks = new Uint16Array(bytesOf(record.picks));
  const committedUs = new Uint32Array(bytesOf(record.committedUs));
  const rows = [...record.rowsBefore];
  const commits = rows.map((): SpreadCommit[] => []);
  for (const [at, pick] of picks.entries()) {
    rows[pick] = (rows[pick] ?? 0) + 1;
    commits[pick]?.push({ rows: rows[pick], atNs: startedNs + BigInt(committedUs[at] ?? 0) * 1000n });
  }
  return commits;
}

export function base64Of(numbers: Uint16Array | Uint32Array): string {
  return Buffer.from(numbers.buffer, numbers.byteOffset, numbers.byteLength).toString("base64");
}

/** Copied: what Buffer takes out of its pool begins anywhere. */
function bytesOf(base64: string): ArrayBuffer {
  return new Uint8Array(Buffer.from(base64, "base64")).buffer;
}
