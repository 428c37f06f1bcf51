import { replaceFileDurably } from "../shadow/durable-file.ts";
import { SealedFields } from "../shadow/sealed-fields.ts";
import { readTextIfThere, seal } from "../shadow/sealed-json.ts";
import { formatWriterId, parseWriterId, type WriterId } from "../storage/writer-record.ts";

/**
 * What this machine remembers of the right to write one remote database. It is written before the right is asked for and after it was given, so that
 * a crash in between is told from somebody else's doing. The very first time it is written before only where there was no clear answer.
 */
export interface WriterNote {
  /** The remote database that it speaks of. */
  readonly storageUrl: string;
  readonly name: string;
  readonly id: WriterId;
  /** The last epoch that was ours; 0: none was. */
  readonly epoch: number;
  /** The epoch that was being asked for; 0: the answer is known. */
  readonly taking: number;
  /** Until then whoever had it before may not know, and nothing is published. Unix ms; 0: nobody had it. */
  readonly waitsUntilMs: number;
  readonly place: WriterPlace;
}

/** Where a note was written. A copy of the folder, or of the machine, is another writer. */
export interface WriterPlace {
  readonly host: string;
  /** Inode of the shadow folder. */
  readonly folder: string;
  /** This run of the machine; empty where that is not known. */
  readonly boot: string;
}

const VERSION = 1;

/** The note, or undefined where there is none or it cannot be trusted. Errors: LOCAL_IO. */
export function readWriterNote(path: string): WriterNote | undefined {
  const text = readTextIfThere(path);
  return text === undefined ? undefined : parseWriterNote(text);
}

/** Undefined for anything that this version did not write whole. */
export function parseWriterNote(text: string): WriterNote | undefined {
  const fields = SealedFields.of(text, VERSION);
  const id = parseWriterId(fields?.text("id"));
  if (fields === undefined || id === undefined) return undefined;
  const note: WriterNote = {
    storageUrl: fields.text("storage_url"),
    name: fields.text("name"),
    id,
    epoch: fields.count("epoch"),
    taking: fields.count("taking"),
    waitsUntilMs: fields.count("waits_until"),
    place: { host: fields.text("host"), folder: fields.text("folder"), boot: fields.text("boot") },
  };
  return fields.isSound ? note : undefined;
}

/** Errors: LOCAL_IO, LOCAL_DISK_FULL; then the note before it stands. */
export function writeWriterNote(path: string, note: WriterNote): Promise<void> {
  const { storageUrl, name, id, epoch, taking, waitsUntilMs, place } = note;
  const writer = { storage_url: storageUrl, name, id: formatWriterId(id) };
  const state = { epoch, taking, waits_until: waitsUntilMs };
  return replaceFileDurably(path, Buffer.from(seal({ version: VERSION, ...writer, ...state, ...place })));
}
