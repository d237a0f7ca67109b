/** IEEE 754 half precision and bfloat16 to float32, and back to half with rounding to nearest even. */

let halfTable: Float32Array | undefined;

function buildHalfTable(): Float32Array {
  const table = new Float32Array(65536);
  for (let bits = 0; bits < 65536; bits++) {
    const sign = bits & 0x8000 ? -1 : 1;
    const exponent = (bits >> 10) & 0x1f;
    const fraction = bits & 0x3ff;
    if (exponent === 0) table[bits] = sign * fraction * 2 ** -24;
    else if (exponent === 31) table[bits] = fraction === 0 ? sign * Infinity : NaN;
    else table[bits] = sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
  }
  return table;
}

export function halfToFloatTable(): Float32Array {
  halfTable ??= buildHalfTable();
  return halfTable;
}

const floatView = new Float32Array(1);
const bitsView = new Uint32Array(floatView.buffer);

export function bfloat16ToFloat(bits: number): number {
  bitsView[0] = (bits << 16) >>> 0;
  return floatView[0] as number;
}

/** Bits of the nearest half-precision number, ties to even; beyond 65504 the result is infinite. */
export function floatToHalf(value: number): number {
  floatView[0] = value;
  const bits = bitsView[0] as number;
  const sign = (bits >>> 16) & 0x8000;
  const exponent = (bits >>> 23) & 0xff;
  const fraction = bits & 0x7fffff;
  if (exponent === 0xff) return sign | (fraction === 0 ? 0x7c00 : 0x7e00);
  const unbiased = exponent - 127;
  if (unbiased > 15) return sign | 0x7c00;
  if (unbiased < -25) return sign;
  // Normal halves drop 13 bits of the 24-bit significand; subnormal ones drop more.
  const significand = fraction | 0x800000;
  const shift = unbiased >= -14 ? 13 : -unbiased - 1;
  const base = unbiased >= -14 ? (unbiased + 14) << 10 : 0;
  const kept = significand >>> shift;
  const rest = significand & ((1 << shift) - 1);
  const halfway = 1 << (shift - 1);
  const up = rest > halfway || (rest === halfway && (kept & 1) === 1) ? 1 : 0;
  // A carry out of the significand moves into the exponent by itself, up to infinity.
  return sign | (base + kept + up);
}
