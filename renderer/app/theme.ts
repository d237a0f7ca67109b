import { useSyncExternalStore } from "react";
import type { Settings } from "../../core/settings.ts";

export type Theme = Settings["theme"];

const key = "meditron-theme";
const listeners = new Set<() => void>();
const systemLight = window.matchMedia("(prefers-color-scheme: light)");

/**
 * The settings of the app hold the theme; this page keeps a copy only so that it does not flash in the other one
 * before they are read (the address, and with it localStorage, changes with every start).
 */
export function shownTheme(): Theme {
  const kept = localStorage.getItem(key);
  return kept === "light" || kept === "system" ? kept : "dark";
}

export function showTheme(theme: Theme): void {
  localStorage.setItem(key, theme);
  applyTheme();
  for (const listener of listeners) listener();
}

export function applyTheme(): void {
  const theme = shownTheme();
  const light = theme === "light" || (theme === "system" && systemLight.matches);
  document.documentElement.dataset["theme"] = light ? "light" : "dark";
}

systemLight.addEventListener("change", applyTheme);

export function useTheme(): Theme {
  return useSyncExternalStore(subscribe, shownTheme);
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}
