import { applyMatrix, imageToStage, type Matrix } from "./geometry.ts";
import { viewOf } from "./gestures.ts";
import { lengthText, type Measurement } from "./measure.ts";
import { sameRef, type ViewportState } from "./viewport-store.ts";

/** The lengths of the shown frame, with their text at the end that was drawn last. */
export function MeasureLayer({ state }: { readonly state: ViewportState }) {
  const { image, stage, measurements } = state;
  const view = viewOf(state);
  if (image.status !== "ready" || !view) return null;
  const matrix = imageToStage(stage, view.image, view.camera);
  const here = measurements.filter(({ ref }) => sameRef(ref, image.ref));
  if (here.length === 0) return null;
  return (
    <>
      <svg className="stage-canvas stage-boxes" aria-hidden="true">
        {here.map((measurement, index) => (
          <MeasureLine key={index} measurement={measurement} matrix={matrix} />
        ))}
      </svg>
      {here.map((measurement, index) => {
        const end = applyMatrix(matrix, measurement.to);
        return (
          <span
            key={index}
            className="measure-text number"
            style={{ left: `${end.x + 8}px`, top: `${end.y}px` }}
            data-testid="length"
          >
            {lengthText(image.frame.spacing, measurement)}
          </span>
        );
      })}
    </>
  );
}

function MeasureLine({ measurement, matrix }: { measurement: Measurement; matrix: Matrix }) {
  const from = applyMatrix(matrix, measurement.from);
  const to = applyMatrix(matrix, measurement.to);
  const ends = { x1: from.x, y1: from.y, x2: to.x, y2: to.y };
  return (
    <g>
      <line className="measure-under" {...ends} />
      <line className="measure-line" {...ends} />
      <circle className="measure-line" cx={from.x} cy={from.y} r={3} />
      <circle className="measure-line" cx={to.x} cy={to.y} r={3} />
    </g>
  );
}
