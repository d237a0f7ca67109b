import { appError } from "../../core/errors.ts";
import type { TensorSource } from "./tensor-source.ts";

/** Tensors that stand in checkpoints and belong to no computation: rotary frequencies, which the settings give. */
const withoutUse = /(?:rotary_emb\.inv_freq|\.act_fn\.(?:eps|beta)|\.position_ids)$/;

/** The same tensors, and the names of those that were read. */
export function trackUse(source: TensorSource): { tensors: TensorSource; used: ReadonlySet<string> } {
  const used = new Set<string>();
  const tensors: TensorSource = {
    ...source,
    readRows(name, rows) {
      used.add(name);
      return source.readRows(name, rows);
    },
  };
  return { tensors, used };
}

/**
 * A tensor that nothing read means that the model computes something that the import does not: it would answer
 * fluently and wrongly. @throws architecture-not-supported
 */
export function refuseUnusedTensors(
  { tensors }: TensorSource,
  used: ReadonlySet<string>,
  known: readonly string[],
): void {
  const left = [...tensors.keys()].find(
    (name) => !used.has(name) && !known.includes(name) && !withoutUse.test(name),
  );
  if (left === undefined) return;
  throw appError(
    "architecture-not-supported",
    `The checkpoint has a tensor that its architecture does not use: ${left.slice(0, 200)}. It is a variant that ` +
      "cannot be imported.",
  );
}
