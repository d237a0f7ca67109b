import { appError } from "../../core/errors.ts";
import type { TensorInfo, TensorSource } from "./tensor-source.ts";

/** Where a tensor comes from, and what it is called there. */
export interface TensorPlace {
  readonly source: Pick<TensorSource, "readRows">;
  readonly info: TensorInfo;
}

/** Tensors of other sources under names of their own. */
export function placedTensors(
  places: ReadonlyMap<string, TensorPlace>,
  close: () => Promise<void>,
): TensorSource {
  return {
    tensors: new Map([...places].map(([name, { info }]) => [name, { ...info, name }])),
    async readRows(name, rows) {
      const place = places.get(name);
      if (place === undefined)
        throw appError("model-file-damaged", `The model file lacks the tensor ${name}.`);
      return place.source.readRows(place.info.name, rows);
    },
    close,
  };
}

/** The tensors for which `rename` gives a name, under it; the others are not there. */
export function renamedTensors(source: TensorSource, rename: (name: string) => string | null): TensorSource {
  const places = new Map<string, TensorPlace>();
  for (const [name, info] of source.tensors) {
    const other = rename(name);
    if (other === null) continue;
    if (places.has(other))
      throw appError("model-file-damaged", `Two tensors of the model stand for ${other}.`);
    places.set(other, { source, info });
  }
  return placedTensors(places, () => source.close());
}
