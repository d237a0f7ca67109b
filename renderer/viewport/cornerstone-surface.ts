import {
  Enums,
  eventTarget,
  getRenderingCapabilities,
  init,
  metaData,
  RenderingEngine,
  type StackViewport,
  type Types,
  utilities,
} from "@cornerstonejs/core";
import type { PixelFrame } from "../../core/frame.ts";
import { renderFrame } from "../../core/render-frame.ts";
import { cameraCenter, cameraScale, quarterTurn } from "./geometry.ts";
import { pixelAspect, planSurface, type Presentation, type SurfacePlan } from "./presentation.ts";
import type { Scene, Surface } from "./surface.ts";

/**
 * The stack on the graphics card, by Cornerstone's stack viewport.
 *
 * Cornerstone is given stored values with slope 1 and intercept 0 and is told that nothing was scaled: the modality
 * transform, MONOCHROME1 and inversion are worked into the two stored values that bound the window (presentation.ts),
 * so that they cannot be applied twice or never. It draws in image space (one unit is one column): where an image
 * lies in the patient stays in PixelFrame, and a broken orientation in a header cannot bend the picture.
 */

const scheme = "meditron:";
let surfaces = 0;
let shared: RenderingEngine | null = null;
let started = false;

/**
 * One for all surfaces: the WebGL context of an engine outlives it, and of more than sixteen contexts the browser
 * takes the oldest away.
 */
function sharedEngine(): RenderingEngine {
  if (!started) {
    init({ rendering: { useCPURendering: false, webGlContextCount: 1 } } as Parameters<typeof init>[0]);
    started = true;
  }
  // Cornerstone finds engines by their names: one that was lost may still be there.
  shared ??= new RenderingEngine(`meditron-${surfaces}`);
  return shared;
}

/** What the graphics card can do; null where there is no WebGL 2. */
export function webglLimits(): { readonly texture: number } | null {
  const capabilities = getRenderingCapabilities();
  if (!capabilities.webgl2) return null;
  return { texture: capabilities.maxTextureSize || 4096 };
}

/** @throws where WebGL cannot be started; `onLost` says that it was lost later. */
export function createCornerstoneSurface(element: HTMLElement, onLost: () => void): Surface {
  surfaces += 1;
  const engine = sharedEngine();
  const name = `${surfaces}`;
  const host = document.createElement("div");
  host.className = "stage-canvas";
  element.append(host);

  let viewport = enable();
  let shown: { frame: PixelFrame; presentation: Presentation; plan: SurfacePlan } | null = null;
  let current: Types.IImage | null = null;
  let images = 0;
  let pending = 0;

  const provider = (type: string, imageId: unknown) =>
    current && imageId === current.imageId ? metadataOf(current, type) : undefined;
  metaData.addProvider(provider, 1000);
  // The next surface begins with a new engine.
  const lose = () => {
    if (shared === engine) shared = null;
    onLost();
  };
  eventTarget.addEventListener(Enums.Events.WEBGL_CONTEXT_LOST, lose);

  function enable(): StackViewport {
    engine.enableElement({
      viewportId: name,
      type: Enums.ViewportType.STACK,
      element: host as HTMLDivElement,
      defaultOptions: { background: [0, 0, 0] },
    });
    return engine.getViewport(name) as StackViewport;
  }

  function show(frame: PixelFrame, presentation: Presentation): void {
    const plan = planSurface(frame, presentation);
    const samePlan = shown?.frame === frame && shown.plan.kind === plan.kind;
    const samePicture =
      samePlan &&
      (plan.kind === "window" ||
        (shown?.presentation.voi === presentation.voi && shown.presentation.invert === presentation.invert));
    if (!samePicture) {
      images += 1;
      const next = imageOf(frame, { presentation, plan }, `${scheme}${name}/${images}`);
      // Cornerstone keeps its texture for an image of the same size without looking at the number of components.
      if (current && current.numberOfComponents !== next.numberOfComponents) {
        engine.disableElement(name);
        viewport = enable();
      }
      current = next;
      viewport.renderImageObject(next);
    }
    const voiRange =
      plan.kind === "window" ? { lower: plan.lower, upper: plan.upper } : { lower: 0, upper: 255 };
    mendMapping(voiRange);
    viewport.setProperties({ voiRange, invert: plan.kind === "window" && plan.invert }, true);
    shown = { frame, presentation, plan };
  }

  /**
   * Cornerstone spans the mapping of a viewport's first image between its lowest and its highest value. Where they are
   * the same, as in a blank first slice, one point is left, and no window could ever spread it again.
   */
  function mendMapping(voiRange: { lower: number; upper: number }): void {
    const actor = viewport.getDefaultActor()?.actor as Types.ImageActor | undefined;
    const property = actor?.getProperty();
    if (!property || (property.getRGBTransferFunction(0)?.getSize() ?? 2) >= 2) return;
    property.setRGBTransferFunction(0, utilities.createLinearRGBTransferFunction(voiRange));
  }

  function placeCamera(frame: PixelFrame, scene: Scene): void {
    const { camera, stage } = scene;
    const aspect = pixelAspect(frame);
    const size = { columns: frame.columns, rows: frame.rows, aspect };
    const center = cameraCenter(size, camera);
    const { cos, sin } = quarterTurn(camera.turn);
    const mirror = camera.turn.flip ? -1 : 1;
    // The centre of the first pixel is the origin here; in the frame's own coordinates it is (0.5, 0.5).
    const focalPoint: Types.Point3 = [center.x - 0.5, (center.y - 0.5) * aspect, 0];
    // A flip looks at the image from behind.
    const viewPlaneNormal: Types.Point3 = [0, 0, -mirror];
    const distance = 1000;
    viewport.setCamera({
      parallelProjection: true,
      parallelScale: stage.height / 2 / cameraScale(stage, size, camera),
      focalPoint,
      position: [focalPoint[0], focalPoint[1], -mirror * distance],
      viewPlaneNormal,
      viewUp: [-mirror * sin, -cos, 0],
    });
    viewport.getRenderer().resetCameraClippingRange();
  }

  /** Cornerstone skips a resize while a picture waits to be drawn: then it is tried again with the next one. */
  function fitCanvas(scene: Scene): void {
    const { canvas } = viewport;
    const ratio = window.devicePixelRatio || 1;
    const matches = () =>
      Math.abs(canvas.width - canvas.clientWidth * ratio) < 1 &&
      Math.abs(canvas.height - canvas.clientHeight * ratio) < 1;
    if (matches()) return;
    engine.resize(true, true);
    if (matches() || pending !== 0) return;
    pending = requestAnimationFrame(() => {
      pending = 0;
      draw(scene);
    });
  }

  function draw(scene: Scene): void {
    host.style.visibility = scene.frame ? "visible" : "hidden";
    if (!scene.frame) return;
    fitCanvas(scene);
    show(scene.frame, scene.presentation);
    placeCamera(scene.frame, scene);
    viewport.render();
  }

  return {
    kind: "webgl",
    draw,
    destroy() {
      cancelAnimationFrame(pending);
      eventTarget.removeEventListener(Enums.Events.WEBGL_CONTEXT_LOST, lose);
      metaData.removeProvider(provider);
      engine.disableElement(name);
      if (engine !== shared && engine.getViewports().length === 0) engine.destroy();
      host.remove();
      shown = null;
      current = null;
    },
  };
}

