import { appError } from "../../core/errors.ts";
import type { SeriesUid, StudyUid } from "../../core/study.ts";
import type { InstanceHeader } from "../instance-header.ts";
import type { Catalog } from "./catalog.ts";
import type { Database } from "./database.ts";
import type { ObjectId, ObjectStore } from "./objects.ts";
import type { InstanceRow, SeriesRow, StudyRow } from "./rows.ts";
import { octets, type SealedTables } from "./sealed-tables.ts";

export interface NewInstance {
  readonly header: InstanceHeader;
  /** Published already: a row never names an object that is not whole on disk. */
  readonly object: ObjectId;
  readonly bytes: number;
  readonly sha256: string;
  /** Absent where it is not known: the files themselves do not tell. */
  readonly importedAt?: string;
}

/** What changes the archive; each function is all or nothing. */
export interface Changes {
  addInstances(instances: readonly NewInstance[]): void;
  /** Another file with the same content takes the place of one that was damaged. */
  replaceObjects(replaced: readonly { row: InstanceRow; object: ObjectId }[]): Promise<void>;
  /** Rows first, then files: what a crash leaves over is removed at the next start. @throws study-not-found */
  deleteStudy(study: StudyUid): Promise<void>;
  thumbnail(series: SeriesUid): ObjectId | null;
  setThumbnail(series: SeriesUid, object: ObjectId): Promise<void>;
  /** Within a transaction: it is drawn again when it is asked for. */
  forgetThumbnail(series: SeriesUid): void;
  /** Removes the files whose rows are gone. */
  removeDoomed(): Promise<number>;
  /** Files whose rows go stay until the function that it gives is called: for work that reads many of them. */
  holdFiles(): () => Promise<void>;
}

export interface ChangesOptions {
  readonly database: Database;
  readonly tables: SealedTables;
  readonly objects: ObjectStore;
  readonly catalog: Catalog;
}

/** Tables with a column `series`, and their columns that name objects. */
const filesOfSeries = [
  ["instances", ["object"]],
  ["thumbnails", ["object"]],
  ["variants", ["object", "record"]],
] as const;

export function createChanges({ database, tables, objects, catalog }: ChangesOptions): Changes {
  function addInstances(instances: readonly NewInstance[]): void {
    const studies = new Map<StudyUid, StudyRow>();
    const series = new Map<SeriesUid, SeriesRow>();
    try {
      database.transaction(() => {
        for (const added of instances) {
          const { header } = added;
          let row = series.get(header.seriesInstanceUid) ?? catalog.findSeries(header.seriesInstanceUid);
          const isNewSeries = row === null;
          row ??= seriesRow(header);
          series.set(header.seriesInstanceUid, row);
          const study =
            studies.get(header.studyInstanceUid) ??
            catalog.findStudy(header.studyInstanceUid) ??
            emptyStudy(header);
          studies.set(header.studyInstanceUid, grown(study, added, isNewSeries));
          putInstance(added);
        }
        for (const row of series.values()) putSeries(row);
        for (const row of studies.values()) {
          tables.put("studies", { key: row.studyInstanceUid, columns: {}, body: row });
        }
      });
    } finally {
      catalog.refresh();
    }
  }

  function putInstance({ header, ...stored }: NewInstance): void {
    tables.put("instances", {
      key: header.sopInstanceUid,
      columns: { series: octets(header.seriesInstanceUid), object: Buffer.from(stored.object, "hex") },
      body: instanceRow(header, stored),
    });
  }

  async function replaceObjects(replaced: readonly { row: InstanceRow; object: ObjectId }[]): Promise<void> {
    database.transaction(() => {
      for (const { row, object } of replaced) {
        const uid = octets(row.sopInstanceUid);
        database.run("INSERT OR REPLACE INTO doomed SELECT object FROM instances WHERE uid = ?", uid);
        tables.put("instances", {
          key: row.sopInstanceUid,
          columns: { series: octets(row.seriesInstanceUid), object: Buffer.from(object, "hex") },
          body: { ...row, object } satisfies InstanceRow,
        });
      }
    });
    await removeDoomed();
  }

  function putSeries(row: SeriesRow): void {
    tables.put("series", {
      key: row.seriesInstanceUid,
      columns: { study: octets(row.studyInstanceUid) },
      body: row,
    });
  }

  async function deleteStudy(study: StudyUid): Promise<void> {
    if (!catalog.findStudy(study)) {
      throw appError("study-not-found", "This study is no longer in the archive.");
    }
    const uid = octets(study);
    const ofStudy = "IN (SELECT uid FROM series WHERE study = ?)";
    try {
      database.transaction(() => {
        for (const [table, columns] of filesOfSeries) {
          for (const column of columns) {
            database.run(
              `INSERT OR REPLACE INTO doomed SELECT ${column} FROM ${table} WHERE series ${ofStudy}`,
              uid,
            );
          }
          database.run(`DELETE FROM ${table} WHERE series ${ofStudy}`, uid);
        }
        database.run("INSERT OR REPLACE INTO doomed SELECT object FROM answers WHERE study = ?", uid);
        database.run("DELETE FROM answers WHERE study = ?", uid);
        database.run("DELETE FROM series WHERE study = ?", uid);
        tables.remove("studies", study);
      });
    } finally {
      catalog.refresh();
    }
    await removeDoomed();
  }

  let holders = 0;

  function holdFiles(): () => Promise<void> {
    holders += 1;
    return async () => {
      holders -= 1;
      await removeDoomed();
    };
  }

  async function removeDoomed(): Promise<number> {
    if (holders > 0) return 0;
    const doomed = database.all("SELECT object FROM doomed").map((row) => row["object"] as Buffer);
    if (doomed.length === 0) return 0;
    await objects.remove(doomed.map((object) => object.toString("hex")));
    database.transaction(() => {
      for (const object of doomed) database.run("DELETE FROM doomed WHERE object = ?", object);
    });
    return doomed.length;
  }

  function thumbnail(series: SeriesUid): ObjectId | null {
    const [row] = database.all("SELECT object FROM thumbnails WHERE series = ?", octets(series));
    return row ? (row["object"] as Buffer).toString("hex") : null;
  }

  function forgetThumbnail(series: SeriesUid): void {
    const uid = octets(series);
    database.run("INSERT OR REPLACE INTO doomed SELECT object FROM thumbnails WHERE series = ?", uid);
    database.run("DELETE FROM thumbnails WHERE series = ?", uid);
  }

  async function setThumbnail(series: SeriesUid, object: ObjectId): Promise<void> {
    const uid = octets(series);
    database.transaction(() => {
      forgetThumbnail(series);
      database.run("INSERT INTO thumbnails (series, object) VALUES (?, ?)", uid, Buffer.from(object, "hex"));
    });
    await removeDoomed();
  }

  return {
    addInstances,
    replaceObjects,
    deleteStudy,
    thumbnail,
    setThumbnail,
    forgetThumbnail,
    removeDoomed,
    holdFiles,
  };
}

