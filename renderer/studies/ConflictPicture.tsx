import { useCallback, useEffect, useRef } from "react";
import type { Client } from "../../core/client.ts";
import { errorRecord } from "../../core/errors.ts";
import { decodeFrame } from "../../core/frame-codec.ts";
import { renderFrame } from "../../core/render-frame.ts";
import type { InstanceUid } from "../../core/study.ts";
import { useCall } from "../app/use-call.ts";
import { toImageData } from "../viewport/cpu-surface.ts";

export type PictureSource =
  | { readonly type: "shown"; readonly sopInstanceUid: InstanceUid; readonly frames: number }
  | { readonly type: "variant"; readonly id: string; readonly frames: number };

interface ConflictPictureProps {
  readonly client: Client;
  readonly source: PictureSource;
  readonly label: string;
  /** It cannot be shown. */
  readonly onFailed?: () => void;
}

/** One of the files as an image, in its own default window: its middle frame. */
export function ConflictPicture({ client, source, label, onFailed }: ConflictPictureProps) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const { type, frames } = source;
  const of = source.type === "shown" ? source.sopInstanceUid : source.id;
  const read = useCallback(
    async (signal: AbortSignal) => {
      if (frames === 0) return null;
      const frame = Math.max(1, Math.ceil(frames / 2));
      return decodeFrame(
        type === "shown"
          ? await client.bytes("frames.pixels", { sopInstanceUid: of as InstanceUid, frame }, signal)
          : await client.bytes("variants.pixels", { id: of, frame }, signal),
      );
    },
    [client, type, of, frames],
  );
  const [frame] = useCall(read);
  const failed = frame.status === "failed";
  const picture = frame.status === "ready" ? frame.value : null;

  useEffect(() => {
    if (!picture || !canvas.current) return;
    const image = renderFrame(picture, { voi: null });
    canvas.current.width = image.width;
    canvas.current.height = image.height;
    canvas.current.getContext("2d")?.putImageData(toImageData(image), 0, 0);
  }, [picture]);

  useEffect(() => {
    if (failed) onFailed?.();
  }, [failed, onFailed]);

  return (
    <div className="conflict-picture">
      {picture && (
        <canvas
          ref={canvas}
          role="img"
          aria-label={label}
          style={{ aspectRatio: `${picture.columns} / ${picture.rows * picture.aspect}` }}
        />
      )}
      {frame.status === "ready" && !picture && <p>No image</p>}
      {frame.status === "failed" && <p>{errorRecord(frame.error).message}</p>}
    </div>
  );
}
