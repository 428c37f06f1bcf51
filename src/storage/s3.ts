import { LATEST_TIME_MS } from "../clock.ts";
import type { StorageSettings } from "../config/settings.ts";
import { isWalrustError, WalrustError } from "../errors.ts";
import { checkAborted } from "./abort.ts";
import type { StorageDependencies } from "./dependencies.ts";
import { Distance } from "./distance.ts";
import { HttpPool, type HttpResponse } from "./http-pool.ts";
import { assertKey, assertListPrefix } from "./key-rules.ts";
import { s3RequestObserver } from "./request-observer.ts";
import { Persistence } from "./retry.ts";
import { S3Conditions } from "./s3-conditions.ts";
import { certificateAuthorities, fixedCredentials } from "./s3-credentials.ts";
import { resolveEndpoint } from "./s3-endpoint.ts";
import { listObjects } from "./s3-list.ts";
import { LIST_ROOT } from "./s3-list-page.ts";
import { etagIn, putObject } from "./s3-put.ts";
import { S3Rare } from "./s3-rare.ts";
import { readObject } from "./s3-read.ts";
import { S3Requests } from "./s3-requests.ts";
import { S3Signer } from "./s3-signer.ts";
import { S3Upload, type UploadContext } from "./s3-upload.ts";
import type * as contract from "./storage.ts";
import { formatStorageUrl, type StorageAddress } from "./url.ts";

const DELETE_BATCH = 1000;

type S3Address = Extract<StorageAddress, { kind: "s3" }>;

/** Errors: CONFIG_INVALID. */
export function openS3Storage(
  address: S3Address,
  settings: StorageSettings,
  dependencies: StorageDependencies,
): contract.Storage {
  const { bucket } = address;
  const { storageClass, sse, sseKmsKeyId } = settings;
  const endpoint = resolveEndpoint(address, settings);
  const { region, provider } = endpoint;
  const { clock, onRequest } = dependencies;
  const distance = new Distance();
  const pool = new HttpPool(endpoint.origin, {
    connections: settings.concurrency,
    observe: s3RequestObserver(clock, (request) => {
      distance.note(request);
      onRequest?.(request);
    }),
    ca: certificateAuthorities(dependencies.env),
    lookup: dependencies.lookup,
    compileForSize: dependencies.compileForSize,
  });
  const credentials = fixedCredentials(dependencies.env);
  const rare = new S3Rare({ bucket, region, endpoint, pool, credentials, storageClass, sse, sseKmsKeyId });
  const signer = new S3Signer(region, rare.credentials, dependencies.clock);
  return new S3Storage(address, pool, distance, {
    requests: new S3Requests(endpoint, bucket, pool, signer),
    persistence: new Persistence(settings.retry, dependencies),
    provider,
    conditions: new S3Conditions(provider, formatStorageUrl(address), dependencies.logger),
    headers: {
      ...(storageClass === undefined ? {} : { "x-amz-storage-class": storageClass }),
      ...(sse === undefined ? {} : { "x-amz-server-side-encryption": sse }),
      ...(sseKmsKeyId === undefined ? {} : { "x-amz-server-side-encryption-aws-kms-key-id": sseKmsKeyId }),
    },
    rare,
    partSizeBytes: settings.partSizeBytes,
    random: dependencies.random,
  });
}

class S3Storage implements contract.Storage {
  readonly url: string;
  readonly #prefix: string;
  readonly #pool: HttpPool;
  readonly #distance: Distance;
  readonly #context: UploadContext;

  constructor(address: S3Address, pool: HttpPool, distance: Distance, context: UploadContext) {
    this.url = formatStorageUrl(address);
    this.#prefix = address.prefix;
    this.#pool = pool;
    this.#distance = distance;
    this.#context = context;
  }

  get conditionalPut(): boolean {
    return this.#context.conditions.areKept;
  }

  get distanceMs(): number {
    return this.#distance.ms;
  }

