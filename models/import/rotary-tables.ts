import type { DecoderConfig } from "./decoder-config.ts";
import { int, type GraphBuilder } from "./graph-builder.ts";
import { rotaryAmplitude, rotaryFrequencies, type RotaryConfig } from "./rotary.ts";

/** cos and sin of position × frequency, [contextLength, rotary width ÷ 2] each. */
export interface RotaryTable {
  readonly cos: string;
  readonly sin: string;
}

/** One table for the layers that see everything, one for those that see a window. */
export interface RotaryTables {
  readonly all: RotaryTable;
  readonly window: RotaryTable;
}

/** The tables are computed by constant nodes, so that the pack does not carry megabytes of a formula. */
export function rotaryTables(builder: GraphBuilder, config: DecoderConfig): RotaryTables {
  const all = rotaryTable(builder, config.rotary, { name: "rotary", context: config.contextLength });
  if (config.localRotary === null) return { all, window: all };
  const place = { name: "rotary_window", context: config.contextLength };
  return { all, window: rotaryTable(builder, config.localRotary, place) };
}

function rotaryTable(
  builder: GraphBuilder,
  rotary: RotaryConfig,
  { name, context }: { readonly name: string; readonly context: number },
): RotaryTable {
  const scalar = (part: string, value: number) =>
    builder.constant({ name: `${name}/${part}`, type: "int64", shape: [] }, BigInt64Array.of(BigInt(value)));
  const positions = builder.node({
    name: `${name}/positions`,
    op: "Range",
    inputs: [scalar("start", 0), scalar("limit", context), scalar("step", 1)],
  });
  const numbers = builder.node({
    name: `${name}/numbers`,
    op: "Cast",
    inputs: [positions],
    attributes: { to: int(1) },
  });
  const column = builder.node({
    name: `${name}/column`,
    op: "Reshape",
    inputs: [
      numbers,
      builder.constant({ name: `${name}/shape`, type: "int64", shape: [2] }, BigInt64Array.of(-1n, 1n)),
    ],
  });
  const angles = builder.node({
    name: `${name}/angles`,
    op: "Mul",
    inputs: [
      column,
      builder.constant(
        { name: `${name}/frequencies`, type: "float32", shape: [1, rotary.width / 2] },
        rotaryFrequencies(rotary),
      ),
    ],
  });
  const table = (part: "cos" | "sin", op: string): string => {
    const amplitude = rotaryAmplitude(rotary);
    if (amplitude === 1) return builder.node({ name: `${name}/${part}`, op, inputs: [angles] });
    const plain = builder.node({ name: `${name}/${part}_plain`, op, inputs: [angles] });
    const factor = builder.constant(
      { name: `${name}/amplitude`, type: "float32", shape: [] },
      Float32Array.of(amplitude),
    );
    return builder.node({ name: `${name}/${part}`, op: "Mul", inputs: [plain, factor] });
  };
  return { cos: table("cos", "Cos"), sin: table("sin", "Sin") };
}
