import type { RefObject } from "react";
import { edgeLetters } from "../../core/orientation.ts";
import type { Turn } from "../../core/view.ts";
import { dateText, nameText } from "../ask/words.ts";
import { cameraScale } from "./geometry.ts";
import { viewOf } from "./gestures.ts";
import { PointerText } from "./PointerText.tsx";
import { hasWindow } from "./presentation.ts";
import { ScaleBar } from "./ScaleBar.tsx";
import { sexText } from "../studies/study-text.ts";
import { slicePosition } from "./slice-position.ts";
import type { ViewportState } from "./viewport-store.ts";
import { windowText } from "./window-drag.ts";

interface StageTextProps {
  readonly state: ViewportState;
  readonly technique: string;
  /** Where the pointer is followed. */
  readonly stage: RefObject<HTMLElement | null>;
}

/** Patient, study, technique and presentation in the corners, orientation letters at the edges. */
export function StageText({ state, technique, stage: element }: StageTextProps) {
  const { image, camera, stage, study } = state;
  const view = viewOf(state);
  if (image.status !== "ready" || !view) return null;
  const { frame, summary } = image;
  const scale = cameraScale(stage, view.image, camera);
  const letters = edgeLetters(frame.placement, camera.turn);
  const zoom = Math.round(scale * (window.devicePixelRatio || 1) * 100);
  const position = slicePosition(frame.placement);
  const { facts } = summary;
  const person = [
    sexText(study?.patientSex ?? ""),
    study?.patientBirthDate ? dateText(study.patientBirthDate) : "",
  ];
  return (
    <div className="stage-text">
      <div className="corner corner-top-left">
        {summary.phantom && <strong className="corner-warning">PHANTOM, not a patient</strong>}
        <strong>{nameText(summary.patientName)}</strong>
        <span>{summary.patientId}</span>
        <span>{person.filter(Boolean).join("  ")}</span>
      </div>
      <div className="corner corner-top-right">
        <span>{summary.studyDescription}</span>
        <span className="number">{dateText(summary.studyDate)}</span>
        <span>{seriesText(summary.seriesNumber, summary.seriesDescription)}</span>
        {summary.laterality && <span>Laterality {summary.laterality}</span>}
      </div>
      <div className="corner corner-bottom-left">
        <span>{[facts.modality, facts.bodyPart, facts.view].filter(Boolean).join("  ")}</span>
        <span>{technique}</span>
        {position !== null && <span className="number">Position {position.toFixed(1)} mm</span>}
        <span className="number" data-testid="image-number">
          Image {image.index + 1} / {state.frames.length}
        </span>
      </div>
      <div className="corner corner-bottom-right">
        {frame.warnings.map((warning) => (
          <span key={warning} className="corner-warning">
            {warning}
          </span>
        ))}
        {state.invert && <span className="corner-warning">Inverted</span>}
        {turnTexts(camera.turn).map((text) => (
          <span key={text} className="corner-warning">
            {text}
          </span>
        ))}
        <PointerText state={state} stage={element} />
        <span className="number" data-testid="window">
          {hasWindow(frame) ? windowText(frame, state.voi) : "Colour"}
        </span>
        <span className="number" data-testid="zoom">
          Zoom {zoom} %
        </span>
      </div>
      <span className="edge edge-left">{letters.left}</span>
      <span className="edge edge-right">{letters.right}</span>
      <span className="edge edge-top">{letters.top}</span>
      <span className="edge edge-bottom">{letters.bottom}</span>
      <ScaleBar spacing={frame.spacing} pxPerColumn={scale} room={stage.width / 4} />
    </div>
  );
}

/** A flip and half a turn are the other flip. */
function turnTexts({ flip, rotate }: Turn): readonly string[] {
  if (flip && rotate === 180) return ["Flipped top-bottom"];
  return [...(flip ? ["Flipped left-right"] : []), ...(rotate === 0 ? [] : [`Turned ${rotate}°`])];
}

function seriesText(number: number | null, description: string): string {
  const head = number === null ? "" : `Series ${number}`;
  return [head, description].filter((part) => part !== "").join("  ");
}
