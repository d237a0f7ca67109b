import { appError } from "../../core/errors.ts";
import type { TensorInfo, TensorSource } from "./tensor-source.ts";

/** The tensors for which `rename` gives a name, under it; the others are not there. */
export function renamedTensors(source: TensorSource, rename: (name: string) => string | null): TensorSource {
  const tensors = new Map<string, TensorInfo>();
  const sources = new Map<string, string>();
  for (const [name, info] of source.tensors) {
    const other = rename(name);
    if (other === null) continue;
    if (tensors.has(other))
      throw appError("model-file-damaged", `Two tensors of the model stand for ${other}.`);
    tensors.set(other, { ...info, name: other });
    sources.set(other, name);
  }
  return {
    tensors,
    async readRows(name, rows) {
      const from = sources.get(name);
      if (from === undefined)
        throw appError("model-file-damaged", `The model file lacks the tensor ${name}.`);
      return source.readRows(from, rows);
    },
    close: () => source.close(),
  };
}
