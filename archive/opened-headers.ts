import { throwIfAborted } from "../core/errors.ts";
import type { InstanceUid } from "../core/study.ts";
import { type DicomHeader, parseHeader } from "./dicom/parse-header.ts";
import type { ArchiveStore } from "./store/archive-store.ts";
import type { ObjectId } from "./store/objects.ts";

/** Headers of the images read last: scrolling through the frames of one file must not parse it for each. */
export interface OpenedHeaders {
  /** @throws not-found, archive-damaged */
  of(instance: InstanceUid, signal: AbortSignal): Promise<DicomHeader>;
  /** @throws archive-damaged */
  ofObject(object: ObjectId, signal: AbortSignal): Promise<DicomHeader>;
  /** Nothing of a study that is deleted stays in memory. */
  forget(): void;
}

const kept = 24;

export function createOpenedHeaders({ catalog, objects }: ArchiveStore): OpenedHeaders {
  const headers = new Map<string, DicomHeader>();
  async function ofObject(object: ObjectId, signal: AbortSignal): Promise<DicomHeader> {
    throwIfAborted(signal);
    const header = headers.get(object) ?? (await parseHeader(await objects.open(object), signal));
    headers.delete(object);
    headers.set(object, header);
    if (headers.size > kept) headers.delete(headers.keys().next().value!);
    return header;
  }

  return {
    // By object, not by UID: a study that was deleted and imported again has other octets.
    of: async (instance, signal) => ofObject(catalog.instance(instance).object, signal),
    ofObject,
    forget: () => headers.clear(),
  };
}
