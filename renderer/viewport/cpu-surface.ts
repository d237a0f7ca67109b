import type { PixelFrame } from "../../core/frame.ts";
import { renderFrame, type RenderedImage } from "../../core/render-frame.ts";
import { imageToStage } from "./geometry.ts";
import { pixelAspect, type Presentation } from "./presentation.ts";
import type { Scene, Surface } from "./surface.ts";

/** The stack on a 2D canvas. */
export function createCpuSurface(element: HTMLElement): Surface {
  const canvas = document.createElement("canvas");
  canvas.className = "stage-canvas";
  element.append(canvas);
  const context = canvas.getContext("2d", { alpha: false });
  const picture = document.createElement("canvas");
  let drawn: { frame: PixelFrame; presentation: Presentation } | null = null;

  function paint(frame: PixelFrame, presentation: Presentation): void {
    const { voi, invert } = presentation;
    if (drawn?.frame === frame && drawn.presentation.voi === voi && drawn.presentation.invert === invert)
      return;
    const image = renderFrame(frame, presentation);
    picture.width = image.width;
    picture.height = image.height;
    picture.getContext("2d")?.putImageData(toImageData(image), 0, 0);
    drawn = { frame, presentation };
  }

  return {
    kind: "cpu",
    draw({ frame, presentation, camera, stage }: Scene): void {
      if (!context) return;
      const ratio = window.devicePixelRatio || 1;
      const width = Math.max(1, Math.round(stage.width * ratio));
      const height = Math.max(1, Math.round(stage.height * ratio));
      if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
      context.setTransform(1, 0, 0, 1, 0, 0);
      context.fillStyle = "#000";
      context.fillRect(0, 0, width, height);
      if (!frame) return;
      paint(frame, presentation);
      const size = { columns: frame.columns, rows: frame.rows, aspect: pixelAspect(frame) };
      const [a, b, c, d, e, f] = imageToStage(stage, size, camera);
      context.setTransform(a * ratio, b * ratio, c * ratio, d * ratio, e * ratio, f * ratio);
      context.imageSmoothingEnabled = true;
      context.imageSmoothingQuality = "high";
      context.drawImage(picture, 0, 0);
    },
    destroy() {
      canvas.remove();
      drawn = null;
    },
  };
}

/** As a canvas takes it. */
export function toImageData({ width, height, channels, pixels }: RenderedImage): ImageData {
  const data = new ImageData(width, height);
  const out = new Uint32Array(data.data.buffer);
  for (let i = 0; i < out.length; i += 1) {
    const at = i * channels;
    const red = pixels[at]!;
    const green = channels === 3 ? pixels[at + 1]! : red;
    const blue = channels === 3 ? pixels[at + 2]! : red;
    // ImageData is RGBA by byte; every platform this runs on is little-endian.
    out[i] = (255 << 24) | (blue << 16) | (green << 8) | red;
  }
  return data;
}
