/** Names of the decoders of dcmjs-codecs. */
export type Codec = "rle" | "jpeg" | "jpeg-ls" | "jpeg-2000" | "htj2k" | "jpeg-xl";

/** One codestream whose shape is known: rows, columns and samples were read from it and agree with the header. */
export interface DecodeJob {
  readonly codec: Codec;
  readonly octets: Uint8Array;
  readonly rows: number;
  readonly columns: number;
  readonly samples: 1 | 3;
  /** Bits of a sample in the codestream, 1 to 32; more than 16 for RLE alone. */
  readonly precision: number;
}

/** What a worker sends back; `failure` is for the log. */
export type DecodeAnswer =
  | { readonly type: "decoded"; readonly octets: Uint8Array }
  | { readonly type: "failed"; readonly failure: string };

/** Octets of one decoded sample. */
export function sampleWidth(precision: number): 1 | 2 | 4 {
  if (precision <= 8) return 1;
  return precision <= 16 ? 2 : 4;
}

/** Octets of the decoded frame. */
export function decodedLength(job: DecodeJob): number {
  return job.rows * job.columns * job.samples * sampleWidth(job.precision);
}
