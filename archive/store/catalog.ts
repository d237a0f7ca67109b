import { appError } from "../../core/errors.ts";
import type { FrameRef, FrameSummary } from "../../core/frame.ts";
import { sliceOrder } from "../../core/slice-order.ts";
import type { Instance, InstanceUid, Series, SeriesUid, Study, StudyUid } from "../../core/study.ts";
import { archiveDamaged } from "./damage.ts";
import type { InstanceRow, SeriesRow, StudyRow } from "./rows.ts";
import type { SealedTables } from "./sealed-tables.ts";
import { matchesSearch } from "./search.ts";

export type Located =
  | { type: "study"; series: Series[] }
  | { type: "series"; series: Series }
  | { type: "instance"; series: Series; sopInstanceUid: InstanceUid };

/** What the archive holds, as the viewer reads it. */
export interface Catalog {
  /** Newest study first. */
  studies(search: string): Study[];
  /** By series number. @throws study-not-found */
  series(study: StudyUid): Series[];
  /** @throws not-found */
  oneSeries(series: SeriesUid): Series;
  /** @throws not-found */
  instance(instance: InstanceUid): InstanceRow;
  findInstance(instance: InstanceUid): InstanceRow | null;
  findStudy(study: StudyUid): StudyRow | null;
  findSeries(series: SeriesUid): SeriesRow | null;
  /** @throws frame-not-found */
  summary(frame: FrameRef): FrameSummary;
  /** A study, series or instance by its UID. @throws not-found */
  locate(uid: string): Located;
  /** Rows have changed: what was kept in memory is read again. */
  refresh(): void;
}

export function createCatalog(tables: SealedTables): Catalog {
  // Thousands of studies are a few megabytes; searching them must not decrypt them at every letter typed.
  let known: StudyRow[] | null = null;

  function allStudies(): StudyRow[] {
    known ??= (tables.select("studies", null) as StudyRow[]).toSorted(newestFirst);
    return known;
  }

  function seriesOf(row: SeriesRow): Series {
    const instances = tables.select("instances", { series: row.seriesInstanceUid }) as InstanceRow[];
    return { ...row, instances: inDisplayOrder(instances) };
  }

  const findStudy = (uid: StudyUid) => tables.get("studies", uid) as StudyRow | null;
  const findSeries = (uid: SeriesUid) => tables.get("series", uid) as SeriesRow | null;
  const findInstance = (uid: InstanceUid) => tables.get("instances", uid) as InstanceRow | null;

  function series(uid: StudyUid): Series[] {
    const study = findStudy(uid);
    if (!study) throw appError("study-not-found", "This study is no longer in the archive.");
    const rows = tables.select("series", { study: uid }) as SeriesRow[];
    const all = rows.toSorted(bySeriesNumber).map(seriesOf);
    const instances = all.reduce((sum, { instances: { length } }) => sum + length, 0);
    // An index page that was damaged since the archive was opened may hide rows; a slice must not be missed.
    if (all.length !== study.seriesCount || instances !== study.instanceCount) throw archiveDamaged();
    return all;
  }

  function oneSeries(uid: SeriesUid): Series {
    const row = findSeries(uid);
    if (!row) throw appError("not-found", "This series is no longer in the archive.");
    return seriesOf(row);
  }

  function instance(uid: InstanceUid): InstanceRow {
    const row = findInstance(uid);
    if (!row) throw appError("not-found", "This image is no longer in the archive.");
    return row;
  }

  function summary({ sopInstanceUid, frame }: FrameRef): FrameSummary {
    const row = instance(sopInstanceUid);
    if (frame > row.numberOfFrames) {
      throw appError("frame-not-found", `This image has ${row.numberOfFrames} frames.`);
    }
    const [study, ofSeries] = [findStudy(row.studyInstanceUid), findSeries(row.seriesInstanceUid)];
    if (!study || !ofSeries) throw appError("not-found", "This image is no longer in the archive.");
    return {
      studyInstanceUid: row.studyInstanceUid,
      seriesInstanceUid: row.seriesInstanceUid,
      sopInstanceUid,
      frame,
      frameCount: row.numberOfFrames,
      patientName: study.patientName,
      patientId: study.patientId,
      studyDate: study.studyDate,
      studyDescription: study.studyDescription,
      seriesDescription: ofSeries.seriesDescription,
      seriesNumber: ofSeries.seriesNumber,
      instanceNumber: row.instanceNumber,
      laterality: row.laterality,
      phantom: study.phantom,
      facts: row.facts,
    };
  }

  function locate(uid: string): Located {
    if (findStudy(uid as StudyUid)) return { type: "study", series: series(uid as StudyUid) };
    const ofSeries = findSeries(uid as SeriesUid);
    if (ofSeries) return { type: "series", series: seriesOf(ofSeries) };
    const row = findInstance(uid as InstanceUid);
    if (!row) throw appError("not-found", "The archive has no study, series or image with this UID.");
    return { type: "instance", series: oneSeries(row.seriesInstanceUid), sopInstanceUid: row.sopInstanceUid };
  }

  return {
    studies: (search) =>
      allStudies()
        .filter((study) => matchesSearch(study, search))
        .map(withoutSize),
    series,
    oneSeries,
    instance,
    findInstance,
    findStudy,
    findSeries,
    summary,
    locate,
    refresh: () => (known = null),
  };
}

function withoutSize(row: StudyRow): Study {
  const { bytes, ...study } = row;
  void bytes;
  return study;
}

function inDisplayOrder(rows: readonly InstanceRow[]): Instance[] {
  const slices = rows.map(({ position, orientation, instanceNumber, sopInstanceUid, concatenation }) => ({
    placement: { position, orientation },
    instanceNumber,
    sopInstanceUid,
    concatenation: concatenation ?? null,
  }));
  return sliceOrder(slices).map((index) => {
    const row = rows[index]!;
    return {
      sopInstanceUid: row.sopInstanceUid,
      sopClassUid: row.sopClassUid,
      instanceNumber: row.instanceNumber,
      numberOfFrames: row.numberOfFrames,
      rows: row.rows,
      columns: row.columns,
      hasPixels: row.hasPixels,
    };
  });
}

function bySeriesNumber(a: SeriesRow, b: SeriesRow): number {
  const [first, second] = [a.seriesNumber ?? Infinity, b.seriesNumber ?? Infinity];
  if (first !== second) return first - second;
  return a.seriesInstanceUid < b.seriesInstanceUid ? -1 : 1;
}

function newestFirst(a: Study, b: Study): number {
  const [first, second] = [a.studyDate + a.studyTime, b.studyDate + b.studyTime];
  if (first !== second) return first < second ? 1 : -1;
  return a.studyInstanceUid < b.studyInstanceUid ? -1 : 1;
}
