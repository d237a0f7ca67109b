/** Outlines on a 24 px grid, drawn for this app. */
const outlines = {
  studies: "M4 5h16M4 10h16M4 15h16M4 20h10",
  import: "M12 3v12m0 0-4.5-4.5M12 15l4.5-4.5M4 16v4h16v-4",
  folder: "M3 6h6l2 2.5h10V19H3z",
  search: "M10.5 4a6.5 6.5 0 1 1 0 13 6.5 6.5 0 0 1 0-13M15.5 15.5 21 21",
  close: "M6 6l12 12M18 6 6 18",
  back: "M14 5l-7 7 7 7",
  settings:
    "M4 7h9m5 0h2M4 17h2m5 0h9M13 7a2.5 2.5 0 1 0 5 0 2.5 2.5 0 0 0-5 0M6 17a2.5 2.5 0 1 0 5 0 2.5 2.5 0 0 0-5 0",
  model: "M12 3l8 4.5v9L12 21l-8-4.5v-9zM4 7.5l8 4.5 8-4.5M12 12v9",
  theme: "M12 4a8 8 0 1 0 0 16zM12 4a8 8 0 0 1 0 16",
  trash: "M5 7h14M10 7V4h4v3M7 7l1 13h8l1-13M10.5 11v5.5M13.5 11v5.5",
  more: "M5 11.3a.7.7 0 1 1 0 1.4.7.7 0 0 1 0-1.4M12 11.3a.7.7 0 1 1 0 1.4.7.7 0 0 1 0-1.4M19 11.3a.7.7 0 1 1 0 1.4.7.7 0 0 1 0-1.4",
  window: "M12 4a8 8 0 1 1 0 16 8 8 0 0 1 0-16M12 4v16M12 8h6.5M12 12h8M12 16h6.5",
  pan: "M12 3v18M3 12h18M12 3l-2.5 2.5M12 3l2.5 2.5M12 21l-2.5-2.5M12 21l2.5-2.5M3 12l2.5-2.5M3 12l2.5 2.5M21 12l-2.5-2.5M21 12l-2.5 2.5",
  zoom: "M10.5 4a6.5 6.5 0 1 1 0 13 6.5 6.5 0 0 1 0-13M15.5 15.5 21 21M8 10.5h5M10.5 8v5",
  scroll: "M12 3v18M12 3 8.5 6.5M12 3l3.5 3.5M12 21l-3.5-3.5M12 21l3.5-3.5M5 12h14",
  region: "M8 6h8M8 18h8M6 8v8M18 8v8M4 4h4v4H4zM16 4h4v4h-4zM4 16h4v4H4zM16 16h4v4h-4z",
  invert: "M4 4h16v16H4zM4 20 20 4M9.5 20 20 9.5M15 20l5-5",
  flip: "M12 3v18M9 7 4 17h5zM15 7l5 10h-5z",
  rotate: "M19 12a7 7 0 1 1-2.4-5.3M19 3.5V8h-4.5",
  reset: "M5 12a7 7 0 1 0 2.4-5.3M5 3.5V8h4.5",
  fit: "M4 9V4h5M15 4h5v5M20 15v5h-5M9 20H4v-5M9 9h6v6H9z",
  length: "M4 16 16 4l4 4L8 20zM7 13l2 2M10 10l2.5 2.5M13 7l2 2",
  one: "M5 8.5 7.5 7v10M16 8.5 18.5 7v10M12 10v.01M12 15v.01",
  header: "M6 3h9l4 4v14H6zM9 11h7M9 15h7M9 7h3",
  help: "M12 4a8 8 0 1 1 0 16 8 8 0 0 1 0-16M9.7 9.9a2.3 2.3 0 1 1 3.3 2c-.7.4-1 .9-1 1.7M12 16.4v.01",
  info: "M12 4a8 8 0 1 1 0 16 8 8 0 0 1 0-16M12 11v5M12 8v.01",
  warning: "M12 4 2.8 20h18.4zM12 10v4.5M12 17.2v.01",
  image: "M4 5h16v14H4zM4 16l5-5 4 4 2.5-2.5L20 17M15 9h.01",
  phantom:
    "M12 3a9 9 0 1 1 0 18 9 9 0 0 1 0-18M9 9.5a2 2 0 1 1 0 4 2 2 0 0 1 0-4M15 9.5a2 2 0 1 1 0 4 2 2 0 0 1 0-4",
  copy: "M9 9h11v11H9zM5 15H4V4h11v1",
  print: "M7 9V4h10v5M7 17H4V9h16v8h-3M7 14h10v6H7z",
  lock: "M6 11h12v9H6zM8.5 11V8a3.5 3.5 0 0 1 7 0v3",
  chevron: "M7 10l5 5 5-5",
  play: "M8 5l11 7-11 7z",
  pause: "M8 5v14M16 5v14",
  stop: "M7 7h10v10H7z",
  ask: "M4 5h16v11H9l-4 4v-4H4z",
  eye: "M2.5 12S6 6 12 6s9.5 6 9.5 6-3.5 6-9.5 6-9.5-6-9.5-6M12 9.5a2.5 2.5 0 1 1 0 5 2.5 2.5 0 0 1 0-5",
} as const;

export type IconName = keyof typeof outlines;

/** Decorative: the control it stands in carries the name. */
export function Icon({ name }: { readonly name: IconName }) {
  return (
    <svg className="icon" viewBox="0 0 24 24" aria-hidden="true" focusable="false">
      <path d={outlines[name]} />
    </svg>
  );
}
