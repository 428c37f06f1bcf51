import type { ProviderName } from "../config/settings.ts";

/**
 * What providers take differently, chosen by the settings or by the endpoint's host: only what changes requests. Everything else is sent in the
 * form that all of them take: payloads signed, no integrity trailers, no Expect, parts of one size, two parts at once.
 */
export interface Provider {
  readonly name: string;
  /** Whether If-None-Match and If-Match hold on PUT. Where they don't, a look before the PUT takes their place, not atomic. */
  readonly conditionalPut: boolean;
  /** False: that is not documented, or depends on the version of a server. Then the first PUTs try it out (s3-conditions.ts). */
  readonly conditionalPutIsKnown: boolean;
  /** Whether If-None-Match holds when an upload in parts is completed; else a look before it. */
  readonly conditionalComplete: boolean;
  /** If-Match wants the etag without its quotes, against RFC 9110: all that is built on Ceph. */
  readonly bareEtags: boolean;
  /** The bucket in the path instead of the host name, unless the settings say otherwise. */
  readonly pathStyle: boolean;
  /** Whether lists are in the order of keys. Servers that keep objects in folders list `a/b` before `a-b`. */
  readonly ordersKeys: boolean;
  /** What DeleteObjects is protected with. */
  readonly deleteChecksum: "MD5" | "CRC32";
  /** Added to every request. */
  readonly headers: Readonly<Record<string, string>>;
  /** Finds the region in the endpoint's host: signatures for another one are refused there, so it goes before the settings. */
  readonly regionInHost?: RegExp;
}

const COMMON = {
  conditionalPut: true,
  conditionalPutIsKnown: true,
  conditionalComplete: true,
  bareEtags: false,
  pathStyle: false,
  ordersKeys: true,
  deleteChecksum: "MD5",
  headers: {},
} as const;

/** Somebody's own server. A bucket below its host name would need DNS of its own; what it can do depends on its version. */
const SELF_HOSTED = {
  ...COMMON,
  conditionalPutIsKnown: false,
  conditionalComplete: false,
  pathStyle: true,
  ordersKeys: false,
} as const;

const PROVIDERS: Readonly<Record<ProviderName, Provider>> = {
  aws: { ...COMMON, name: "AWS" },
  // Reads of another region's writes are stale unless asked not to be. Refuses Content-MD5.
  tigris: {
    ...COMMON,
    name: "Tigris",
    deleteChecksum: "CRC32",
    headers: { "x-tigris-consistent": "true" },
  },
  // Documents conditions for PutObject alone. Refuses parts of unequal size.
  r2: { ...COMMON, name: "R2", pathStyle: true, conditionalComplete: false },
  minio: { ...SELF_HOSTED, name: "MinIO" },
  // Answers 501 to a PUT with a condition, and refuses signatures for another region.
  b2: {
    ...COMMON,
    name: "B2",
    pathStyle: true,
    conditionalPut: false,
    conditionalComplete: false,
    regionInHost: /^s3\.([a-z0-9-]+)\.backblazeb2\.com$/,
  },
  // Ceph.
  spaces: { ...COMMON, name: "Spaces", bareEtags: true, conditionalComplete: false },
  // Its reference names no conditions on PUT.
  wasabi: {
    ...COMMON,
    name: "Wasabi",
    conditionalPutIsKnown: false,
    conditionalComplete: false,
    regionInHost: /^s3\.([a-z0-9-]+)\.wasabisys\.com$/,
  },
  // Before 3.97 it ignores conditions.
  seaweedfs: { ...SELF_HOSTED, name: "SeaweedFS" },
  // Has no consensus to decide a condition with, and ignores it.
  garage: { ...SELF_HOSTED, name: "Garage", conditionalPut: false, conditionalPutIsKnown: true },
  other: { ...SELF_HOSTED, name: "self-hosted" },
};

const HOSTS: readonly (readonly [RegExp, ProviderName])[] = [
  [/\.amazonaws\.com(\.cn)?$/, "aws"],
  [/(^|\.)(tigris\.dev|t3\.storage\.dev)$/, "tigris"],
  [/\.r2\.cloudflarestorage\.com$/, "r2"],
  [/\.backblazeb2\.com$/, "b2"],
  [/\.digitaloceanspaces\.com$/, "spaces"],
  [/\.wasabisys\.com$/, "wasabi"],
  [/(^|[.-])garage([.-]|$)/, "garage"],
  [/(^|[.-])minio([.-]|$)/, "minio"],
  [/(^|[.-])seaweedfs([.-]|$)/, "seaweedfs"],
];

/** The S3 ports that servers of one's own have unless told otherwise. */
const PORTS: ReadonlyMap<string, ProviderName> = new Map([
  ["3900", "garage"],
  ["9000", "minio"],
  ["8333", "seaweedfs"],
]);

/** The settings decide, then the endpoint's host, then its port. */
export function providerOf(
  endpoint: Pick<URL, "hostname" | "port">,
  given: ProviderName | undefined,
): Provider {
  const byHost = HOSTS.find(([host]) => host.test(endpoint.hostname))?.[1];
  return PROVIDERS[given ?? byHost ?? PORTS.get(endpoint.port) ?? "other"];
}
