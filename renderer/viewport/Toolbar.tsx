import { Icon } from "../ui/Icon.tsx";
import { IconButton } from "../ui/IconButton.tsx";
import { Menu } from "../ui/Menu.tsx";
import { flipped, turned } from "./keys.ts";
import { hasWindow } from "./presentation.ts";
import { useViewport, type ViewportStore, type ViewportTool } from "./viewport-store.ts";
import { windowPresets } from "./window-presets.ts";

const tools = [
  { tool: "window", icon: "window", label: "Window (drag)", key: "W" },
  { tool: "zoom", icon: "zoom", label: "Zoom (drag)", key: "Z" },
  { tool: "pan", icon: "pan", label: "Pan (drag)", key: "P" },
  { tool: "scroll", icon: "scroll", label: "Scroll (drag)", key: "S" },
  { tool: "region", icon: "region", label: "Mark a region to ask about", key: "E" },
] as const satisfies readonly { tool: ViewportTool; icon: string; label: string; key: string }[];

interface ToolbarProps {
  readonly store: ViewportStore;
  readonly onHeader: () => void;
}

export function Toolbar({ store, onHeader }: ToolbarProps) {
  const { image, tool, voi, invert, camera, series } = useViewport(store);
  const ready = image.status === "ready";
  const presets =
    ready && hasWindow(image.frame) ? windowPresets(image.frame, image.summary.facts.modality) : [];
  return (
    <div className="toolbar" role="toolbar" aria-label="Image tools">
      {tools.map((entry) => (
        <IconButton
          key={entry.tool}
          icon={entry.icon}
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
      <IconButton
        icon="invert"
        label="Invert"
        shortcut="I"
        pressed={invert}
        disabled={!ready}
        onClick={() => store.setInvert(!invert)}
      />
      <IconButton
        icon="flip"
        label="Flip left-right"
        shortcut="H"
        pressed={camera.turn.flip}
        disabled={!ready}
        onClick={() => store.setTurn(flipped(camera.turn))}
      />
      <IconButton
        icon="rotate"
        label="Turn right"
        shortcut="T"
        pressed={camera.turn.rotate !== 0}
        disabled={!ready}
        onClick={() => store.setTurn(turned(camera.turn))}
      />
      <IconButton icon="fit" label="Reset the view" shortcut="R" disabled={!ready} onClick={store.reset} />
      <span className="toolbar-space" />
      <IconButton icon="header" label="DICOM header" edge="end" disabled={!series} onClick={onHeader} />
    </div>
  );
}

function presetText(voi: ReturnType<typeof windowPresets>[number]["voi"]): string {
  return voi?.kind === "window" ? `W ${voi.width} C ${voi.center}` : "";
}
