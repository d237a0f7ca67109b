import { encode } from "fast-png";
import { AppError, appError, throwIfAborted } from "../core/errors.ts";
import { type RenderedImage, renderFrame } from "../core/render-frame.ts";
import type { PixelFrame } from "../core/frame.ts";
import type { InstanceUid, SeriesUid } from "../core/study.ts";
import { readFrame } from "./dicom/read-frame.ts";
import type { OpenedHeaders } from "./opened-headers.ts";
import type { ArchiveStore } from "./store/archive-store.ts";

const longSide = 160;

/**
 * PNG of a series: its middle image and frame, which shows more than its edges. Made once, then kept encrypted.
 * @throws not-found, pixel-data-missing where no instance has pixels, and what decoding throws
 */
export async function readThumbnail(
  store: ArchiveStore,
  headers: OpenedHeaders,
  request: { series: SeriesUid; signal: AbortSignal },
): Promise<Uint8Array> {
  const { series, signal } = request;
  const { instances } = store.catalog.oneSeries(series);
  const kept = await readKept(store, series);
  if (kept !== null) return kept;
  const pictured = instances.filter((instance) => instance.hasPixels);
  const middle = pictured[Math.floor(pictured.length / 2)];
  if (!middle) throw appError("pixel-data-missing", "This series has no images.");
  const png = await drawThumbnail(headers, { ...middle, signal });
  throwIfAborted(signal);
  await keep(store, series, png);
  return png;
}

/** Null where none was kept, or where it is damaged: it is drawn again then. */
async function readKept(store: ArchiveStore, series: SeriesUid): Promise<Uint8Array | null> {
  const object = store.changes.thumbnail(series);
  if (object === null) return null;
  try {
    const source = await store.objects.open(object);
    return await source.read(0, source.size);
  } catch (thrown) {
    if (thrown instanceof AppError && thrown.code === "archive-damaged") return null;
    throw thrown;
  }
}

async function drawThumbnail(
  headers: OpenedHeaders,
  image: { sopInstanceUid: InstanceUid; numberOfFrames: number; signal: AbortSignal },
): Promise<Uint8Array> {
  const header = await headers.of(image.sopInstanceUid, image.signal);
  const frame = await readFrame(header, Math.max(1, Math.ceil(image.numberOfFrames / 2)), image.signal);
  const picture = shrink(renderFrame(frame, { voi: null }), thumbnailSize(frame));
  return encode({
    width: picture.width,
    height: picture.height,
    data: picture.pixels,
    channels: picture.channels,
    depth: 8,
  });
}

async function keep(store: ArchiveStore, series: SeriesUid, png: Uint8Array): Promise<void> {
  try {
    const content = async function* () {
      yield png;
    };
    const object = await store.objects.stage(png.length, content());
    await store.objects.publish([object]);
    await store.changes.setThumbnail(series, object);
  } catch {
    // A full disk keeps no thumbnail; the picture is there all the same, and what matters names the disk.
  }
}

/** Pixels of the stored frame may not be square (Pixel Aspect Ratio); those of the thumbnail are. */
export function thumbnailSize(frame: Pick<PixelFrame, "rows" | "columns" | "aspect">): {
  width: number;
  height: number;
} {
  const [width, height] = [frame.columns, frame.rows * frame.aspect];
  const scale = Math.min(1, longSide / Math.max(width, height));
  return { width: Math.max(1, Math.round(width * scale)), height: Math.max(1, Math.round(height * scale)) };
}

/** Each pixel of the result is the mean of the pixels it covers; larger sizes repeat pixels. */
export function shrink(image: RenderedImage, size: { width: number; height: number }): RenderedImage {
  const { channels } = image;
  const pixels = new Uint8Array(size.width * size.height * channels);
  for (let y = 0; y < size.height; y += 1) {
    const rows = covered(y, size.height, image.height);
    for (let x = 0; x < size.width; x += 1) {
      const columns = covered(x, size.width, image.width);
      for (let channel = 0; channel < channels; channel += 1) {
        let sum = 0;
        for (let row = rows.from; row < rows.to; row += 1) {
          const start = row * image.width;
          for (let column = columns.from; column < columns.to; column += 1) {
            sum += image.pixels[(start + column) * channels + channel]!;
          }
        }
        const count = (rows.to - rows.from) * (columns.to - columns.from);
        pixels[(y * size.width + x) * channels + channel] = Math.round(sum / count);
      }
    }
  }
  return { ...size, channels, pixels };
}

function covered(index: number, count: number, total: number): { from: number; to: number } {
  const from = Math.floor((index * total) / count);
  return { from, to: Math.max(from + 1, Math.floor(((index + 1) * total) / count)) };
}
