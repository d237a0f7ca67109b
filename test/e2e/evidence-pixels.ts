import { expect, type Page } from "@playwright/test";

interface Box {
  readonly left: number;
  readonly right: number;
  readonly top: number;
  readonly bottom: number;
}

/** What lies on the stage, in px of it; the mark is found in the picture itself, where it is the brightest. */
interface Drawn {
  readonly mark: Box;
  readonly boxes: readonly Box[];
  /** Mean alpha of the tint, 0..255: within the mark, and beyond its half again on every side. */
  readonly inside: number;
  readonly outside: number;
}

/**
 * The evidence lies on the mark: the strongest box is centred on it and shares at least a quarter with it (GRD-13 boxes
 * whole cells), as the unit tests of the search have it; the tint is inside and not clearly outside.
 */
export async function expectEvidenceOnMark(
  page: Page,
  kind: "evidence" | "candidate" = "evidence",
): Promise<void> {
  await expect(page.getByTestId(`${kind}-region`).first()).toBeVisible();
  // Polled, because a camera that has just moved is drawn in the next animation frame.
  await expect
    .poll(async () => judged(await readDrawn(page, `${kind}-region`)), { timeout: 10_000 })
    .toEqual({ overlaps: true, centred: true, tinted: true, clear: true });
}

function judged({ mark, boxes, inside, outside }: Drawn) {
  const [box] = boxes;
  const center = box && middle(box);
  const aim = middle(mark);
  return {
    overlaps: box !== undefined && overlap(box, mark) >= 0.25,
    centred:
      center !== undefined &&
      Math.abs(center.x - aim.x) <= (mark.right - mark.left) / 2 &&
      Math.abs(center.y - aim.y) <= (mark.bottom - mark.top) / 2,
    tinted: inside > 25,
    clear: outside < inside / 10,
  };
}

function middle({ left, right, top, bottom }: Box) {
  return { x: (left + right) / 2, y: (top + bottom) / 2 };
}

/** Intersection over union. */
function overlap(a: Box, b: Box): number {
  const area = (box: Box) => Math.max(0, box.right - box.left) * Math.max(0, box.bottom - box.top);
  const shared = {
    left: Math.max(a.left, b.left),
    right: Math.min(a.right, b.right),
    top: Math.max(a.top, b.top),
    bottom: Math.min(a.bottom, b.bottom),
  };
  const both = shared.right > shared.left && shared.bottom > shared.top ? area(shared) : 0;
  return both / (area(a) + area(b) - both);
}

async function readDrawn(page: Page, testId: string): Promise<Drawn> {
  return await page.getByTestId("stage").evaluate((stage, id) => {
    const picture = stage.querySelector<HTMLCanvasElement>(".stage-picture canvas")!;
    const tint = stage.querySelector<HTMLCanvasElement>(".stage-evidence")!;
    const { width, height } = tint;
    // Both canvases at the tint's size, so that a pixel of one is a pixel of the other.
    const pixels = (canvas: HTMLCanvasElement) => {
      const copy = document.createElement("canvas");
      Object.assign(copy, { width, height });
      const context = copy.getContext("2d")!;
      context.drawImage(canvas, 0, 0, width, height);
      return context.getImageData(0, 0, width, height).data;
    };
    const shown = pixels(picture);
    const drawn = pixels(tint);
    const xs: number[] = [];
    const ys: number[] = [];
    for (let at = 0; at < shown.length; at += 4) {
      if (shown[at]! <= 150) continue;
      xs.push((at / 4) % width);
      ys.push(Math.floor(at / 4 / width));
    }
    const part = (values: number[], share: number) =>
      values.toSorted((a, b) => a - b)[Math.floor(values.length * share)]!;
    // Grain makes single pixels bright elsewhere; the mark holds all but a few.
    const mark = { left: part(xs, 0.01), right: part(xs, 0.99), top: part(ys, 0.01), bottom: part(ys, 0.99) };
    const sideways = (mark.right - mark.left) / 2;
    const upwards = (mark.bottom - mark.top) / 2;
    const within = (x: number, y: number, room: number) =>
      x >= mark.left - sideways * room &&
      x <= mark.right + sideways * room &&
      y >= mark.top - upwards * room &&
      y <= mark.bottom + upwards * room;
    const sums = { inside: 0, insideCount: 0, outside: 0, outsideCount: 0 };
    for (let at = 0; at < drawn.length; at += 4) {
      const x = (at / 4) % width;
      const y = Math.floor(at / 4 / width);
      if (within(x, y, 0)) {
        sums.inside += drawn[at + 3]!;
        sums.insideCount += 1;
      } else if (!within(x, y, 1)) {
        sums.outside += drawn[at + 3]!;
        sums.outsideCount += 1;
      }
    }
    const origin = stage.getBoundingClientRect();
    const boxes = [...stage.querySelectorAll(`[data-testid="${id}"]`)].map((element) => {
      const { left, right, top, bottom } = element.getBoundingClientRect();
      const scale = width / origin.width;
      return {
        left: (left - origin.left) * scale,
        right: (right - origin.left) * scale,
        top: (top - origin.top) * scale,
        bottom: (bottom - origin.top) * scale,
      };
    });
    return {
      mark,
      boxes,
      inside: sums.inside / Math.max(1, sums.insideCount),
      outside: sums.outside / Math.max(1, sums.outsideCount),
    };
  }, testId);
}
