import type { Rectangle, Turn } from "../../core/view.ts";

/**
 * One affine map takes pixels of the stored frame (origin at the top left corner of the first pixel) to CSS px of the
 * stage. Both surfaces, the evidence overlay and the mouse use it, so that they cannot disagree.
 */

export interface Point {
  readonly x: number;
  readonly y: number;
}

export interface Size {
  readonly width: number;
  readonly height: number;
}

export interface ImageSize {
  readonly columns: number;
  readonly rows: number;
  /** Height of a pixel divided by its width. */
  readonly aspect: number;
}

export interface Camera {
  /** 1 fits the whole image into the stage. */
  readonly zoom: number;
  /** The pixel position in the middle of the stage; null: the middle of the image. */
  readonly center: Point | null;
  readonly turn: Turn;
}

/** `[a, b, c, d, e, f]` as in canvas and SVG: x' = a x + c y + e, y' = b x + d y + f. */
export type Matrix = readonly [number, number, number, number, number, number];

export const uprightTurn: Turn = { flip: false, rotate: 0 };
export const fittingCamera: Camera = { zoom: 1, center: null, turn: uprightTurn };

/** CSS px per image column at zoom 1. */
export function fitScale(stage: Size, image: ImageSize, turn: Turn): number {
  const upright = turn.rotate === 0 || turn.rotate === 180;
  const width = upright ? image.columns : image.rows * image.aspect;
  const height = upright ? image.rows * image.aspect : image.columns;
  return Math.max(1e-6, Math.min(stage.width / width, stage.height / height));
}

export function cameraScale(stage: Size, image: ImageSize, camera: Camera): number {
  return fitScale(stage, image, camera.turn) * camera.zoom;
}

export function cameraCenter(image: ImageSize, camera: Camera): Point {
  return camera.center ?? { x: image.columns / 2, y: image.rows / 2 };
}

/** First the flip (left-right), then the clockwise turn, as core/view.ts says. */
export function imageToStage(stage: Size, image: ImageSize, camera: Camera): Matrix {
  const scale = cameraScale(stage, image, camera);
  const center = cameraCenter(image, camera);
  const { cos, sin } = quarterTurn(camera.turn);
  const mirror = camera.turn.flip ? -1 : 1;
  const a = scale * cos * mirror;
  const b = scale * sin * mirror;
  const c = -scale * sin * image.aspect;
  const d = scale * cos * image.aspect;
  const e = stage.width / 2 - a * center.x - c * center.y;
  const f = stage.height / 2 - b * center.x - d * center.y;
  return [a, b, c, d, e, f];
}

export function applyMatrix([a, b, c, d, e, f]: Matrix, { x, y }: Point): Point {
  return { x: a * x + c * y + e, y: b * x + d * y + f };
}

export function invertMatrix([a, b, c, d, e, f]: Matrix): Matrix {
  const determinant = a * d - b * c;
  const ia = d / determinant;
  const ib = -b / determinant;
  const ic = -c / determinant;
  const id = a / determinant;
  return [ia, ib, ic, id, -(ia * e + ic * f), -(ib * e + id * f)];
}

/** Exact for the four turns: Math.cos(90 degrees) is not 0. */
export function quarterTurn(turn: Turn): { readonly cos: number; readonly sin: number } {
  switch (turn.rotate) {
    case 0:
      return { cos: 1, sin: 0 };
    case 90:
      return { cos: 0, sin: 1 };
    case 180:
      return { cos: -1, sin: 0 };
    case 270:
      return { cos: 0, sin: -1 };
  }
}

/** The part of the frame that the stage shows, in whole pixels; null where all of it is in view. */
export function visiblePart(stage: Size, image: ImageSize, camera: Camera): Rectangle | null {
  const back = invertMatrix(imageToStage(stage, image, camera));
  const one = applyMatrix(back, { x: 0, y: 0 });
  const other = applyMatrix(back, { x: stage.width, y: stage.height });
  const left = Math.max(0, Math.floor(Math.min(one.x, other.x)));
  const right = Math.min(image.columns, Math.ceil(Math.max(one.x, other.x)));
  const top = Math.max(0, Math.floor(Math.min(one.y, other.y)));
  const bottom = Math.min(image.rows, Math.ceil(Math.max(one.y, other.y)));
  if (left >= right || top >= bottom) return null;
  if (left === 0 && top === 0 && right === image.columns && bottom === image.rows) return null;
  return { x: left, y: top, width: right - left, height: bottom - top };
}

/** The camera after zooming by `factor` with the image point under `at` (stage px) held still. */
export function zoomAt(
  view: { stage: Size; image: ImageSize; camera: Camera },
  at: Point,
  factor: number,
): Camera {
  const { stage, image, camera } = view;
  const zoom = Math.min(64, Math.max(0.1, camera.zoom * factor));
  const held = applyMatrix(invertMatrix(imageToStage(stage, image, camera)), at);
  const moved = { ...camera, zoom, center: cameraCenter(image, camera) };
  const now = applyMatrix(invertMatrix(imageToStage(stage, image, moved)), at);
  return {
    ...moved,
    center: { x: moved.center.x + held.x - now.x, y: moved.center.y + held.y - now.y },
  };
}

/** The camera after the image was dragged by `by` stage px. The middle of the stage stays on the image. */
export function panBy(view: { stage: Size; image: ImageSize; camera: Camera }, by: Point): Camera {
  const { stage, image, camera } = view;
  const back = invertMatrix(imageToStage(stage, image, camera));
  const middle = applyMatrix(back, { x: stage.width / 2 - by.x, y: stage.height / 2 - by.y });
  return {
    ...camera,
    center: {
      x: Math.min(image.columns, Math.max(0, middle.x)),
      y: Math.min(image.rows, Math.max(0, middle.y)),
    },
  };
}
