import { create, toBinary } from "@bufbuild/protobuf";
import {
  AttributeProtoSchema,
  AttributeProto_AttributeType as AttributeType,
  ModelProtoSchema,
  NodeProtoSchema,
  TensorProtoSchema,
  TensorProto_DataLocation as DataLocation,
  TensorProto_DataType as DataType,
  ValueInfoProtoSchema,
  type AttributeProto,
  type ModelProto,
  type NodeProto,
  type TensorProto,
  type ValueInfoProto,
} from "../onnx/onnx-proto.ts";

/** Where an initializer's bytes lie: a plain file name beside the graph, and bytes in it. */
export interface ExternalData {
  readonly location: string;
  readonly offset: number;
  readonly length: number;
}

export const elementTypes = {
  float32: DataType.FLOAT,
  float16: DataType.FLOAT16,
  uint8: DataType.UINT8,
  int32: DataType.INT32,
  int64: DataType.INT64,
} as const;
export type ElementType = keyof typeof elementTypes;

/** A number is a fixed dimension, a string a named one. */
export type Dimension = number | string;

export type AttributeValue =
  | { readonly type: "int"; readonly value: number }
  | { readonly type: "ints"; readonly value: readonly number[] }
  | { readonly type: "float"; readonly value: number }
  | { readonly type: "string"; readonly value: string };

export function int(value: number): AttributeValue {
  return { type: "int", value };
}

export function ints(value: readonly number[]): AttributeValue {
  return { type: "ints", value };
}

export function float(value: number): AttributeValue {
  return { type: "float", value };
}

export function text(value: string): AttributeValue {
  return { type: "string", value };
}

export interface NodeSpec {
  /** Unique in the graph; the outputs are named after it. */
  readonly name: string;
  readonly op: string;
  /** An empty name leaves an optional input out. */
  readonly inputs: readonly string[];
  /** Names of the outputs; by default one, named as the node. An empty name leaves one out. */
  readonly outputs?: readonly string[];
  readonly attributes?: Readonly<Record<string, AttributeValue>>;
}

export interface TensorSpec {
  readonly name: string;
  readonly type: ElementType;
  readonly shape: readonly number[];
}

/** Operators of ONNX Runtime rather than of ONNX (docs/ContribOperators.md). */
const contribOperators: ReadonlySet<string> = new Set([
  "GroupQueryAttention",
  "MatMulNBits",
  "MultiHeadAttention",
  "QuickGelu",
  "SkipSimplifiedLayerNormalization",
]);

export const opset = { onnx: 21, contrib: 1, irVersion: 10 } as const;

/** Collects nodes and tensors of one graph; nodes must be added in an order in which their inputs exist. */
export class GraphBuilder {
  readonly #name: string;
  readonly #nodes: NodeProto[] = [];
  readonly #tensors = new Map<string, TensorProto>();
  readonly #inputs: ValueInfoProto[] = [];
  readonly #outputs: ValueInfoProto[] = [];

  constructor(name: string) {
    this.#name = name;
  }

  input(name: string, type: ElementType, shape: readonly Dimension[]): string {
    this.#inputs.push(valueInfo(name, type, shape));
    return name;
  }

  output(name: string, type: ElementType, shape: readonly Dimension[]): void {
    this.#outputs.push(valueInfo(name, type, shape));
  }

  /** Adds a node and returns the name of its first output. */
  node(spec: NodeSpec): string {
    this.#nodes.push(nodeProto(spec));
    return spec.outputs?.[0] ?? spec.name;
  }

  /** `input` as another element type. */
  cast(name: string, input: string, to: DataType): string {
    return this.node({ name, op: "Cast", inputs: [input], attributes: { to: int(to) } });
  }

