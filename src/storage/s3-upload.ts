import { isWalrustError, WalrustError } from "../errors.ts";
import { aborted, checkAborted } from "./abort.ts";
import { Chunker } from "./chunker.ts";
import { isTransient } from "./retry.ts";
import { assertCondition, conflictError, etagIn, type PutContext, putObject, rfc3339 } from "./s3-put.ts";
import type { S3Rare } from "./s3-rare.ts";
import type { PutResult, Upload, UploadOptions } from "./storage.ts";

/** Every provider's least size of a part but the last. */
export const SMALLEST_PART_BYTES = 5 * 1024 * 1024;
/** S3 ends at 10,000; the rest is for estimates that were too low. */
const MOST_PARTS_PLANNED = 9_000;
const MOST_PARTS = 10_000;
/** Part sizes are multiples of this. */
const PART_GRAIN_BYTES = 64 * 1024;
/** Each costs a part's size in memory, besides the first part, which waits for the head, and the one being filled. */
const PARTS_AT_ONCE = 2;
/** An upload in parts is not given up sooner: its parts and the work of making them would be lost. */
const PATIENCE_MS = 120_000;
const UPLOAD_MARK = "walrust-upload";

export interface UploadContext extends PutContext {
  readonly rare: S3Rare;
  readonly partSizeBytes: number;
  readonly random: () => number;
}

/** One size for all parts of an upload (R2 asks for that), large enough for the whole to fit. */
export function choosePartSize(configuredBytes: number, expectedBytes: number): number {
  const needed = Math.max(
    configuredBytes,
    SMALLEST_PART_BYTES,
    Math.ceil(expectedBytes / MOST_PARTS_PLANNED),
  );
  return Math.ceil(needed / PART_GRAIN_BYTES) * PART_GRAIN_BYTES;
}

/**
 * An upload to S3. What fits into one part becomes a single PUT with its SHA-256 in the metadata; more becomes a multipart
 * upload, whose first part is held back for the head.
 */
export class S3Upload implements Upload {
  readonly #context: UploadContext;
  readonly #key: string;
  readonly #options: UploadOptions;
  readonly #chunker: Chunker;
  /** Aborted by the caller's signal, and by `abort`. */
  readonly #stop = new AbortController();
  readonly #onAbort = () => this.#stop.abort(this.#options.signal?.reason);
  /** Written into the object's metadata: proves after a lost answer that it came from this upload. */
  readonly #mark: string;
  readonly #etags: string[] = [];
  #first: Uint8Array | undefined;
  #uploadId: Promise<string> | undefined;
  #isOver = false;

