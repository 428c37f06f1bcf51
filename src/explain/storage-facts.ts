import type { StorageSettings } from "../config/settings.ts";
import { resolveEndpoint } from "../storage/s3-endpoint.ts";
import { formatStorageUrl, parseStorageUrl } from "../storage/url.ts";

/** Where copies go, as far as it is known without asking. */
export interface StorageFacts {
  /** Without secrets. */
  readonly url: string;
  /** Undefined: a folder. */
  readonly endpoint: string | undefined;
  /** As storage/provider.ts calls it; `folder` for one. */
  readonly provider: string;
  readonly conditionalPut: boolean;
  /** What is done in another way for this provider, in sentences. */
  readonly quirks: readonly string[];
}

/** Errors: CONFIG_INVALID. */
export function storageFacts(settings: StorageSettings): StorageFacts {
  const address = parseStorageUrl(settings.url);
  const url = formatStorageUrl(address);
  if (address.kind === "file") {
    const quirks = ["every file is synced to disk before it counts"];
    return { url, endpoint: undefined, provider: "folder", conditionalPut: true, quirks };
  }
  const { provider, pathStyle, serviceUrl } = resolveEndpoint(address, settings);
  const quirks = [
    pathStyle ? "the bucket is named in the path" : "the bucket is part of the host name",
    ...(provider.conditionalPut
      ? []
      : [
          "it has no conditional PUT: a look before each takes its place, so that two writers are found only at the start",
        ]),
    ...(provider.deleteChecksum === "CRC32" ? ["deletions carry a CRC32, as it refuses Content-MD5"] : []),
    ...(provider.ordersKeys ? [] : ["its lists need not be in order, and are sorted here"]),
    ...Object.keys(provider.headers).map((name) => `every request carries ${name}`),
  ];
  const { name, conditionalPut } = provider;
  return { url, endpoint: serviceUrl, provider: name, conditionalPut, quirks };
}
