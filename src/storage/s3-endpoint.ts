import type { StorageSettings } from "../config/settings.ts";
import { WalrustError } from "../errors.ts";
import { type Provider, providerOf } from "./provider.ts";
import type { StorageAddress } from "./url.ts";

/** Where requests go. */
export interface S3Endpoint {
  /** Scheme, host and port that connections are made to; the bucket is part of the host unless it is in the path. */
  readonly origin: string;
  readonly host: string;
  /** Begins every path: `/bucket` in path style, empty otherwise. */
  readonly basePath: string;
  readonly pathStyle: boolean;
  /** Scheme, host and port without the bucket: what the SDK calls its endpoint. */
  readonly serviceUrl: string;
  readonly provider: Provider;
  /** What requests are signed for. */
  readonly region: string;
}

/** Errors: CONFIG_INVALID when the endpoint is no http(s) address. */
export function resolveEndpoint(
  address: Extract<StorageAddress, { kind: "s3" }>,
  settings: Pick<StorageSettings, "endpoint" | "region" | "forcePathStyle" | "provider">,
): S3Endpoint {
  const url = parseEndpoint(settings.endpoint ?? awsEndpoint(settings.region));
  const provider = providerOf(url, settings.provider);
  // A dot in the bucket's name breaks the certificate for *.host.
  const pathStyle =
    settings.forcePathStyle ??
    (provider.pathStyle || isAddress(url.hostname) || address.bucket.includes("."));
  const host = pathStyle ? url.host : `${address.bucket}.${url.host}`;
  return {
    origin: `${url.protocol}//${host}`,
    host,
    basePath: pathStyle ? `/${address.bucket}` : "",
    pathStyle,
    serviceUrl: `${url.protocol}//${url.host}`,
    provider,
    region: provider.regionInHost?.exec(url.hostname)?.[1] ?? settings.region,
  };
}

/** The path of a key: every byte but the unreserved ones of RFC 3986 is escaped, as signatures demand. */
export function keyPath(endpoint: S3Endpoint, key: string): string {
  return `${endpoint.basePath}/${key.split("/").map(escapeUri).join("/")}`;
}

export function queryString(query: Readonly<Record<string, string>>): string {
  const pairs = Object.entries(query).map(([name, value]) => `${escapeUri(name)}=${escapeUri(value)}`);
  return pairs.length === 0 ? "" : `?${pairs.join("&")}`;
}

function escapeUri(text: string): string {
  return encodeURIComponent(text).replace(
    /[!'()*]/g,
    (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

function awsEndpoint(region: string): string {
  return `https://s3.${region}.amazonaws.com${region.startsWith("cn-") ? ".cn" : ""}`;
}

function parseEndpoint(text: string): URL {
  const url = tryUrl(/^https?:\/\//i.test(text) ? text : `https://${text}`);
  const plain = url?.pathname === "/" && url.search === "" && url.hash === "";
  if (url !== undefined && plain && url.username === "" && url.password === "") return url;
  throw new WalrustError("CONFIG_INVALID", "the storage endpoint is not an http or https address", {
    hint: "Write it like https://s3.example.com or http://127.0.0.1:9000, without a path and without credentials.",
  });
}

function tryUrl(text: string): URL | undefined {
  return URL.canParse(text) ? new URL(text) : undefined;
}

function isAddress(hostname: string): boolean {
  return hostname === "localhost" || hostname.startsWith("[") || /^[\d.]+$/.test(hostname);
}
