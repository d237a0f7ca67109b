import { randomBytes } from "node:crypto";
import { AppError, appError } from "../../core/errors.ts";
import type { InstanceUid } from "../../core/study.ts";
import type { FileDifference } from "../../core/variant.ts";
import type { ByteSource } from "../byte-source.ts";
import type { InstanceHeader } from "../instance-header.ts";
import type { Catalog } from "./catalog.ts";
import { type Changes, instanceRow } from "./changes.ts";
import type { Database } from "./database.ts";
import type { ObjectId, ObjectStore } from "./objects.ts";
import type { InstanceRow, VariantRow } from "./rows.ts";
import { octets, type SealedTables } from "./sealed-tables.ts";
import { type NewVariant, putVariant, shownFile, type Variants } from "./variants.ts";

export interface ChooseParts {
  readonly database: Database;
  readonly tables: SealedTables;
  readonly objects: ObjectStore;
  readonly catalog: Catalog;
  readonly changes: Changes;
  readonly variants: Variants;
}

export interface ChooseTools {
  readonly readHeader: (source: ByteSource) => Promise<InstanceHeader>;
  /** What differs, for the list of the others. */
  readonly compare: (files: { first: ByteSource; second: ByteSource }) => Promise<FileDifference>;
}

/**
 * Shows another of the files that came with one SOP Instance UID. No file changes: the rows exchange what they name,
 * all at once, and each file that is not shown gets a new record, from which a rebuild tells which one is.
 * @throws not-found, bad-input where the file belongs to another series, archive-damaged, disk-full, read-only
 */
export async function chooseVariant(parts: ChooseParts, id: string, tools: ChooseTools): Promise<void> {
  const { catalog, changes, database, objects, tables, variants } = parts;
  const chosen = variants.read(id);
  const shown = catalog.instance(chosen.sopInstanceUid);
  const header = await tools.readHeader(await objects.open(chosen.object));
  refuseElsewhere(header, shown);
  const chosenAt = new Date().toISOString();
  const { object, bytes, sha256, importedAt } = chosen;
  const row = instanceRow(header, { object, bytes, sha256, importedAt });
  const rest = [
    asVariant(shown),
    ...variants.ofInstance(shown.sopInstanceUid).filter((one) => one.id !== id),
  ];
  const staged: NewVariant[] = [];
  try {
    for (const one of rest) {
      const difference = await differenceOf(objects, { first: object, second: one.object }, tools);
      const kept = { ...one, first: shownFile(row), difference, chosenAt };
      staged.push({ row: kept, record: await variants.stageRecord(kept) });
    }
    await objects.publish(staged.map(({ record }) => record));
    // Another choice, or a deletion, may have come between.
    if (catalog.findInstance(shown.sopInstanceUid)?.object !== shown.object) throw changedMeanwhile();
  } catch (thrown) {
    const records = staged.map(({ record }) => record);
    await objects.discard(records);
    await objects.remove(records);
    throw thrown;
  }
  database.transaction(() => {
    const instance = octets(shown.sopInstanceUid);
    database.run("INSERT OR REPLACE INTO doomed SELECT record FROM variants WHERE instance = ?", instance);
    database.run("DELETE FROM variants WHERE instance = ?", instance);
    for (const one of staged) putVariant(tables, one);
    const columns = { series: octets(shown.seriesInstanceUid), object: Buffer.from(object, "hex") };
    tables.put("instances", { key: shown.sopInstanceUid, columns, body: row });
    changes.forgetThumbnail(shown.seriesInstanceUid);
  });
  await changes.removeDoomed();
}

/**
 * Of the records that are left, those that say which files are not shown: a choice writes all records of an image
 * anew, and what it replaced may still lie there where the process ended.
 */
export function validRecords<Found extends { value: VariantRow }>(found: readonly Found[]): Found[] {
  const chosenAt = new Map<InstanceUid, string>();
  for (const { value } of found) {
    const { sopInstanceUid: uid, chosenAt: at } = value;
    if (at !== undefined && at > (chosenAt.get(uid) ?? "")) chosenAt.set(uid, at);
  }
  return found.filter(({ value }) => {
    const at = chosenAt.get(value.sopInstanceUid);
    return at === undefined || value.chosenAt === at || value.importedAt > at;
  });
}

function refuseElsewhere(header: InstanceHeader, shown: InstanceRow): void {
  const same =
    header.sopInstanceUid === shown.sopInstanceUid &&
    header.seriesInstanceUid === shown.seriesInstanceUid &&
    header.studyInstanceUid === shown.studyInstanceUid;
  if (same) return;
  throw appError(
    "bad-input",
    "This file says that it belongs to another series or study. It is kept, and cannot take the place of this image.",
  );
}

function asVariant(shown: InstanceRow): VariantRow {
  const { sopInstanceUid, seriesInstanceUid, studyInstanceUid, instanceNumber, numberOfFrames } = shown;
  return {
    id: randomBytes(16).toString("hex"),
    sopInstanceUid,
    seriesInstanceUid,
    studyInstanceUid,
    instanceNumber,
    numberOfFrames,
    // Of images that came before this was kept nothing is known; the oldest comes first in every list.
    importedAt: shown.importedAt ?? "",
    bytes: shown.bytes,
    sha256: shown.sha256,
    first: { bytes: 0, sha256: "" },
    difference: null,
    object: shown.object,
  };
}

async function differenceOf(
  objects: ObjectStore,
  ids: { first: ObjectId; second: ObjectId },
  { compare }: ChooseTools,
): Promise<FileDifference | null> {
  try {
    return await compare({ first: await objects.open(ids.first), second: await objects.open(ids.second) });
  } catch (thrown) {
    if (thrown instanceof AppError && thrown.code !== "cancelled") return null;
    throw thrown;
  }
}

function changedMeanwhile(): Error {
  return appError("bad-request", "This image was changed meanwhile. Open the list again.");
}
