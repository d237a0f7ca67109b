import { randomBytes } from "node:crypto";
import { appError } from "../../core/errors.ts";
import type { InstanceUid, StudyUid } from "../../core/study.ts";
import type { FileDifference, StudyConflicts, Variant } from "../../core/variant.ts";
import type { Catalog } from "./catalog.ts";
import type { NewInstance } from "./changes.ts";
import type { Database } from "./database.ts";
import type { ObjectId, ObjectStore } from "./objects.ts";
import { octets, type SealedTables } from "./sealed-tables.ts";
import type { InstanceRow, VariantRow } from "./rows.ts";

export interface NewVariant {
  readonly row: VariantRow;
  /** The object that holds the row once more. */
  readonly record: ObjectId;
}

/** Files with the UID of another one and other content, kept beside it. */
export interface Variants {
  /** Oldest first. */
  ofInstance(instance: InstanceUid): VariantRow[];
  /** By series, then as of an instance. @throws study-not-found */
  ofStudy(study: StudyUid): VariantRow[];
  /** Of every study that has any. */
  counts(): StudyConflicts[];
  /** @throws not-found */
  read(id: string): VariantRow;
  /** Stages the object from which a rebuild takes the row. @throws disk-full, read-only */
  stageRecord(row: VariantRow): Promise<ObjectId>;
  /** Names objects that are published already. Those that are there already are left out, and given back. */
  add(variants: readonly NewVariant[]): NewVariant[];
}

/** How the object of a record begins; no DICOM object and no PNG does. */
export const variantStart = '{"meditron":"variant","record":';

/** Without the study's size, which `add` keeps. */
export function putVariant(tables: SealedTables, { row, record }: NewVariant): void {
  tables.put("variants", {
    key: row.id,
    columns: {
      instance: octets(row.sopInstanceUid),
      series: octets(row.seriesInstanceUid),
      object: Buffer.from(row.object, "hex"),
      record: Buffer.from(record, "hex"),
    },
    body: row,
  });
}

export function createVariants(parts: {
  database: Database;
  tables: SealedTables;
  objects: ObjectStore;
  catalog: Catalog;
}): Variants {
  const { database, tables, objects, catalog } = parts;

  function ofInstance(instance: InstanceUid): VariantRow[] {
    return (tables.select("variants", { instance }) as VariantRow[]).toSorted(oldestFirst);
  }

  function ofStudy(study: StudyUid): VariantRow[] {
    return catalog
      .series(study)
      .flatMap(({ seriesInstanceUid }) =>
        (tables.select("variants", { series: seriesInstanceUid }) as VariantRow[]).toSorted(oldestFirst),
      );
  }

  function put(variant: NewVariant): void {
    const { row } = variant;
    putVariant(tables, variant);
    const study = catalog.findStudy(row.studyInstanceUid);
    if (!study) return;
    const body = { ...study, bytes: study.bytes + row.bytes };
    tables.put("studies", { key: study.studyInstanceUid, columns: {}, body });
  }

  function add(variants: readonly NewVariant[]): NewVariant[] {
    const superfluous: NewVariant[] = [];
    try {
      database.transaction(() => {
        for (const variant of variants) {
          const { sopInstanceUid, sha256 } = variant.row;
          // Its first file may have been deleted, or the same variant have come by another import, meanwhile.
          const known = ofInstance(sopInstanceUid).some((row) => row.sha256 === sha256);
          if (known || !catalog.findInstance(sopInstanceUid)) superfluous.push(variant);
          else put(variant);
        }
      });
    } finally {
      catalog.refresh();
    }
    return superfluous;
  }

  function counts(): StudyConflicts[] {
    const sql = "SELECT study, count(*) AS files FROM variants JOIN series ON uid = series GROUP BY study";
    return database.all(sql).map((row) => ({
      studyInstanceUid: (row["study"] as Buffer).toString("latin1") as StudyUid,
      files: Number(row["files"]),
    }));
  }

  return {
    ofInstance,
    ofStudy,
    counts,
    read(id) {
      const row = tables.get("variants", id) as VariantRow | null;
      if (!row) throw appError("not-found", "This file is no longer in the archive.");
      return row;
    },
    stageRecord(row) {
      const content = Buffer.from(`${variantStart}${JSON.stringify(row)}}`);
      return objects.stage(content.length, single(content));
    },
    add,
  };
}

/** `difference` null: not compared, because the first file cannot be read. */
export function variantRow(
  first: InstanceRow,
  second: NewInstance,
  difference: FileDifference | null,
): VariantRow {
  const { header, object, bytes, sha256 } = second;
  return {
    id: randomBytes(16).toString("hex"),
    sopInstanceUid: first.sopInstanceUid,
    seriesInstanceUid: first.seriesInstanceUid,
    studyInstanceUid: first.studyInstanceUid,
    instanceNumber: first.instanceNumber,
    importedAt: new Date().toISOString(),
    bytes,
    sha256,
    numberOfFrames: header.numberOfFrames,
    first: shownFile(first),
    difference,
    object,
  };
}

/** What a variant says of the file that the study shows. */
export function shownFile({ bytes, sha256, importedAt }: InstanceRow): Variant["first"] {
  return { bytes, sha256, ...(importedAt === undefined ? {} : { importedAt }) };
}

/** What the contract shows of a row. */
export function publicVariant({ object, ...variant }: VariantRow): Variant {
  void object;
  return variant;
}

/** The row that an object holds; null where it holds something else. */
export function variantIn(content: Uint8Array): VariantRow | null {
  const text = Buffer.from(content.buffer, content.byteOffset, content.byteLength);
  if (!text.toString("latin1", 0, variantStart.length).startsWith(variantStart)) return null;
  return (JSON.parse(text.toString("utf8")) as { record: VariantRow }).record;
}

function oldestFirst(a: VariantRow, b: VariantRow): number {
  if (a.importedAt !== b.importedAt) return a.importedAt < b.importedAt ? -1 : 1;
  return a.id < b.id ? -1 : 1;
}

async function* single(content: Uint8Array): AsyncGenerator<Uint8Array> {
  yield content;
}