  /** @param key in the bucket, with its prefix */
  constructor(context: UploadContext, key: string, options: UploadOptions) {
    const { headSizeBytes, expectedSizeBytes, signal } = options;
    this.#context = context;
    this.#key = key;
    this.#options = options;
    this.#mark = Array.from({ length: 4 }, () => Math.floor(context.random() * 2 ** 32).toString(36)).join(
      "-",
    );
    // Not AbortSignal.any: what hangs on a signal that lives as long as the process must be taken off again.
    signal?.addEventListener("abort", this.#onAbort, { once: true });
    this.#chunker = new Chunker({
      chunkSizeBytes: choosePartSize(context.partSizeBytes, headSizeBytes + expectedSizeBytes),
      reservedBytes: headSizeBytes,
      expectedSizeBytes,
      parallel: PARTS_AT_ONCE,
      deliver: (chunk, index) => this.#deliver(chunk, index),
    });
  }

  write(bytes: Uint8Array): Promise<void> | undefined {
    if (this.#options.signal?.aborted) return Promise.reject(aborted(this.#options.signal));
    return this.#chunker.write(bytes);
  }

  async complete(head: Uint8Array, { sha256 }: { readonly sha256?: string } = {}): Promise<PutResult> {
    const { headSizeBytes, condition, timestampMs, signal } = this.#options;
    if (head.length !== headSizeBytes) throw new RangeError("the head has another size than announced");
    checkAborted(signal);
    await this.#chunker.settle();
    const { chunk, index } = this.#chunker.rest();
    if (index === 0) {
      chunk.set(head);
      const result = await putObject(this.#context, this.#key, chunk, {
        ...(condition && { condition }),
        ...(sha256 !== undefined && { sha256 }),
        ...(timestampMs !== undefined && { timestampMs }),
        signal: this.#stop.signal,
      });
      this.#end();
      return result;
    }
    const first = this.#first as Uint8Array;
    first.set(head);
    await Promise.all([this.#putPart(first, 0), this.#putPart(chunk, index)]);
    const etag = await this.#completeParts();
    this.#end();
    return { etag };
  }

  async abort(): Promise<void> {
    this.#stop.abort();
    await this.#chunker.stop();
    if (this.#isOver) return;
    this.#options.signal?.removeEventListener("abort", this.#onAbort);
    // An upload that could not even begin has nothing to give up.
    const uploadId = await this.#uploadId?.catch(() => undefined);
    if (uploadId === undefined) return;
    const sdk = await this.#context.rare.sdk();
    try {
      await this.#context.persistence.run(() => sdk.abortUpload(this.#key, uploadId), undefined);
    } catch (error) {
      if (codeOf(error) !== "NoSuchUpload") throw error;
    }
    this.#end();
  }

  #end(): void {
    this.#isOver = true;
    this.#options.signal?.removeEventListener("abort", this.#onAbort);
  }

  #deliver(chunk: Uint8Array, index: number): Promise<void> | undefined {
    if (index > 0) return this.#putPart(chunk, index);
    this.#first = chunk;
    return undefined;
  }

  async #putPart(part: Uint8Array, index: number): Promise<void> {
    if (index >= MOST_PARTS) {
      throw new WalrustError("STORAGE_REJECTED", `${this.#key} has grown beyond ${MOST_PARTS} parts`, {
        hint: "Raise part_size.",
      });
    }
    const { requests, persistence } = this.#context;
    const uploadId = await this.#begin();
    const query = { partNumber: String(index + 1), uploadId };
    const signal = this.#stop.signal;
    this.#etags[index] = await persistence.run(
      async () => {
        const response = await requests.sendAndDrain({
          method: "PUT",
          key: this.#key,
          query,
          body: part,
          signal,
        });
        return etagIn(response.headers, this.#key);
      },
      signal,
      PATIENCE_MS,
    );
  }

  #begin(): Promise<string> {
    const { timestampMs } = this.#options;
    this.#uploadId ??= this.#context.rare.sdk().then((sdk) => {
      const metadata = {
        [UPLOAD_MARK]: this.#mark,
        ...(timestampMs !== undefined && { "litestream-timestamp": rfc3339(timestampMs) }),
      };
      return this.#context.persistence.run(
        () => sdk.createUpload(this.#key, metadata, this.#stop.signal),
        this.#stop.signal,
        PATIENCE_MS,
      );
    });
    return this.#uploadId;
  }

  async #completeParts(): Promise<string> {
    const { persistence, rare, requests, conditions } = this.#context;
    const [sdk, uploadId] = await Promise.all([rare.sdk(), this.#begin()]);
    const { condition } = this.#options;
    const { signal } = this.#stop;
    let unclear = false;
    return persistence.run(
      async () => {
        try {
          const ifAbsent = condition !== undefined && conditions.areKeptOnComplete;
          if (!ifAbsent) await assertCondition(requests, this.#key, condition, signal);
          const options = { ifAbsent, signal };
          return await sdk.completeUpload(this.#key, uploadId, this.#etags, options);
        } catch (error) {
          const conflict = isWalrustError(error, "STORAGE_CONFLICT");
          if (conflict || codeOf(error) === "NoSuchUpload") {
            const adopted = unclear ? await this.#etagIfOurs() : undefined;
            if (adopted !== undefined) return adopted;
          }
          if (conflict) throw conflictError(this.#key, { kind: "absent" }, error);
          unclear = true; // what is not tried again does not come back here
          throw error;
        }
      },
      signal,
      PATIENCE_MS,
    );
  }

  async #etagIfOurs(): Promise<string | undefined> {
    try {
      const { signal } = this.#stop;
      const { headers } = await this.#context.requests.sendAndDrain({
        method: "HEAD",
        key: this.#key,
        signal,
      });
      return headers[`x-amz-meta-${UPLOAD_MARK}`] === this.#mark ? etagIn(headers, this.#key) : undefined;
    } catch (error) {
      if (isTransient(error) || isWalrustError(error, "ABORTED")) throw error;
      return undefined; // not there, or not to be seen: not known to be ours
    }
  }
}

function codeOf(error: unknown): unknown {
  return isWalrustError(error) ? error.details["code"] : undefined;
}
