export type Screen = "studies" | "viewer" | "models" | "settings";

export interface Place {
  readonly screen: Screen;
  /** Study Instance UID. */
  readonly study: string | null;
}

const key = "meditron-place";
const screens: readonly string[] = ["studies", "viewer", "models", "settings"];

/** Where this window is, so that a reload comes back to it. Lives as long as the window. */
export function keepPlace(place: Place): void {
  sessionStorage.setItem(key, JSON.stringify(place));
}

export function keptPlace(): Place {
  try {
    const kept = JSON.parse(sessionStorage.getItem(key) ?? "null") as Partial<Place> | null;
    const screen = screens.includes(kept?.screen ?? "") ? (kept!.screen as Screen) : "studies";
    return { screen, study: typeof kept?.study === "string" ? kept.study : null };
  } catch {
    return { screen: "studies", study: null };
  }
}
