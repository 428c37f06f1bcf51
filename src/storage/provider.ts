/**
 * What providers take differently, chosen by the endpoint's host: only what changes requests. Everything else is sent in the
 * form that all of them take: payloads signed, no integrity trailers, no Expect, parts of one size, two parts at once.
 */
export interface Provider {
  readonly name: string;
  /** Whether If-None-Match and If-Match hold on PUT. Where they don't, a look before the PUT takes their place, not atomic. */
  readonly conditionalPut: boolean;
  /** The bucket in the path instead of the host name, unless the settings say otherwise. */
  readonly pathStyle: boolean;
  /** Whether lists are in the order of keys. Servers that keep objects in folders list `a/b` before `a-b`. */
  readonly ordersKeys: boolean;
  /** What DeleteObjects is protected with. */
  readonly deleteChecksum: "MD5" | "CRC32";
  /** Added to every request. */
  readonly headers: Readonly<Record<string, string>>;
}

const COMMON = {
  conditionalPut: true,
  pathStyle: false,
  ordersKeys: true,
  deleteChecksum: "MD5",
  headers: {},
} as const;

/** What an endpoint that is in no row is: somebody's own server. A bucket below its host name would need DNS of its own. */
const SELF_HOSTED: Provider = { ...COMMON, name: "self-hosted", pathStyle: true, ordersKeys: false };

interface Row {
  readonly host?: RegExp;
  /** The S3 port that a server of one's own has unless told otherwise. */
  readonly port?: string;
  readonly provider: Provider;
}

const PROVIDERS: readonly Row[] = [
  { host: /\.amazonaws\.com(\.cn)?$/, provider: { ...COMMON, name: "AWS" } },
  {
    // Reads of another region's writes are stale unless asked not to be. Refuses Content-MD5.
    host: /(^|\.)(tigris\.dev|t3\.storage\.dev)$/,
    provider: {
      ...COMMON,
      name: "Tigris",
      deleteChecksum: "CRC32",
      headers: { "x-tigris-consistent": "true" },
    },
  },
  { host: /\.r2\.cloudflarestorage\.com$/, provider: { ...COMMON, name: "R2", pathStyle: true } },
  // Answers 501 to a PUT with a condition.
  {
    host: /\.backblazeb2\.com$/,
    provider: { ...COMMON, name: "B2", pathStyle: true, conditionalPut: false },
  },
  { host: /\.digitaloceanspaces\.com$/, provider: { ...COMMON, name: "Spaces" } },
  // Its reference names no conditions on PUT, and one that is silently ignored would be worse than none.
  { host: /\.wasabisys\.com$/, provider: { ...COMMON, name: "Wasabi", conditionalPut: false } },
  // Has no consensus to decide a condition with, and ignores it.
  {
    host: /(^|[.-])garage([.-]|$)/,
    port: "3900",
    provider: { ...SELF_HOSTED, name: "Garage", conditionalPut: false },
  },
  { host: /(^|[.-])minio([.-]|$)/, port: "9000", provider: { ...SELF_HOSTED, name: "MinIO" } },
  { host: /(^|[.-])seaweedfs([.-]|$)/, port: "8333", provider: { ...SELF_HOSTED, name: "SeaweedFS" } },
];

/** The endpoint's host decides, then its port. */
export function providerOf(endpoint: Pick<URL, "hostname" | "port">): Provider {
  const row =
    PROVIDERS.find(({ host }) => host?.test(endpoint.hostname)) ??
    PROVIDERS.find(({ port }) => port !== undefined && port === endpoint.port);
  return row?.provider ?? SELF_HOSTED;
}
