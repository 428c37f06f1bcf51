import { createHash } from "node:crypto";
import type { Profile } from "./profiles.ts";
import { S3Error } from "./s3-error.ts";

export interface StoredBody {
  readonly body: Buffer;
  readonly etag: string;
  readonly lastModifiedMs: number;
  /** Headers that are given back: x-amz-meta-* and what else was asked to be kept. */
  readonly headers: Readonly<Record<string, string>>;
}

interface MultipartUpload {
  readonly key: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly parts: Map<number, { readonly body: Buffer; readonly etag: string }>;
}

export interface Conditions {
  readonly ifNoneMatch: string | undefined;
  readonly ifMatch: string | undefined;
}

const MAX_PARTS = 10_000;
const md5 = (body: Buffer) => createHash("md5").update(body);

/** The objects of one bucket in memory, with the rules of writing them. */
export class Bucket {
  readonly objects = new Map<string, StoredBody>();
  readonly uploads = new Map<string, MultipartUpload>();
  readonly #profile: Profile;
  readonly #minPartSizeBytes: number;
  #nextUploadId = 1;

  constructor(profile: Profile, minPartSizeBytes: number) {
    this.#profile = profile;
    this.#minPartSizeBytes = minPartSizeBytes;
  }

  get(key: string): StoredBody {
    const object = this.objects.get(key);
    if (object === undefined) throw new S3Error(404, "NoSuchKey");
    return object;
  }

  put(
    key: string,
    body: Buffer,
    headers: Readonly<Record<string, string>>,
    conditions: Conditions,
    nowMs: number,
  ): string {
    this.#check(key, conditions, this.#profile.conditions);
    const etag = md5(body).digest("hex");
    this.objects.set(key, { body, etag, headers, lastModifiedMs: nowMs });
    return etag;
  }

  begin(key: string, headers: Readonly<Record<string, string>>): string {
    const id = `upload-${this.#nextUploadId++}`;
    this.uploads.set(id, { key, headers, parts: new Map() });
    return id;
  }

  putPart(key: string, uploadId: string, partNumber: number, body: Buffer): string {
    if (!(partNumber >= 1 && partNumber <= MAX_PARTS))
      throw new S3Error(400, "InvalidArgument", "partNumber");
    const etag = md5(body).digest("hex");
    this.#upload(key, uploadId).parts.set(partNumber, { body, etag });
    return etag;
  }

  complete(
    key: string,
    uploadId: string,
    listed: readonly { readonly partNumber: number; readonly etag: string }[],
    conditions: Conditions,
    nowMs: number,
  ): string {
    const upload = this.#upload(key, uploadId);
    this.#check(key, conditions, this.#profile.completeConditions);
    if (listed.length === 0) throw new S3Error(400, "MalformedXML");
    const bodies = listed.map(({ partNumber, etag }, i) => {
      const part = upload.parts.get(partNumber);
      if (part === undefined || part.etag !== unquote(etag)) throw new S3Error(400, "InvalidPart");
      if (i > 0 && partNumber <= (listed[i - 1]?.partNumber ?? 0)) throw new S3Error(400, "InvalidPartOrder");
      return part.body;
    });
    const allButLast = bodies.slice(0, -1);
    if (allButLast.some((body) => body.length < this.#minPartSizeBytes))
      throw new S3Error(400, "EntityTooSmall");
    const largest = Math.max(...bodies.map((body) => body.length));
    if (this.#profile.equalParts && allButLast.some((body) => body.length !== largest)) {
      throw new S3Error(400, "InvalidPart", "All non-trailing parts must have the same length.");
    }
    this.uploads.delete(uploadId);
    const digests = Buffer.concat(bodies.map((body) => md5(body).digest()));
    const etag = `${md5(digests).digest("hex")}-${bodies.length}`;
    this.objects.set(key, {
      body: Buffer.concat(bodies),
      etag,
      headers: upload.headers,
      lastModifiedMs: nowMs,
    });
    return etag;
  }

  abort(key: string, uploadId: string): void {
    this.#upload(key, uploadId);
    this.uploads.delete(uploadId);
  }

  /** Keys that start so, in the order of lists, behind `after`. */
  keys(prefix: string, after: string | undefined): string[] {
    const keys = [...this.objects.keys()]
      .filter((key) => key.startsWith(prefix))
      .sort((a, b) => this.#compare(a, b));
    return after === undefined ? keys : keys.filter((key) => this.#compare(key, after) > 0);
  }

  #compare(a: string, b: string): number {
    // A folder's slash goes before every other character.
    const bytes = (key: string) =>
      Buffer.from(this.#profile.listsFolders ? key.replaceAll("/", "\u0000") : key);
    return Buffer.compare(bytes(a), bytes(b));
  }

  #upload(key: string, uploadId: string): MultipartUpload {
    const upload = this.uploads.get(uploadId);
    if (upload === undefined || upload.key !== key) throw new S3Error(404, "NoSuchUpload");
    return upload;
  }

  #check(key: string, { ifNoneMatch, ifMatch }: Conditions, taken: Profile["conditions"]): void {
    if (ifNoneMatch === undefined && ifMatch === undefined) return;
    if (taken === "refused") throw new S3Error(501, "NotImplemented", "conditions on writes");
    if (taken === "ignored") return;
    const current = this.objects.get(key);
    if (ifNoneMatch !== undefined) {
      if (ifNoneMatch !== "*" || ifMatch !== undefined) throw new S3Error(501, "NotImplemented", "only *");
      if (current !== undefined) throw new S3Error(412, "PreconditionFailed");
      return;
    }
    if (current === undefined) throw new S3Error(404, "NoSuchKey");
    const expected = this.#profile.bareEtags ? ifMatch : unquote(ifMatch ?? "");
    if (current.etag !== expected) throw new S3Error(412, "PreconditionFailed");
  }
}

export const unquote = (etag: string) => etag.replace(/^"|"$/g, "");
