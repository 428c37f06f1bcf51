import { WalrustError } from "../errors.ts";

/** A database in a storage: `bucket` is undefined where the configuration names it. */
export interface ReplicaAddress {
  readonly bucket: string | undefined;
  readonly name: string;
}

/**
 * `s3://bucket/prefix/name` and `file:///folder/name`: the last part is the database's name, all before it its storage. Beside
 * `--bucket` (or with a configured one) it is the name alone, which may have several parts. Errors: USAGE, without the
 * address: people put passwords into URLs.
 */
export function replicaAddress(address: string, bucket: string | undefined): ReplicaAddress {
  if (!address.includes("://")) return { bucket, name: address };
  if (bucket !== undefined) {
    throw new WalrustError("USAGE", "replicate: ADDRESS names the storage, and so does --bucket", {
      hint: "Give the database's NAME beside --bucket.",
    });
  }
  const slash = address.lastIndexOf("/");
  const [storage, name] = [address.slice(0, slash), address.slice(slash + 1)];
  if (name !== "" && !/^\w+:\/*$/.test(storage)) return { bucket: storage, name };
  throw new WalrustError("USAGE", "replicate: ADDRESS names no database", {
    hint: "Write s3://bucket/name, s3://bucket/prefix/name, or file:///folder/name.",
  });
}
