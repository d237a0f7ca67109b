import { throwIfAborted } from "../core/errors.ts";
import type { InstanceUid } from "../core/study.ts";
import { type DicomHeader, parseHeader } from "./dicom/parse-header.ts";
import type { ArchiveStore } from "./store/archive-store.ts";

/** Headers of the images read last: scrolling through the frames of one file must not parse it for each. */
export interface OpenedHeaders {
  /** @throws not-found, archive-damaged */
  of(instance: InstanceUid, signal: AbortSignal): Promise<DicomHeader>;
}

const kept = 24;

export function createOpenedHeaders({ catalog, objects }: ArchiveStore): OpenedHeaders {
  const headers = new Map<string, DicomHeader>();
  return {
    async of(instance, signal) {
      throwIfAborted(signal);
      // By object, not by UID: a study that was deleted and imported again has other octets.
      const { object } = catalog.instance(instance);
      const header = headers.get(object) ?? (await parseHeader(await objects.open(object), signal));
      headers.delete(object);
      headers.set(object, header);
      if (headers.size > kept) headers.delete(headers.keys().next().value!);
      return header;
    },
  };
}
