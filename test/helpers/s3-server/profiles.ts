/** What the providers do differently, as far as it changes the requests that they take. */
export interface Profile {
  /** How conditions on PUT are taken: checked, refused (501), or silently ignored. */
  readonly conditions: ConditionsTaken;
  /** The same when a multipart upload is completed. */
  readonly completeConditions: ConditionsTaken;
  /** If-Match holds for an etag without quotes alone. */
  readonly bareEtags: boolean;
  /** All parts of a multipart upload but the last must have one size. */
  readonly equalParts: boolean;
  /** More parts of one upload at once are refused (429). */
  readonly partsAtOnce: number;
  /** Lists go folder by folder instead of by whole keys. */
  readonly listsFolders: boolean;
  /** What DeleteObjects must carry. The other one is refused. */
  readonly deleteChecksum: "md5" | "crc32";
  /** Where the bucket has to be named. */
  readonly addressing: "path" | "host" | "any";
  /** Signatures for another one are refused. */
  readonly region: string;
  /** Header that every request must carry. */
  readonly requiredHeader?: readonly [name: string, value: string];
}

type ConditionsTaken = "checked" | "refused" | "ignored";

const aws: Profile = {
  conditions: "checked",
  completeConditions: "checked",
  bareEtags: false,
  equalParts: false,
  partsAtOnce: Number.POSITIVE_INFINITY,
  listsFolders: false,
  deleteChecksum: "md5",
  addressing: "any",
  region: "us-east-1",
};

/** Nothing but a path leads to a bucket of a server of one's own. */
const selfHosted: Profile = { ...aws, addressing: "path" };

export const PROFILES = {
  aws,
  tigris: {
    ...aws,
    deleteChecksum: "crc32",
    region: "auto",
    requiredHeader: ["x-tigris-consistent", "true"],
  },
  r2: { ...aws, completeConditions: "refused", equalParts: true, partsAtOnce: 2, region: "auto" },
  minio: selfHosted,
  b2: { ...aws, conditions: "refused", completeConditions: "refused", region: "us-west-004" },
  // built on Ceph
  spaces: { ...aws, bareEtags: true, completeConditions: "ignored", addressing: "host" },
  wasabi: { ...aws, conditions: "ignored", completeConditions: "ignored", region: "eu-central-1" },
  seaweedfs: { ...selfHosted, listsFolders: true },
  garage: { ...selfHosted, conditions: "ignored", completeConditions: "ignored", region: "garage" },
  // Servers of one's own that no row describes.
  ceph: { ...selfHosted, bareEtags: true, completeConditions: "ignored" },
  ignoring: { ...selfHosted, conditions: "ignored", completeConditions: "ignored" },
  refusing: { ...selfHosted, conditions: "refused", completeConditions: "refused" },
} as const satisfies Record<string, Profile>;

export type ProfileName = keyof typeof PROFILES;
