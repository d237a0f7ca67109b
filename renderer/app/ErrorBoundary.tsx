import { Component, type ReactNode } from "react";
import { Button } from "../ui/Button.tsx";
import { EmptyState } from "../ui/EmptyState.tsx";

interface ErrorBoundaryProps {
  readonly children: ReactNode;
}

/** A screen that breaks says so; the archive and the answers are safe in their own processes. */
export class ErrorBoundary extends Component<ErrorBoundaryProps, { readonly broken: boolean }> {
  override state = { broken: false };

  static getDerivedStateFromError(): { broken: boolean } {
    return { broken: true };
  }

  override render() {
    if (!this.state.broken) return this.props.children;
    return (
      <EmptyState
        icon="warning"
        title="This screen stopped"
        text="Something went wrong while drawing it. Studies and answers are kept. Load the screen again to go on."
      >
        <Button kind="primary" onClick={() => location.reload()}>
          Load again
        </Button>
      </EmptyState>
    );
  }
}
