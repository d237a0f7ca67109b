import { useSyncExternalStore } from "react";

export type Theme = "dark" | "light" | "system";

const key = "meditron-theme";
const listeners = new Set<() => void>();
const systemLight = window.matchMedia("(prefers-color-scheme: light)");

/** Reading rooms are dark: so is the app until someone chooses otherwise. */
export function readTheme(): Theme {
  const kept = localStorage.getItem(key);
  return kept === "light" || kept === "system" ? kept : "dark";
}

export function writeTheme(theme: Theme): void {
  localStorage.setItem(key, theme);
  applyTheme();
  for (const listener of listeners) listener();
}

export function applyTheme(): void {
  const theme = readTheme();
  const light = theme === "light" || (theme === "system" && systemLight.matches);
  document.documentElement.dataset["theme"] = light ? "light" : "dark";
}

systemLight.addEventListener("change", applyTheme);

export function useTheme(): Theme {
  return useSyncExternalStore(subscribe, readTheme);
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}
