import type { FramePosition } from "../../core/frame.ts";

/**
 * Where a slice lies along its normal, mm (PS3.3 C.7.6.2.1.1): grows to the left, to the back and to the head, as
 * the patient frame does. Null for projections and where the header does not say.
 */
export function slicePosition({ orientation, position }: FramePosition): number | null {
  if (!orientation || !position) return null;
  const [ax, ay, az, bx, by, bz] = orientation;
  const normal = [ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx] as const;
  const along = normal[0] * position[0] + normal[1] * position[1] + normal[2] * position[2];
  return Number.isFinite(along) ? along : null;
}