  /** 0 keeps a dimension as it is, -1 takes what is left. */
  reshape(name: string, input: string, shape: readonly number[]): string {
    const spec = { name: `shape/${shape.join("x")}`, type: "int64", shape: [shape.length] } as const;
    const to = this.constant(spec, BigInt64Array.from(shape, BigInt));
    return this.node({ name, op: "Reshape", inputs: [input, to] });
  }

  /** A small tensor that lies in the graph file itself. A second one of the same name is the same tensor. */
  constant(spec: TensorSpec, values: Float32Array | Int32Array | BigInt64Array | Uint8Array): string {
    this.#tensors.set(spec.name, inlineTensor(spec, values));
    return spec.name;
  }

  external(spec: TensorSpec, data: ExternalData): string {
    this.#tensors.set(spec.name, externalTensor(spec, data));
    return spec.name;
  }

  model(metadata: Readonly<Record<string, string>> = {}): ModelProto {
    return create(ModelProtoSchema, {
      irVersion: BigInt(opset.irVersion),
      producerName: "meditron-imaging-assistant",
      opsetImport: [
        { domain: "", version: BigInt(opset.onnx) },
        { domain: "com.microsoft", version: BigInt(opset.contrib) },
      ],
      graph: {
        name: this.#name,
        node: this.#nodes,
        initializer: [...this.#tensors.values()],
        input: this.#inputs,
        output: this.#outputs,
      },
      metadataProps: Object.entries(metadata).map(([key, value]) => ({ key, value })),
    });
  }
}

export function modelBytes(model: ModelProto): Uint8Array {
  return toBinary(ModelProtoSchema, model);
}

export function nodeProto(spec: NodeSpec): NodeProto {
  return create(NodeProtoSchema, {
    name: spec.name,
    opType: spec.op,
    domain: contribOperators.has(spec.op) ? "com.microsoft" : "",
    input: [...spec.inputs],
    output: [...(spec.outputs ?? [spec.name])],
    attribute: Object.entries(spec.attributes ?? {}).map(([name, value]) => attribute(name, value)),
  });
}

export function inlineTensor(
  spec: TensorSpec,
  values: Float32Array | Int32Array | BigInt64Array | Uint8Array,
): TensorProto {
  return create(TensorProtoSchema, {
    name: spec.name,
    dataType: elementTypes[spec.type],
    dims: spec.shape.map(BigInt),
    rawData: new Uint8Array(values.buffer, values.byteOffset, values.byteLength),
  });
}

export function externalTensor(spec: TensorSpec, data: ExternalData): TensorProto {
  return create(TensorProtoSchema, {
    name: spec.name,
    dataType: elementTypes[spec.type],
    dims: spec.shape.map(BigInt),
    dataLocation: DataLocation.EXTERNAL,
    externalData: [
      { key: "location", value: data.location },
      { key: "offset", value: String(data.offset) },
      { key: "length", value: String(data.length) },
    ],
  });
}

function attribute(name: string, { type, value }: AttributeValue): AttributeProto {
  switch (type) {
    case "int":
      return create(AttributeProtoSchema, { name, type: AttributeType.INT, i: BigInt(value) });
    case "ints":
      return create(AttributeProtoSchema, { name, type: AttributeType.INTS, ints: value.map(BigInt) });
    case "float":
      return create(AttributeProtoSchema, { name, type: AttributeType.FLOAT, f: value });
    case "string":
      return create(AttributeProtoSchema, {
        name,
        type: AttributeType.STRING,
        s: new TextEncoder().encode(value),
      });
  }
}

function valueInfo(name: string, type: ElementType, shape: readonly Dimension[]): ValueInfoProto {
  return create(ValueInfoProtoSchema, {
    name,
    type: {
      value: {
        case: "tensorType",
        value: {
          elemType: elementTypes[type],
          shape: {
            dim: shape.map((dimension) =>
              typeof dimension === "number"
                ? { value: { case: "dimValue" as const, value: BigInt(dimension) } }
                : { value: { case: "dimParam" as const, value: dimension } },
            ),
          },
        },
      },
    },
  });
}
