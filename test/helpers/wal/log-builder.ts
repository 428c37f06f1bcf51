import { runningChecksum } from "./twin.ts";

export interface LogBuilderOptions {
  readonly pageSizeBytes: number;
  readonly bigEndian?: boolean;
  readonly sequence?: number;
  readonly salt1?: number;
  readonly salt2?: number;
  /** The file that is reused in place, as after a restart: what is not overwritten stays. */
  readonly over?: Uint8Array;
}

/** Writes logs as SQLite does. The golden logs prove the format; this one only makes many of them. */
export class LogBuilder {
  readonly #pageSizeBytes: number;
  readonly #littleEndian: boolean;
  readonly #salts: readonly [number, number];
  readonly #fileSize: number;
  #bytes: Uint8Array;
  #end = 32;
  #sum: [number, number];

  constructor(options: LogBuilderOptions) {
    const { pageSizeBytes, bigEndian = false, sequence = 0, salt1 = 0x1234, salt2 = 0x5678, over } = options;
    this.#pageSizeBytes = pageSizeBytes;
    this.#littleEndian = !bigEndian;
    this.#salts = [salt1, salt2];
    this.#bytes = over?.slice() ?? new Uint8Array(32);
    this.#fileSize = this.#bytes.length;
    const header = new DataView(this.#bytes.buffer);
    [bigEndian ? 0x377f0683 : 0x377f0682, 3007000, pageSizeBytes, sequence, salt1, salt2].forEach(
      (value, i) => {
        header.setUint32(i * 4, value);
      },
    );
    this.#sum = runningChecksum(this.#bytes.subarray(0, 24), this.#littleEndian);
    header.setUint32(24, this.#sum[0]);
    header.setUint32(28, this.#sum[1]);
  }

  /** One frame; `commitPages` > 0 ends the transaction. */
  frame(pgno: number, commitPages = 0, fill = pgno): this {
    const frame = new Uint8Array(24 + this.#pageSizeBytes);
    frame.fill(fill & 0xff, 24);
    const view = new DataView(frame.buffer);
    view.setUint32(0, pgno);
    view.setUint32(4, commitPages);
    view.setUint32(8, this.#salts[0]);
    view.setUint32(12, this.#salts[1]);
    this.#sum = runningChecksum(frame.subarray(0, 8), this.#littleEndian, this.#sum);
    this.#sum = runningChecksum(frame.subarray(24), this.#littleEndian, this.#sum);
    view.setUint32(16, this.#sum[0]);
    view.setUint32(20, this.#sum[1]);
    this.#append(frame);
    return this;
  }

  /** One transaction over these pages. */
  commit(pgnos: readonly number[], commitPages: number, fill?: number): this {
    pgnos.forEach((pgno, i) => {
      this.frame(pgno, i === pgnos.length - 1 ? commitPages : 0, fill ?? pgno);
    });
    return this;
  }

  /** Bytes of the log that are in use. */
  get end(): number {
    return this.#end;
  }

  build(): Uint8Array {
    return this.#bytes.slice(0, Math.max(this.#end, this.#fileSize));
  }

  #append(frame: Uint8Array): void {
    if (this.#bytes.length < this.#end + frame.length) {
      const longer = new Uint8Array(2 * (this.#end + frame.length));
      longer.set(this.#bytes);
      this.#bytes = longer;
    }
    this.#bytes.set(frame, this.#end);
    this.#end += frame.length;
  }
}
