import type { Answer } from "../../core/question.ts";
import type { View } from "../../core/view.ts";

/** The answer as `meditron ask --json` prints it: a public format, which changes only by addition. */
export function publicAnswer(answer: Answer) {
  return { ...answer, views: answer.views.map(publicView) };
}

function publicView({ source, frame, voi, crop, invert, turn, regions }: View) {
  return {
    source,
    frame,
    voi,
    crop: crop && [crop.x, crop.y, crop.width, crop.height],
    invert,
    turn,
    regions: regions.map(({ x, y, width, height }) => [x, y, width, height]),
  };
}
