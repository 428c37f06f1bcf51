import { LATEST_TIME_MS } from "../clock.ts";
import { parseChecksum } from "../ltx/checksum.ts";
import { isPageSize } from "../wal/header.ts";
import { PAGE_SIZE_MIN } from "../wasm/layout.ts";
import { unseal } from "./sealed-json.ts";

const MAX_U32 = 0xffffffff;

/**
 * Reads the fields of a sealed document, each of its type and in its range. A checksum that is right says that the document is as somebody
 * wrote it, not that it was this version of walrust: what is read counts only if `isSound` says so at the end.
 */
export class SealedFields {
  readonly #fields: Readonly<Record<string, unknown>>;
  #isSound = true;

  private constructor(fields: Readonly<Record<string, unknown>>) {
    this.#fields = fields;
  }

  /** Undefined for anything that was not written whole, or by another version. */
  static of(text: string, version: number): SealedFields | undefined {
    const fields = unseal(text);
    return fields?.["version"] === version ? new SealedFields(fields) : undefined;
  }

  /** No field that was asked for was missing, or other than it must be. */
  get isSound(): boolean {
    return this.#isSound;
  }

  text(key: string): string {
    const value = this.#fields[key];
    return typeof value === "string" ? value : this.#wrong("");
  }

  /** A whole number from 0. */
  count(key: string, most = Number.MAX_SAFE_INTEGER): number {
    const value = this.#fields[key];
    return Number.isSafeInteger(value) && (value as number) >= 0 && (value as number) <= most
      ? (value as number)
      : this.#wrong(0);
  }

  u32(key: string): number {
    return this.count(key, MAX_U32);
  }

  /** 64 bits as 16 hex digits. */
  u64(key: string): bigint {
    return parseChecksum(this.text(key)) ?? this.#wrong(0n);
  }

  /** So many bytes as hex digits. */
  hex(key: string, sizeBytes: number): string {
    const value = this.text(key);
    return value.length === sizeBytes * 2 && /^[0-9a-f]*$/.test(value)
      ? value
      : this.#wrong("00".repeat(sizeBytes));
  }

  /** Unix ms. */
  time(key: string): number {
    return this.count(key, LATEST_TIME_MS);
  }

  pageSize(key: string): number {
    const size = this.u32(key);
    return isPageSize(size) ? size : this.#wrong(PAGE_SIZE_MIN);
  }

  /** A field that is an object with fields of its own, or null. */
  section<T>(key: string, read: (fields: SealedFields) => T): T | undefined {
    const value = this.#fields[key];
    if (value === null) return undefined;
    if (typeof value !== "object") return this.#wrong(undefined);
    const fields = new SealedFields(value as Readonly<Record<string, unknown>>);
    const section = read(fields);
    return fields.isSound ? section : this.#wrong(undefined);
  }

  #wrong<T>(standIn: T): T {
    this.#isSound = false;
    return standIn;
  }
}
