import type { Rectangle, Turn } from "../../core/view.ts";

interface Size {
  readonly width: number;
  readonly height: number;
}

/** How a stored frame became a model input: crop, then flip, then clockwise turn, then scale, then padding. */
export interface ViewGeometry {
  /** Of the stored frame, pixels. */
  readonly frame: Size;
  /** Whole pixels of the stored frame, inside it. */
  readonly crop: Rectangle;
  readonly turn: Turn;
  /** Where the image lies in the model input; the rest is padding. A part of it may lie outside (placeContent). */
  readonly content: Rectangle;
}

/** A rectangle of the view as whole pixels inside the frame; null is all of it, and one pixel is the least. */
export function wholePixelCrop(crop: Rectangle | null, frame: Size): Rectangle {
  if (crop === null) return { x: 0, y: 0, ...frame };
  const x = clamp(Math.floor(crop.x), 0, frame.width - 1);
  const y = clamp(Math.floor(crop.y), 0, frame.height - 1);
  return {
    x,
    y,
    width: clamp(Math.ceil(crop.x + crop.width) - x, 1, frame.width - x),
    height: clamp(Math.ceil(crop.y + crop.height) - y, 1, frame.height - y),
  };
}

/**
 * Where a picture lies in the model input: as large as fits, centred. `aspect` is the height of a pixel divided by
 * its width, so that what is shown has the shape that the body has.
 */
export function fitContent(picture: Size, input: Size, aspect = 1): Rectangle {
  const tall = picture.height * aspect;
  const scale = Math.min(input.width / picture.width, input.height / tall);
  const width = clamp(Math.floor(picture.width * scale + 0.5), 1, input.width);
  const height = clamp(Math.floor(tall * scale + 0.5), 1, input.height);
  return {
    x: Math.floor((input.width - width) / 2),
    y: Math.floor((input.height - height) / 2),
    width,
    height,
  };
}

/** How a pack's input is filled: the `image` block of pack.json. */
export interface InputSize extends Size {
  /** Default "pad". */
  readonly resize?: "pad" | "stretch" | "crop" | "square";
  /** With "crop": pixels of the short side before the middle is taken. */
  readonly short_side?: number | null;
}

/**
 * Where a picture lies in the model input. With "crop" it is larger than the input and begins before it; with "square"
 * its edges need not be whole pixels.
 */
export function placeContent(picture: Size, input: InputSize, aspect = 1): Rectangle {
  const tall = picture.height * aspect;
  switch (input.resize ?? "pad") {
    case "pad":
      return fitContent(picture, input, aspect);
    case "stretch":
      return { x: 0, y: 0, width: input.width, height: input.height };
    case "crop": {
      const short = input.short_side ?? Math.max(input.width, input.height);
      const wide = picture.width >= tall;
      const long = Math.trunc((short * Math.max(picture.width, tall)) / Math.min(picture.width, tall));
      const [width, height] = wide ? [long, short] : [short, long];
      return {
        x: -Math.floor((width - input.width) / 2),
        y: -Math.floor((height - input.height) / 2),
        width,
        height,
      };
    }
    case "square": {
      const side = Math.max(picture.width, Math.round(tall));
      const scale = input.width / side;
      return {
        x: Math.floor((side - picture.width) / 2) * scale,
        y: Math.floor((side - Math.round(tall)) / 2) * scale,
        width: picture.width * scale,
        height: Math.round(tall) * scale,
      };
    }
  }
}

/** The part of the model input that shows the picture, in whole pixels. */
export function visibleContent({ x, y, width, height }: Rectangle, input: Size): Rectangle {
  const left = Math.ceil(Math.max(x, 0));
  const top = Math.ceil(Math.max(y, 0));
  return {
    x: left,
    y: top,
    width: Math.max(1, Math.floor(Math.min(x + width, input.width)) - left),
    height: Math.max(1, Math.floor(Math.min(y + height, input.height)) - top),
  };
}

/** A rectangle of model input pixels in pixels of the stored frame, clipped to what the model saw of it. */
export function inputToFrame(geometry: ViewGeometry, rectangle: Rectangle): Rectangle {
  const { content, crop, turn } = geometry;
  const turned = turnedSize(crop, turn);
  const scaleX = turned.width / content.width;
  const scaleY = turned.height / content.height;
  const corner = (x: number, y: number) =>
    untwist(crop, turn, {
      x: clamp((x - content.x) * scaleX, 0, turned.width),
      y: clamp((y - content.y) * scaleY, 0, turned.height),
    });
  return spanning(
    corner(rectangle.x, rectangle.y),
    corner(rectangle.x + rectangle.width, rectangle.y + rectangle.height),
  );
}

/** The reverse, for regions that a user drew on the frame. */
export function frameToInput(geometry: ViewGeometry, rectangle: Rectangle): Rectangle {
  const { content, crop, turn } = geometry;
  const turned = turnedSize(crop, turn);
  const corner = (x: number, y: number) => {
    const at = twist(crop, turn, {
      x: clamp(x - crop.x, 0, crop.width),
      y: clamp(y - crop.y, 0, crop.height),
    });
    return {
      x: content.x + (at.x * content.width) / turned.width,
      y: content.y + (at.y * content.height) / turned.height,
    };
  };
  return spanning(
    corner(rectangle.x, rectangle.y),
    corner(rectangle.x + rectangle.width, rectangle.y + rectangle.height),
  );
}

interface Point {
  readonly x: number;
  readonly y: number;
}

export function turnedSize({ width, height }: Size, { rotate }: Turn): Size {
  return rotate === 90 || rotate === 270 ? { width: height, height: width } : { width, height };
}

/** A point of the crop in the turned picture. */
function twist({ width, height }: Size, { flip, rotate }: Turn, point: Point): Point {
  const x = flip ? width - point.x : point.x;
  const { y } = point;
  if (rotate === 90) return { x: height - y, y: x };
  if (rotate === 180) return { x: width - x, y: height - y };
  if (rotate === 270) return { x: y, y: width - x };
  return { x, y };
}

/** A point of the turned picture in the stored frame. */
function untwist(crop: Rectangle, { flip, rotate }: Turn, { x, y }: Point): Point {
  const { width, height } = crop;
  let point: Point = { x, y };
  if (rotate === 90) point = { x: y, y: height - x };
  else if (rotate === 180) point = { x: width - x, y: height - y };
  else if (rotate === 270) point = { x: width - y, y: x };
  return { x: crop.x + (flip ? width - point.x : point.x), y: crop.y + point.y };
}

function spanning(a: Point, b: Point): Rectangle {
  return {
    x: Math.min(a.x, b.x),
    y: Math.min(a.y, b.y),
    width: Math.abs(a.x - b.x),
    height: Math.abs(a.y - b.y),
  };
}

function clamp(value: number, low: number, high: number): number {
  return Math.min(Math.max(value, low), high);
}
