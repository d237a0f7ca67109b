import { useEffect, useLayoutEffect, useRef, useState } from "react";
import { nameText } from "../ask/words.ts";
import { Button } from "../ui/Button.tsx";
import { EmptyState } from "../ui/EmptyState.tsx";
import { EvidenceLayer } from "./EvidenceLayer.tsx";
import { attachGestures } from "./gestures.ts";
import { MeasureLayer } from "./MeasureLayer.tsx";
import { createSurface, type Surface } from "./surface.ts";
import { StageText } from "./StageText.tsx";
import { useViewport, type ViewportStore } from "./viewport-store.ts";
import "./stage.css";

interface StageProps {
  readonly store: ViewportStore;
  /** Acquisition, for the corner text: "120 kV, 5 mm". */
  readonly technique: string;
}

/** The image with what is written and drawn over it. */
export function Stage({ store, technique }: StageProps) {
  const state = useViewport(store);
  const element = useRef<HTMLDivElement>(null);
  const picture = useRef<HTMLDivElement>(null);
  const [surface, setSurface] = useState<Surface | null>(null);

  useEffect(() => {
    const made = createSurface(picture.current!, preferredSurface());
    setSurface(made);
    return () => made.destroy();
  }, []);

  useEffect(() => attachGestures(element.current!, store), [store]);

  useLayoutEffect(() => {
    const observer = new ResizeObserver(([entry]) => {
      const { width, height } = entry!.contentRect;
      // A hidden screen has no size; the stage keeps its last.
      if (width > 0 && height > 0) store.setStage({ width, height });
    });
    observer.observe(element.current!);
    return () => observer.disconnect();
  }, [store]);

  const { image, voi, invert, camera, stage } = state;
  const frame = image.status === "ready" ? image.frame : null;
  useEffect(() => {
    surface?.draw({ frame, presentation: { voi, invert }, camera, stage });
  }, [surface, frame, voi, invert, camera, stage]);

  const loading = image.status === "empty" ? state.frames.length > 0 : image.index !== state.index;
  return (
    <div
      ref={element}
      className={`stage stage-${state.tool}`}
      role="group"
      aria-label="Image"
      tabIndex={0}
      data-testid="stage"
      data-surface={surface?.kind}
      data-shown={image.status === "ready" ? image.index + 1 : ""}
    >
      <div className="stage-picture" ref={picture} />
      <EvidenceLayer state={state} />
      <MeasureLayer state={state} />
      {image.status === "ready" && <StageText state={state} technique={technique} stage={element} />}
      {image.status === "failed" && (
        <div className="stage-message" role="alert">
          <div className="stage-text">
            <div className="corner corner-top-left">
              <strong>{nameText(state.study?.patientName ?? "")}</strong>
              <span>{state.study?.patientId}</span>
            </div>
          </div>
          <EmptyState icon="warning" title={`Image ${image.index + 1} cannot be shown`} text={image.message}>
            <div className="stage-failed">
              <code className="stage-code">{image.code}</code>
              <Button onClick={store.retry}>Try again</Button>
            </div>
          </EmptyState>
        </div>
      )}
      {state.series && state.frames.length === 0 && (
        <div className="stage-message">
          <EmptyState
            icon="image"
            title="No image in this series"
            text="It holds other objects, such as a report or a plan. Their content is under Header."
          />
        </div>
      )}
      {loading && (
        <div className="stage-loading" role="status">
          Reading image {state.index + 1}
        </div>
      )}
    </div>
  );
}

/** `?surface=cpu` in the address draws without WebGL, to compare or where a driver draws wrongly. */
function preferredSurface(): "webgl" | "cpu" {
  return new URLSearchParams(location.search).get("surface") === "cpu" ? "cpu" : "webgl";
}