function imageOf(
  frame: PixelFrame,
  shown: { presentation: Presentation; plan: SurfacePlan },
  imageId: string,
): Types.IImage {
  const picture = shown.plan.kind === "rendered" ? renderFrame(frame, shown.presentation) : null;
  const pixels = (picture?.pixels ?? frame.values) as Types.PixelDataTypedArray;
  const components = picture?.channels ?? 1;
  const { rows, columns } = frame;
  const voxelManager = utilities.VoxelManager.createImageVoxelManager({
    scalarData: pixels,
    width: columns,
    height: rows,
    numberOfComponents: components,
  });
  return {
    imageId,
    // Stored values as they are: no rescale was applied, and none is to be applied.
    isPreScaled: false,
    preScale: { enabled: false, scaled: false },
    slope: 1,
    intercept: 0,
    minPixelValue: 0,
    maxPixelValue: 255,
    windowCenter: 128,
    windowWidth: 256,
    voiLUTFunction: Enums.VOILUTFunctionType.LINEAR,
    getPixelData: () => pixels,
    getCanvas: () => document.createElement("canvas"),
    rows,
    columns,
    height: rows,
    width: columns,
    color: components === 3,
    rgba: false,
    numberOfComponents: components,
    columnPixelSpacing: 1,
    rowPixelSpacing: pixelAspect(frame),
    invert: false,
    sizeInBytes: pixels.byteLength,
    dataType: pixels.constructor.name as Types.PixelDataTypedArrayString,
    voxelManager: voxelManager as Types.IVoxelManager<number>,
  };
}

/** What Cornerstone asks about an image (PS3.3 C.7.6.2, C.7.6.3), in image space. */
function metadataOf(image: Types.IImage, type: string): unknown {
  const { MetadataModules } = Enums;
  if (type === MetadataModules.IMAGE_PLANE) {
    return {
      rows: image.rows,
      columns: image.columns,
      rowPixelSpacing: image.rowPixelSpacing,
      columnPixelSpacing: image.columnPixelSpacing,
      rowCosines: [1, 0, 0],
      columnCosines: [0, 1, 0],
      imagePositionPatient: [0, 0, 0],
      imageOrientationPatient: [1, 0, 0, 0, 1, 0],
      usingDefaultValues: false,
    };
  }
  if (type === MetadataModules.IMAGE_PIXEL) {
    const bits = image.getPixelData().BYTES_PER_ELEMENT * 8;
    return {
      samplesPerPixel: image.numberOfComponents,
      photometricInterpretation: image.color ? "RGB" : "MONOCHROME2",
      bitsAllocated: bits,
      bitsStored: bits,
      highBit: bits - 1,
      pixelRepresentation: image.dataType === "Int16Array" ? 1 : 0,
    };
  }
  // The modality stays out: Cornerstone would scale PET by itself.
  if (type === MetadataModules.GENERAL_SERIES) return { modality: "OT" };
  return undefined;
}
