import { createRequire } from "node:module";
import { parentPort } from "node:worker_threads";
import { type DecodeAnswer, type DecodeJob, decodedLength, sampleWidth } from "./decode-job.ts";

/**
 * The thread in which codestreams from outside are decoded: one at a time, by dcmjs-codecs (CharLS, OpenJPEG, OpenJPH,
 * libjpeg and libjxl as WebAssembly). Whoever started it ends it when a codestream takes too long.
 */

// A CommonJS bundle, whose names an import statement does not see.
const { Context, NativeCodecs, log } = createRequire(import.meta.url)(
  "dcmjs-codecs",
) as typeof import("dcmjs-codecs");
// It would write to the console what it finds in damaged files.
log.setLevel("silent");

const decoders = {
  rle: "decodeRle",
  jpeg: "decodeJpeg",
  "jpeg-ls": "decodeJpegLs",
  "jpeg-2000": "decodeJpeg2000",
  htj2k: "decodeHtJpeg2000",
  "jpeg-xl": "decodeJpegXl",
} as const;

/** WebAssembly memory never shrinks; an instance that has grown beyond this is given up after its frame. */
const mostMemory = 1 << 29;

/** A codec that fails may leave its memory in disorder, so each failure ends the instance. */
async function decode(job: DecodeJob): Promise<DecodeAnswer> {
  try {
    if (!NativeCodecs.isInitialized()) await NativeCodecs.initializeAsync();
    const context = NativeCodecs[decoders[job.codec]](
      new Context({
        width: job.columns,
        height: job.rows,
        bitsAllocated: sampleWidth(job.precision) * 8,
        bitsStored: job.precision,
        samplesPerPixel: job.samples,
        pixelRepresentation: 0,
        planarConfiguration: 0,
        photometricInterpretation: job.samples === 3 ? "RGB" : "MONOCHROME2",
        encodedBuffer: job.octets,
      }),
      // Samples as they are coded: what their colours and signs mean is for the DICOM header to say.
      { convertColorspaceToRgb: false },
    );
    const octets = context.getDecodedBuffer();
    const whole = context.getWidth() === job.columns && context.getHeight() === job.rows;
    if (!octets || !whole || octets.length !== decodedLength(job)) throw new Error("another size");
    if (octets.length > mostMemory / 4) NativeCodecs.release();
    return { type: "decoded", octets };
  } catch (thrown) {
    NativeCodecs.release();
    return { type: "failed", failure: String(thrown) };
  }
}

parentPort?.on("message", (job: DecodeJob) => {
  void decode(job).then((answer) => {
    const transfer = answer.type === "decoded" ? [answer.octets.buffer as ArrayBuffer] : [];
    parentPort?.postMessage(answer, transfer);
  });
});