function emptyStudy(header: InstanceHeader): StudyRow {
  return {
    studyInstanceUid: header.studyInstanceUid,
    patientName: header.patientName,
    patientId: header.patientId,
    patientBirthDate: header.patientBirthDate,
    patientSex: header.patientSex,
    studyDate: header.studyDate,
    studyTime: header.studyTime,
    studyDescription: header.studyDescription,
    accessionNumber: header.accessionNumber,
    modalities: [],
    seriesCount: 0,
    instanceCount: 0,
    phantom: header.phantom,
    importedAt: new Date().toISOString(),
    bytes: 0,
  };
}

function grown(study: StudyRow, added: NewInstance, isNewSeries: boolean): StudyRow {
  const { modality } = added.header;
  const isNewModality = modality !== "" && !study.modalities.includes(modality);
  return {
    ...study,
    modalities: isNewModality ? [...study.modalities, modality].toSorted() : study.modalities,
    seriesCount: study.seriesCount + (isNewSeries ? 1 : 0),
    instanceCount: study.instanceCount + 1,
    bytes: study.bytes + added.bytes,
  };
}

function seriesRow(header: InstanceHeader): SeriesRow {
  return {
    seriesInstanceUid: header.seriesInstanceUid,
    studyInstanceUid: header.studyInstanceUid,
    modality: header.modality,
    seriesNumber: header.seriesNumber,
    seriesDescription: header.seriesDescription,
    bodyPartExamined: header.bodyPartExamined,
  };
}

export function instanceRow(header: InstanceHeader, stored: Omit<NewInstance, "header">): InstanceRow {
  return {
    sopInstanceUid: header.sopInstanceUid,
    seriesInstanceUid: header.seriesInstanceUid,
    studyInstanceUid: header.studyInstanceUid,
    sopClassUid: header.sopClassUid,
    transferSyntaxUid: header.transferSyntaxUid,
    instanceNumber: header.instanceNumber,
    numberOfFrames: header.numberOfFrames,
    rows: header.rows,
    columns: header.columns,
    hasPixels: header.hasPixels,
    position: header.position,
    orientation: header.orientation,
    laterality: header.laterality,
    facts: header.facts,
    concatenation: header.concatenation,
    ...stored,
  };
}