  /** By a list of one key, whose refusal says why: a HEAD of the bucket has no room for that. */
  async check({ signal }: contract.CallOptions = {}): Promise<void> {
    const query = { "list-type": "2", "max-keys": "1", prefix: this.#prefix };
    const { requests, persistence } = this.#context;
    const request = { method: "GET", key: "", query, signal } as const;
    await persistence.run(() => requests.sendForDocument(request, LIST_ROOT), signal);
  }

  async put(key: string, body: Uint8Array, options: contract.PutOptions = {}): Promise<contract.PutResult> {
    return putObject(this.#context, this.#at(key), body, options);
  }

  upload(key: string, options: contract.UploadOptions): contract.Upload {
    return new S3Upload(this.#context, this.#at(key), options);
  }

  async get(
    key: string,
    { maxBytes, signal }: contract.CallOptions & { readonly maxBytes: number },
  ): Promise<contract.GetResult> {
    const { requests, persistence } = this.#context;
    const path = this.#at(key);
    return persistence.run(async () => {
      const response = await requests.send({ method: "GET", key: path, signal });
      assertWhole(response, key);
      if (Number(response.headers["content-length"]) > maxBytes) {
        response.body.abandon();
        throw new WalrustError("STORAGE_REJECTED", `${key} is larger than ${maxBytes} bytes`);
      }
      return { body: await response.body.collect(maxBytes), etag: etagIn(response.headers, key) };
    }, signal);
  }

  async *read(key: string, options: contract.ReadOptions = {}): AsyncGenerator<Uint8Array> {
    checkAborted(options.signal);
    yield* readObject(this.#context.requests, this.#context.persistence, this.#at(key), options);
  }

  async head(key: string, { signal }: contract.CallOptions = {}): Promise<contract.ObjectHead> {
    const { requests, persistence } = this.#context;
    const path = this.#at(key);
    return persistence.run(async () => {
      try {
        const { headers } = await requests.sendAndDrain({ method: "HEAD", key: path, signal });
        return headOf(key, headers);
      } catch (error) {
        if (!isWalrustError(error) || error.details["status"] !== 404) throw error;
      }
      // An answer to HEAD has no body: whether the key, the bucket or S3 itself is missing there, a GET says.
      const response = await requests.sendAndDrain({
        method: "GET",
        key: path,
        headers: { range: "bytes=0-0" },
        signal,
      });
      throw new WalrustError(
        "STORAGE_UNAVAILABLE",
        `${key}: HEAD found nothing, GET answered ${response.status}`,
      );
    }, signal);
  }

  async *list(prefix: string, { signal }: contract.CallOptions = {}): AsyncGenerator<contract.StoredObject> {
    assertListPrefix(prefix);
    checkAborted(signal);
    yield* listObjects(this.#context, this.#prefix, prefix, signal);
  }

  async delete(keys: readonly string[], { signal }: contract.CallOptions = {}): Promise<void> {
    const paths = keys.map((key) => this.#at(key));
    checkAborted(signal);
    for (let at = 0; at < paths.length; at += DELETE_BATCH) {
      const sdk = await this.#context.rare.sdk();
      const batch = paths.slice(at, at + DELETE_BATCH);
      await this.#context.persistence.run(() => sdk.delete(batch, signal), signal);
    }
  }

  async close(): Promise<void> {
    await this.#context.rare.close();
    await this.#pool.close();
  }

  #at(key: string): string {
    assertKey(key);
    return this.#prefix + key;
  }
}

/** Nobody asked for a part. */
function assertWhole({ status, body }: HttpResponse, key: string): void {
  if (status === 200) return;
  body.abandon();
  throw new WalrustError("STORAGE_REJECTED", `${key}: storage answered ${status} to a GET of the whole`);
}

function headOf(
  key: string,
  headers: Readonly<Record<string, string | string[] | undefined>>,
): contract.ObjectHead {
  const sizeBytes = Number(headers["content-length"]);
  const lastModifiedMs = Date.parse(String(headers["last-modified"]));
  const isTime = lastModifiedMs >= 0 && lastModifiedMs <= LATEST_TIME_MS;
  if (!Number.isSafeInteger(sizeBytes) || sizeBytes < 0 || !isTime) {
    throw new WalrustError("STORAGE_REJECTED", `${key}: storage told no size or no time`);
  }
  const sha256 = headers["x-amz-meta-sha256"];
  return {
    key,
    sizeBytes,
    lastModifiedMs,
    etag: etagIn(headers, key),
    sha256: typeof sha256 === "string" ? sha256 : undefined,
  };
}
