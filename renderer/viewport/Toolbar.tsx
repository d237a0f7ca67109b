import { Icon, type IconName } from "../ui/Icon.tsx";
import { IconButton } from "../ui/IconButton.tsx";
import { Menu } from "../ui/Menu.tsx";
import { fit, zoomOneToOne } from "./gestures.ts";
import { flippedSideways, turned } from "./keys.ts";
import { hasWindow } from "./presentation.ts";
import { useViewport, type ViewportState, type ViewportStore, type ViewportTool } from "./viewport-store.ts";
import { windowPresets } from "./window-presets.ts";

const tools = [
  { tool: "window", icon: "window", caption: "Window", label: "Window (drag)", key: "W" },
  { tool: "zoom", icon: "zoom", caption: "Zoom", label: "Zoom (drag)", key: "Z" },
  { tool: "pan", icon: "pan", caption: "Pan", label: "Pan (drag)", key: "P" },
  { tool: "scroll", icon: "scroll", caption: "Scroll", label: "Scroll (drag)", key: "S" },
  { tool: "length", icon: "length", caption: "Length", label: "Length (drag)", key: "L" },
  { tool: "region", icon: "region", caption: "Region", label: "Region to ask about (drag)", key: "E" },
] as const satisfies readonly {
  tool: ViewportTool;
  icon: string;
  caption: string;
  label: string;
  key: string;
}[];

interface Action {
  readonly icon: IconName;
  readonly caption: string;
  readonly label: string;
  readonly shortcut: string;
  /** Left out where nothing stays on. */
  readonly pressed?: (state: ViewportState) => boolean;
  readonly run: (store: ViewportStore) => void;
}

/** What is done to the image at once, in the order of the buttons. */
const actions: readonly Action[] = [
  {
    icon: "invert",
    caption: "Invert",
    label: "Invert",
    shortcut: "I",
    pressed: ({ invert }) => invert,
    run: (store) => store.setInvert(!store.getState().invert),
  },
  {
    icon: "flip",
    caption: "Flip",
    label: "Flip left-right",
    shortcut: "H",
    pressed: ({ camera }) => camera.turn.flip,
    run: (store) => store.setTurn(flippedSideways(store.getState().camera.turn)),
  },
  {
    icon: "rotate",
    caption: "Turn",
    label: "Turn right",
    shortcut: "T",
    pressed: ({ camera }) => camera.turn.rotate !== 0,
    run: (store) => store.setTurn(turned(store.getState().camera.turn)),
  },
  { icon: "fit", caption: "Fit", label: "Fit to the window", shortcut: "F", run: fit },
  {
    icon: "one",
    caption: "1:1",
    label: "1:1, one image pixel on one screen pixel",
    shortcut: "O",
    run: zoomOneToOne,
  },
  { icon: "reset", caption: "Reset", label: "Reset the view", shortcut: "R", run: (store) => store.reset() },
];

interface ToolbarProps {
  readonly store: ViewportStore;
  readonly onHeader: () => void;
  readonly onHelp: () => void;
}

export function Toolbar({ store, onHeader, onHelp }: ToolbarProps) {
  const state = useViewport(store);
  const { image, tool, voi, series, frames, playing } = state;
  const ready = image.status === "ready";
  const presets =
    ready && hasWindow(image.frame) ? windowPresets(image.frame, image.summary.facts.modality) : [];
  return (
    <div className="toolbar" role="toolbar" aria-label="Image tools">
      {tools.map((entry) => (
        <IconButton
          key={entry.tool}
          icon={entry.icon}
          caption={entry.caption}
          label={entry.label}
          shortcut={entry.key}
          pressed={tool === entry.tool}
          {...(entry.tool === "window" ? { edge: "start" as const } : {})}
          onClick={() => store.setTool(entry.tool)}
        />
      ))}
      <span className="toolbar-line" />
      {presets.length > 0 && (
        <Menu
          label="Window presets"
          className="button button-quiet"
          items={presets.map((preset, index) => ({
            key: preset.key,
            label: preset.label,
            note: presetText(preset.voi),
            ...(index < 9 ? { shortcut: `${index + 1}` } : {}),
            checked: JSON.stringify(preset.voi) === JSON.stringify(voi),
            onChoose: () => store.setVoi(preset.voi),
          }))}
        >
          Presets
          <Icon name="chevron" />
        </Menu>
      )}
      {actions.map(({ icon, caption, label, shortcut, pressed, run }) => (
        <IconButton
          key={icon}
          icon={icon}
          caption={caption}
          label={label}
          shortcut={shortcut}
          {...(pressed ? { pressed: pressed(state) } : {})}
          disabled={!ready}
          onClick={() => run(store)}
        />
      ))}
      {frames.length > 1 && (
        <IconButton
          icon={playing ? "pause" : "play"}
          caption={playing ? "Stop" : "Play"}
          label={playing ? "Stop the stack" : "Play the stack"}
          shortcut="Space"
          onClick={() => store.setPlaying(!playing)}
        />
      )}
      <span className="toolbar-space" />
      <IconButton
        icon="header"
        caption="Header"
        label="DICOM header"
        edge="end"
        disabled={!series}
        onClick={onHeader}
      />
      <IconButton
        icon="help"
        caption="Help"
        label="Help: keyboard and mouse"
        shortcut="?"
        edge="end"
        onClick={onHelp}
      />
    </div>
  );
}

function presetText(voi: ReturnType<typeof windowPresets>[number]["voi"]): string {
  return voi?.kind === "window" ? `W ${voi.width} C ${voi.center}` : "";
}
