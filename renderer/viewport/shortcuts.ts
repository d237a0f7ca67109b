/**
 * What keys and mouse do in the viewer: the help sheet shows this table, and a test holds docs/user-guide.md and
 * keys.ts to it.
 */
export interface Shortcut {
  readonly keys: string;
  readonly action: string;
}

export const keyboardShortcuts: readonly Shortcut[] = [
  { keys: "Arrow keys", action: "Next or previous image" },
  { keys: "Page Up, Page Down", action: "Ten images back or on" },
  { keys: "Home, End", action: "First or last image" },
  { keys: "Space", action: "Play or stop the stack" },
  { keys: "1 to 9", action: "Window preset" },
  { keys: "W", action: "Window tool" },
  { keys: "Z", action: "Zoom tool" },
  { keys: "P", action: "Pan tool" },
  { keys: "S", action: "Scroll tool" },
  { keys: "L", action: "Length tool" },
  { keys: "E", action: "Region tool: what you mark is what the model sees" },
  { keys: "+, -", action: "Zoom in or out" },
  { keys: "F", action: "Fit the image to the window" },
  { keys: "O", action: "One image pixel on one screen pixel (1:1)" },
  { keys: "I", action: "Invert" },
  { keys: "H", action: "Flip left-right" },
  { keys: "V", action: "Flip top-bottom" },
  { keys: "T", action: "Turn right by 90°" },
  { keys: "R", action: "Reset window, zoom, turn and inversion" },
  { keys: "Delete", action: "Remove the last length or the marked region" },
  { keys: "A", action: "Write a question" },
  { keys: "?", action: "This sheet" },
];

export const mouseShortcuts: readonly Shortcut[] = [
  { keys: "Wheel", action: "Next or previous image" },
  { keys: "Ctrl + wheel", action: "Zoom at the pointer" },
  { keys: "Left drag", action: "What the chosen tool does" },
  { keys: "Shift + left drag, middle drag", action: "Pan" },
  { keys: "Right drag", action: "Zoom" },
];
