import type { FramePosition } from "./frame.ts";
import type { Turn } from "./view.ts";

/** Letters at the four edges of an image as it is shown; empty text where the header does not say. */
export interface EdgeLetters {
  readonly left: string;
  readonly right: string;
  readonly top: string;
  readonly bottom: string;
}

type Vector = readonly [number, number, number];

const opposite: Readonly<Record<string, string>> = { L: "R", R: "L", A: "P", P: "A", H: "F", F: "H" };
const noLetters: EdgeLetters = { left: "", right: "", top: "", bottom: "" };

/**
 * Orientation letters from Image Orientation (Patient) (PS3.3 C.7.6.2.1.1), else Patient Orientation
 * (C.7.6.1.1.1), after the viewport's flip (left-right) and then its clockwise turn.
 */
export function edgeLetters(placement: FramePosition, turn: Turn): EdgeLetters {
  const directions = directionLetters(placement);
  if (!directions) return noLetters;
  const [right, bottom] = directions;
  let letters: EdgeLetters = {
    left: oppositeLetters(right),
    right,
    top: oppositeLetters(bottom),
    bottom,
  };
  if (turn.flip) letters = { ...letters, left: letters.right, right: letters.left };
  for (let quarter = 0; quarter < turn.rotate / 90; quarter += 1) {
    letters = { left: letters.bottom, top: letters.left, right: letters.top, bottom: letters.right };
  }
  return letters;
}

/** Letters of a direction in the patient frame (x to the left, y to the back, z to the head), largest part first. */
export function directionName(direction: Vector): string {
  const parts: { letter: string; size: number }[] = [
    { letter: direction[0] > 0 ? "L" : "R", size: Math.abs(direction[0]) },
    { letter: direction[1] > 0 ? "P" : "A", size: Math.abs(direction[1]) },
    { letter: direction[2] > 0 ? "H" : "F", size: Math.abs(direction[2]) },
  ];
  // Below about 1 degree an axis adds no letter: scanners write 1e-10 for "exactly axial".
  return parts
    .filter((part) => part.size > 0.02)
    .toSorted((a, b) => b.size - a.size)
    .map((part) => part.letter)
    .join("");
}

/** "L" to "R", "AL" to "PR"; letters that are none of the six stay out. */
export function oppositeLetters(letters: string): string {
  return [...letters].map((letter) => opposite[letter] ?? "").join("");
}

function directionLetters(placement: FramePosition): readonly [string, string] | null {
  if (placement.orientation) {
    const [rx, ry, rz, cx, cy, cz] = placement.orientation;
    return [directionName([rx, ry, rz]), directionName([cx, cy, cz])];
  }
  if (!placement.patientOrientation) return null;
  const [row, column] = placement.patientOrientation;
  return [plainLetters(row), plainLetters(column)];
}

/** Only the six letters; quadruped codes (LE, RT, CR and so on) have other meanings and are left out. */
function plainLetters(text: string): string {
  const letters = text.trim().toUpperCase();
  return /^[LRAPHF]{1,3}$/.test(letters) ? letters : "";
}
