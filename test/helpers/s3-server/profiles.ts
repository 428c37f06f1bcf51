/** What the providers do differently, as far as it changes the requests that they take. */
export interface Profile {
  /** How conditions on writes are taken: checked, refused (501), or silently ignored. */
  readonly conditions: "checked" | "refused" | "ignored";
  /** All parts of a multipart upload but the last must have one size. */
  readonly equalParts: boolean;
  /** Lists go folder by folder instead of by whole keys. */
  readonly listsFolders: boolean;
  /** What DeleteObjects must carry. The other one is refused. */
  readonly deleteChecksum: "md5" | "crc32";
  /** Header that every request must carry. */
  readonly requiredHeader?: readonly [name: string, value: string];
}

const aws: Profile = { conditions: "checked", equalParts: false, listsFolders: false, deleteChecksum: "md5" };

export const PROFILES = {
  aws,
  r2: { ...aws, equalParts: true },
  b2: { ...aws, conditions: "refused" },
  tigris: { ...aws, deleteChecksum: "crc32", requiredHeader: ["x-tigris-consistent", "true"] },
  seaweedfs: { ...aws, listsFolders: true },
  garage: { ...aws, conditions: "ignored" },
} as const satisfies Record<string, Profile>;

export type ProfileName = keyof typeof PROFILES;
