import { useEffect, useRef } from "react";
import type { EvidenceMap } from "../../core/evidence.ts";
import type { Rectangle } from "../../core/view.ts";
import { type LabelPlace, labelPlace } from "./evidence-label.ts";
import { imageToStage, type Matrix, type Size } from "./geometry.ts";
import { viewOf } from "./gestures.ts";
import type { ViewportState } from "./viewport-store.ts";

/**
 * What a sentence rests on, over the frame it was tested on and over no other: the map as a tint, the regions as
 * boxes, the words at the box. Only a region that passed its test has a solid box; a candidate is dashed and dim.
 * Everything is in pixels of the stored frame and goes through the image's own matrix, so that it follows zoom, pan,
 * flip and turn. Regions the user drew are dashed in the accent colour.
 */
export function EvidenceLayer({ state }: { readonly state: ViewportState }) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const { image, overlay, stage, regions } = state;
  const view = viewOf(state);
  const matrix = view ? imageToStage(stage, view.image, view.camera) : null;
  const here =
    overlay && image.status === "ready" && isSameFrame(overlay, image.ref) && matrix ? overlay : null;
  const map = here?.map ?? null;
  const strength = here?.fullStrengthNats ?? 0;
  const opacity = here?.kind === "not-tested" ? faintest : strongest;

  useEffect(() => {
    const element = canvas.current;
    if (element) drawMap(element, { map, strength, opacity, matrix, stage });
  });

  return (
    <>
      <canvas className="stage-canvas stage-evidence" ref={canvas} data-testid="evidence-map" />
      {matrix && (
        <svg className="stage-canvas stage-boxes" aria-hidden="true">
          <g transform={`matrix(${matrix.join(" ")})`}>
            {here?.regions.map((region) => (
              <EvidenceBox key={keyOf(region)} region={region} tested={here.kind === "tested"} />
            ))}
            {regions.map((region) => (
              <rect
                key={keyOf(region)}
                className="box-drawn"
                data-testid="drawn-region"
                {...sizeOf(region)}
              />
            ))}
          </g>
        </svg>
      )}
      {here && matrix && <EvidenceWords words={here.words} place={labelPlace(here.regions, matrix, stage)} />}
    </>
  );
}

function EvidenceBox({ region, tested }: { readonly region: Rectangle; readonly tested: boolean }) {
  if (!tested) {
    return <rect className="box box-candidate" data-testid="candidate-region" {...sizeOf(region)} />;
  }
  return (
    <g>
      <rect className="box-under" {...sizeOf(region)} />
      <rect className="box" data-testid="evidence-region" {...sizeOf(region)} />
    </g>
  );
}

function EvidenceWords({ words, place }: { readonly words: string; readonly place: LabelPlace }) {
  return (
    <span
      className={place.below ? "evidence-words evidence-words-below" : "evidence-words"}
      style={{ left: `${place.x}px`, top: `${place.y}px` }}
      data-testid="evidence-words"
    >
      {words}
    </span>
  );
}

function sizeOf({ x, y, width, height }: Rectangle) {
  return { x, y, width, height };
}

function keyOf({ x, y, width, height }: Rectangle): string {
  return `${x} ${y} ${width} ${height}`;
}

function isSameFrame(
  overlay: NonNullable<ViewportState["overlay"]>,
  ref: { sopInstanceUid: string; frame: number },
): boolean {
  return overlay.sopInstanceUid === ref.sopInstanceUid && overlay.frame === ref.frame;
}

interface MapDrawing {
  readonly map: EvidenceMap | null;
  readonly strength: number;
  /** 0..1, of the strongest cell. */
  readonly opacity: number;
  readonly matrix: Matrix | null;
  readonly stage: Size;
}

/** Amber, distinct from anything a grey image holds; at most half opaque, so that the finding stays visible. */
const tint = [255, 170, 60] as const;
const strongest = 0.5;
/** What was not tested stays in the background. */
const faintest = 0.2;

function drawMap(canvas: HTMLCanvasElement, { map, strength, opacity, matrix, stage }: MapDrawing): void {
  const ratio = window.devicePixelRatio || 1;
  const width = Math.max(1, Math.round(stage.width * ratio));
  const height = Math.max(1, Math.round(stage.height * ratio));
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
  const context = canvas.getContext("2d");
  if (!context) return;
  context.setTransform(1, 0, 0, 1, 0, 0);
  context.clearRect(0, 0, width, height);
  if (!map || !matrix || strength <= 0) return;
  const cells = document.createElement("canvas");
  cells.width = map.columns;
  cells.height = map.rows;
  const pixels = new ImageData(map.columns, map.rows);
  map.values.forEach((nats, index) => {
    const part = Math.min(1, Math.max(0, nats / strength));
    pixels.data.set([...tint, Math.round(255 * opacity * part)], index * 4);
  });
  cells.getContext("2d")?.putImageData(pixels, 0, 0);
  const [a, b, c, d, e, f] = matrix;
  context.setTransform(a * ratio, b * ratio, c * ratio, d * ratio, e * ratio, f * ratio);
  context.imageSmoothingEnabled = true;
  context.drawImage(cells, map.x, map.y, map.width, map.height);
}
