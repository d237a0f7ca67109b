import { describe, expect, test } from "vitest";
import { type Picture, toGray } from "../../../../models/image/picture.ts";
import { resizePicture } from "../../../../models/image/resize.ts";
import fixture from "../../../fixtures/image/resize.json" with { type: "json" };

interface Encoded {
  readonly width: number;
  readonly height: number;
  readonly channels: number;
  readonly pixels: string;
}

function decoded({ width, height, channels, pixels }: Encoded): Picture {
  return {
    width,
    height,
    channels: channels as 1 | 3,
    pixels: new Uint8Array(Buffer.from(pixels, "base64")),
  };
}

const sources = { gray: decoded(fixture.sources.gray), colour: decoded(fixture.sources.colour) };

describe("resizing as the models' training does", () => {
  test.each(
    fixture.cases.map(
      (one) => [`${one.source} to ${one.result.width} by ${one.result.height}`, one] as const,
    ),
  )("%s is Pillow's result to the bit", (_, { source, result }) => {
    const expected = decoded(result);
    const found = resizePicture(sources[source as keyof typeof sources], expected);
    expect(found).toEqual(expected);
  });

  test("the same size is the same picture", () => {
    expect(resizePicture(sources.gray, sources.gray)).toBe(sources.gray);
  });

  test("colour becomes Pillow's grey", () => {
    expect(toGray(sources.colour)).toEqual(decoded(fixture.luma));
  });
});
