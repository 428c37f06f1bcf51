import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  DeleteObjectsCommand,
  S3Client,
  type ServerSideEncryption,
  type StorageClass,
} from "@aws-sdk/client-s3";
import { WalrustError } from "../errors.ts";
import type { HttpPool } from "./http-pool.ts";
import type { S3Endpoint } from "./s3-endpoint.ts";
import { s3Error } from "./s3-error.ts";
import { SdkHandler } from "./s3-sdk-handler.ts";
import type { CredentialProvider, Credentials } from "./s3-signer.ts";

export interface S3SdkOptions {
  readonly bucket: string;
  readonly region: string;
  readonly endpoint: S3Endpoint;
  readonly pool: HttpPool;
  /** Undefined: the SDK's own chain (profiles, SSO, containers, instance roles). */
  readonly credentials: Credentials | undefined;
  readonly storageClass: string | undefined;
  readonly sse: "AES256" | "aws:kms" | undefined;
  readonly sseKmsKeyId: string | undefined;
}

/**
 * The rare requests, through AWS's own client: the only file that imports it, itself loaded by the first rare request
 * (s3-rare.ts). One attempt each: trying again is the caller's.
 */
export class S3Sdk {
  readonly #options: S3SdkOptions;
  readonly #client: S3Client;

  constructor(options: S3SdkOptions) {
    const { endpoint, region, credentials } = options;
    this.#options = options;
    this.#client = new S3Client({
      region,
      endpoint: endpoint.serviceUrl,
      forcePathStyle: endpoint.pathStyle,
      requestHandler: new SdkHandler(options.pool, endpoint),
      maxAttempts: 1,
      // What most other providers refuse: trailers, checksum headers, waiting for leave to send.
      requestChecksumCalculation: "WHEN_REQUIRED",
      responseChecksumValidation: "WHEN_REQUIRED",
      expectContinueHeader: false,
      ...(credentials === undefined ? {} : { credentials }),
    });
    this.#client.middlewareStack.add(
      (next) => (args) => {
        const { headers } = args.request as { headers: Record<string, string> };
        Object.assign(headers, endpoint.provider.headers);
        // Goes with Content-MD5, and is refused by servers that know the other algorithms only.
        if (headers["x-amz-sdk-checksum-algorithm"] === "MD5") delete headers["x-amz-sdk-checksum-algorithm"];
        return next(args);
      },
      // Behind the middleware that adds checksums, before the one that signs.
      { step: "build", priority: "low", name: "providerHeaders" },
    );
  }

  /** Remembered by the SDK and renewed shortly before they end. */
  readonly credentials: CredentialProvider = async () => {
    try {
      return await this.#client.config.credentials();
    } catch (error) {
      throw typed(error, "look for credentials");
    }
  };

  /** At most 1,000 keys. */
  async delete(keys: readonly string[], signal: AbortSignal | undefined): Promise<void> {
    const { bucket, endpoint } = this.#options;
    const what = `delete ${keys.length} objects from s3://${bucket}`;
    const result = await this.#send(what, signal, (abort) =>
      this.#client.send(
        new DeleteObjectsCommand({
          Bucket: bucket,
          Delete: { Objects: keys.map((Key) => ({ Key })), Quiet: true },
          ChecksumAlgorithm: endpoint.provider.deleteChecksum,
        }),
        abort,
      ),
    );
    const failed = (result.Errors ?? []).filter(({ Code }) => Code !== "NoSuchKey");
    const first = failed[0];
    if (first !== undefined) {
      // The request as a whole was answered with 200: the code alone says what happened to the key.
      const status = first.Code === "InternalError" || first.Code === "SlowDown" ? 503 : 400;
      throw s3Error({
        status,
        code: first.Code,
        what: `delete s3://${bucket}/${first.Key} and ${failed.length - 1} more`,
      });
    }
  }

  async createUpload(
    key: string,
    metadata: Record<string, string>,
    signal: AbortSignal | undefined,
  ): Promise<string> {
    const { bucket, storageClass, sse, sseKmsKeyId } = this.#options;
    const what = `begin an upload to s3://${bucket}/${key}`;
    const { UploadId } = await this.#send(what, signal, (abort) =>
      this.#client.send(
        new CreateMultipartUploadCommand({
          Bucket: bucket,
          Key: key,
          Metadata: metadata,
          ...(storageClass === undefined ? {} : { StorageClass: storageClass as StorageClass }),
          ...(sse === undefined ? {} : { ServerSideEncryption: sse as ServerSideEncryption }),
          ...(sseKmsKeyId === undefined ? {} : { SSEKMSKeyId: sseKmsKeyId }),
        }),
        abort,
      ),
    );
    if (UploadId === undefined)
      throw new WalrustError("STORAGE_REJECTED", `${what}: the answer names no upload`);
    return UploadId;
  }

  /** @param etags of the parts 1, 2, ... */
  async completeUpload(
    key: string,
    uploadId: string,
    etags: readonly string[],
    options: { readonly ifAbsent: boolean; readonly signal: AbortSignal | undefined },
  ): Promise<string> {
    const { bucket } = this.#options;
    const what = `complete the upload to s3://${bucket}/${key}`;
    const { ETag } = await this.#send(what, options.signal, (abort) =>
      this.#client.send(
        new CompleteMultipartUploadCommand({
          Bucket: bucket,
          Key: key,
          UploadId: uploadId,
          MultipartUpload: { Parts: etags.map((etag, i) => ({ PartNumber: i + 1, ETag: etag })) },
          ...(options.ifAbsent ? { IfNoneMatch: "*" } : {}),
        }),
        abort,
      ),
    );
    if (ETag === undefined)
      throw new WalrustError("STORAGE_UNAVAILABLE", `${what}: the answer names no object`);
    return ETag;
  }

  async abortUpload(key: string, uploadId: string): Promise<void> {
    const { bucket } = this.#options;
    await this.#send(`give up the upload to s3://${bucket}/${key}`, undefined, (abort) =>
      this.#client.send(
        new AbortMultipartUploadCommand({ Bucket: bucket, Key: key, UploadId: uploadId }),
        abort,
      ),
    );
  }

  close(): void {
    this.#client.destroy();
  }

  async #send<T>(
    what: string,
    signal: AbortSignal | undefined,
    send: (options: { abortSignal?: AbortSignal }) => Promise<T>,
  ): Promise<T> {
    const options = signal === undefined ? {} : { abortSignal: signal };
    try {
      return await send(options).catch((error: unknown) => {
        // By now the SDK has taken over the storage's time, from the Date of this refusal.
        if (error instanceof Error && error.name === "RequestTimeTooSkewed") return send(options);
        throw error;
      });
    } catch (error) {
      throw typed(error, what);
    }
  }
}

interface S3Failure {
  readonly $metadata?: { readonly httpStatusCode?: number };
  readonly $fault?: string;
}

/** The SDK's exceptions carry S3's code as their name and the status in their metadata. */
function typed(error: unknown, what: string): unknown {
  if (error instanceof WalrustError || !(error instanceof Error)) return error;
  if (error.name === "CredentialsProviderError") {
    return new WalrustError("STORAGE_AUTH", `${what}: no credentials were found`, {
      cause: error,
      hint: "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or any other source of the AWS credential chain.",
    });
  }
  const { $metadata: metadata, $fault: fault } = error as S3Failure;
  if (metadata?.httpStatusCode === undefined) return error;
  // S3's errors say whose fault they are; all others come from reading the answer.
  if (fault !== undefined) return s3Error({ status: metadata.httpStatusCode, code: error.name, what });
  return new WalrustError("STORAGE_REJECTED", `${what}: the answer cannot be read: ${error.name}`, {
    cause: error,
  });
}
