import { useViewport, type ViewportStore } from "./viewport-store.ts";

export function SliceSlider({ store }: { readonly store: ViewportStore }) {
  const { frames, index } = useViewport(store);
  if (frames.length < 2) return null;
  return (
    <input
      className="slider"
      type="range"
      min={1}
      max={frames.length}
      step={1}
      value={index + 1}
      aria-label="Image in the series"
      aria-valuetext={`Image ${index + 1} of ${frames.length}`}
      onChange={(event) => store.showIndex(Number(event.target.value) - 1)}
    />
  );
}
