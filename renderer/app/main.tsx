import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import "../ui/tokens.css";
import "../ui/ui.css";
import "../ui/fields.css";
import "../ui/overlays.css";
import "./app.css";
import { App } from "./App.tsx";
import { ErrorBoundary } from "./ErrorBoundary.tsx";
import { applyTheme } from "./theme.ts";

applyTheme();
createRoot(document.querySelector("#root")!).render(
  <StrictMode>
    <ErrorBoundary>
      <App />
    </ErrorBoundary>
  </StrictMode>,
);
