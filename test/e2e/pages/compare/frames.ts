import type { PixelFrame, StoredValues } from "../../../../core/frame.ts";
import type { Presentation } from "../../../../renderer/viewport/presentation.ts";
import { frameOf as sampleFrame } from "../../../fixtures/sample-frame.ts";

export interface CompareCase {
  readonly name: string;
  readonly frames: readonly { readonly frame: PixelFrame; readonly presentation: Presentation }[];
}

const columns = 96;
const rows = 64;
const plain: Presentation = { voi: null, invert: false };

function frameOf(values: StoredValues, part: Partial<PixelFrame>): PixelFrame {
  return sampleFrame(values, { rows, columns, ...part });
}

/** A ramp over `low` to `high` with no two neighbouring rows alike, so that a shift or a flip is seen. */
function ramp<Values extends StoredValues>(into: Values, low: number, high: number): Values {
  for (let y = 0; y < rows; y += 1) {
    for (let x = 0; x < columns; x += 1) {
      const part = ((x * 7 + y * 131) % (rows * columns)) / (rows * columns - 1);
      into[y * columns + x] = Math.round(low + part * (high - low));
    }
  }
  return into;
}

const size = rows * columns;
const linear = (center: number, width: number) => [
  { center, width, function: "LINEAR" as const, explanation: "" },
];
const rescale = (slope: number, intercept: number) =>
  ({ type: "rescale", slope, intercept, unit: "HU" }) as const;
const one = (name: string, frame: PixelFrame, presentation = plain): CompareCase => ({
  name,
  frames: [{ frame, presentation }],
});

function colour(): PixelFrame {
  const values = new Uint8Array(size * 3);
  for (let i = 0; i < size; i += 1) values.set([(i * 3) % 256, (i * 5) % 256, (i * 11) % 256], i * 3);
  return frameOf(values, { samplesPerPixel: 3, photometric: "RGB", bitsAllocated: 8, bitsStored: 8 });
}

function palette(): PixelFrame {
  const entries = Array.from({ length: 256 }, (_, index) => index);
  return frameOf(ramp(new Uint8Array(size), 0, 255), {
    photometric: "PALETTE COLOR",
    palette: {
      firstMapped: 0,
      red: Uint8Array.from(entries),
      green: Uint8Array.from(entries, (entry) => 255 - entry),
      blue: Uint8Array.from(entries, (entry) => (entry * 37) % 256),
    },
  });
}

const ct = (part: Partial<PixelFrame> = {}) =>
  frameOf(ramp(new Int16Array(size), -1100, 2100), { voiWindows: linear(40, 400), ...part });

const curve = Array.from({ length: 4096 }, (_, index) => Math.round(65535 * Math.sqrt(index / 4095)));

export const compareCases: readonly CompareCase[] = [
  one("8 bit", frameOf(ramp(new Uint8Array(size), 0, 255), { voiWindows: linear(128, 256) })),
  one("12 bit unsigned", frameOf(ramp(new Uint16Array(size), 0, 4095), { voiWindows: linear(2048, 4096) })),
  one(
    "16 bit unsigned, narrow window high up",
    frameOf(ramp(new Uint16Array(size), 60000, 65535), { voiWindows: linear(63000, 300) }),
  ),
  one("signed", ct()),
  one("signed, rescaled", ct({ modalityTransform: rescale(1, -24) })),
  one("rescaled with a fraction", ct({ modalityTransform: rescale(0.37, -500) })),
  one("falling rescale", ct({ modalityTransform: rescale(-1, 1000) })),
  one("MONOCHROME1", ct({ photometric: "MONOCHROME1" })),
  one("MONOCHROME1, inverted by the user", ct({ photometric: "MONOCHROME1" }), { voi: null, invert: true }),
  one("presentation inverse", ct({ presentationInverse: true })),
  one("LINEAR_EXACT", ct(), {
    voi: { kind: "window", center: 0, width: 77, function: "LINEAR_EXACT" },
    invert: false,
  }),
  one("sigmoid", ct(), {
    voi: { kind: "window", center: 40, width: 400, function: "SIGMOID" },
    invert: false,
  }),
  one("window of width 1", ct(), {
    voi: { kind: "window", center: 40, width: 1, function: "LINEAR" },
    invert: false,
  }),
  one(
    "VOI LUT",
    frameOf(ramp(new Uint16Array(size), 0, 4095), {
      voiTables: [{ table: { firstMapped: 0, bits: 16, values: curve }, explanation: "" }],
    }),
  ),
  one(
    "modality LUT",
    frameOf(ramp(new Uint16Array(size), 0, 4095), {
      modalityTransform: { type: "table", table: { firstMapped: 0, bits: 16, values: curve }, unit: "OD" },
      voiWindows: linear(32768, 65536),
    }),
  ),
  one("padding", ct({ padding: { low: -1100, high: -900 }, photometric: "MONOCHROME1" })),
  one("percentile default", frameOf(ramp(new Uint16Array(size), 100, 900), {})),
  one("float", frameOf(ramp(new Float32Array(size), -3, 9), { voiWindows: linear(3, 6) })),
  one("RGB", colour()),
  one("RGB, inverted", colour(), { voi: null, invert: true }),
  one("palette", palette()),
  {
    name: "per-frame rescale",
    frames: [
      { frame: ct({ modalityTransform: rescale(1, 0) }), presentation: plain },
      { frame: ct({ modalityTransform: rescale(2, -300) }), presentation: plain },
      { frame: ct({ modalityTransform: rescale(0.5, 77) }), presentation: plain },
    ],
  },
  {
    name: "grey, colour and back",
    frames: [
      { frame: ct(), presentation: plain },
      { frame: colour(), presentation: plain },
      {
        frame: frameOf(ramp(new Uint8Array(size), 0, 255), { voiWindows: linear(128, 256) }),
        presentation: plain,
      },
    ],
  },
  {
    name: "window moved on one frame",
    frames: (() => {
      const frame = ct({ photometric: "MONOCHROME1" });
      const voi = (center: number, width: number) =>
        ({ kind: "window", center, width, function: "LINEAR" }) as const;
      return [
        { frame, presentation: plain },
        { frame, presentation: { voi: voi(300, 90), invert: false } },
        { frame, presentation: { voi: voi(300, 90), invert: true } },
        { frame, presentation: { voi: { ...voi(-20, 900), function: "SIGMOID" as const }, invert: true } },
        { frame, presentation: { voi: voi(-20, 900), invert: false } },
      ];
    })(),
  },
];

/** A series that begins with a blank frame, as the ends of many do; a viewport is to be new for each. */
export const blankFirstCases: readonly CompareCase[] = [
  [
    "8 bit",
    new Uint8Array(size),
    frameOf(ramp(new Uint8Array(size), 0, 255), { voiWindows: linear(128, 256) }),
  ],
  ["signed", new Int16Array(size).fill(-1024), ct()],
  ["MONOCHROME1", new Int16Array(size), ct({ photometric: "MONOCHROME1" })],
  ["unsigned", new Uint16Array(size).fill(7), frameOf(ramp(new Uint16Array(size), 100, 900), {})],
  ["padding", new Int16Array(size).fill(-1000), ct({ padding: { low: -1100, high: -900 } })],
  ["RGB", new Uint8Array(size * 3).fill(9), colour()],
].map(([name, blank, frame]) => ({
  name: `${name as string}, blank first`,
  frames: [
    { frame: { ...(frame as PixelFrame), values: blank as StoredValues }, presentation: plain },
    { frame: frame as PixelFrame, presentation: plain },
  ],
}));
