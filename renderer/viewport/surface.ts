import type { PixelFrame } from "../../core/frame.ts";
import { createCornerstoneSurface, webglLimits } from "./cornerstone-surface.ts";
import { createCpuSurface } from "./cpu-surface.ts";
import type { Camera, Size } from "./geometry.ts";
import type { Presentation } from "./presentation.ts";

export interface Scene {
  /** Null clears the surface. */
  readonly frame: PixelFrame | null;
  readonly presentation: Presentation;
  readonly camera: Camera;
  readonly stage: Size;
}

/** Draws a scene into the element it was made for. */
export interface Surface {
  readonly kind: "webgl" | "cpu";
  draw(scene: Scene): void;
  destroy(): void;
}

/**
 * WebGL through Cornerstone where it works; else, and for images larger than the graphics card takes, the same
 * picture from core/render-frame.ts on a 2D canvas. Remote desktops and virtual machines lose WebGL at any time:
 * the surface then changes over and draws the scene again, so that the stage is never black without a reason.
 */
export function createSurface(element: HTMLElement, prefer: "webgl" | "cpu" = "webgl"): Surface {
  const limits = prefer === "webgl" ? webglLimits() : null;
  let current: Surface | null = null;
  let last: Scene | null = null;
  let broken = limits === null;

  function use(kind: Surface["kind"]): Surface {
    if (current?.kind === kind) return current;
    current?.destroy();
    current = kind === "webgl" ? createCornerstoneSurface(element, giveUpWebgl) : createCpuSurface(element);
    return current;
  }

  function giveUpWebgl(): void {
    broken = true;
    if (last) draw(last);
  }

  function draw(scene: Scene): void {
    last = scene;
    const tooLarge =
      scene.frame !== null &&
      limits !== null &&
      Math.max(scene.frame.rows, scene.frame.columns) > limits.texture;
    if (broken || tooLarge) {
      use("cpu").draw(scene);
      return;
    }
    try {
      use("webgl").draw(scene);
    } catch {
      giveUpWebgl();
    }
  }

  return {
    get kind() {
      return broken ? "cpu" : (current?.kind ?? "webgl");
    },
    draw,
    destroy() {
      current?.destroy();
      current = null;
    },
  };
}
