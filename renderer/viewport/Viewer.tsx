import { useCallback, useEffect, useMemo, useState } from "react";
import type { Client } from "../../core/client.ts";
import type { FrameSummary } from "../../core/frame.ts";
import type { Series, Study } from "../../core/study.ts";
import { AskPanel, type AskTarget } from "../ask/AskPanel.tsx";
import { useCall } from "../app/use-call.ts";
import { questionFieldId } from "../ask/QuestionForm.tsx";
import { countBySeries } from "../studies/conflicts.ts";
import { ConflictsDialog } from "../studies/ConflictsDialog.tsx";
import { SplitHandle } from "../ui/SplitHandle.tsx";
import { captureView, seenPart } from "./capture-view.ts";
import { fit } from "./gestures.ts";
import { HeaderDialog } from "./HeaderDialog.tsx";
import { HelpDialog } from "./HelpDialog.tsx";
import { handleViewerKey, isTyping } from "./keys.ts";
import { SeriesStrip } from "./SeriesStrip.tsx";
import { SliceSlider } from "./SliceSlider.tsx";
import { Stage } from "./Stage.tsx";
import { cineRate, techniqueText } from "./technique.ts";
import { Toolbar } from "./Toolbar.tsx";
import { useCine } from "./use-cine.ts";
import { sameRef, useViewportPart, useViewportValue, type ViewportStore } from "./viewport-store.ts";
import "./viewport.css";

interface ViewerProps {
  readonly client: Client;
  readonly study: Study;
  readonly store: ViewportStore;
  readonly groundBudgetSeconds: number;
  /** False while another screen is in front: keys belong to that one then. */
  readonly active: boolean;
  /** Another file of an image was chosen to be shown. */
  readonly onChosen: () => void;
}

const widthKey = "meditron-assistant-width";

export function Viewer(props: ViewerProps) {
  const { client, study, store, groundBudgetSeconds, active, onChosen } = props;
  const seriesOfStudy = useViewportPart(store, "seriesOfStudy");
  const series = useViewportPart(store, "series");
  const image = useViewportPart(store, "image");
  const [dialog, setDialog] = useState<"header" | "help" | null>(null);
  const [comparing, setComparing] = useState<Series | null>(null);
  const conflicts = useConflicts(client, study);
  const [width, setWidth] = useState(() => Number(localStorage.getItem(widthKey)) || 380);
  const { technique, rate } = useTechnique(client, store);
  useCine(store, rate);
  const target = useAskTarget(store);
  const instance = image.status === "empty" ? series?.instances[0]?.sopInstanceUid : image.ref.sopInstanceUid;

  // What stands in front of the image has the keys.
  const covered = dialog !== null || comparing !== null;

  useEffect(() => {
    if (!active || covered) return;
    const onKey = (event: KeyboardEvent) => {
      if (openedByKey(event, () => setDialog("help")) || handleViewerKey(event, store))
        event.preventDefault();
    };
    document.addEventListener("keydown", onKey);
    return () => document.removeEventListener("keydown", onKey);
  }, [active, covered, store]);

  function resize(next: number) {
    setWidth(next);
    localStorage.setItem(widthKey, String(next));
  }

  return (
    <main className="viewer">
      <SeriesStrip
        client={client}
        seriesOfStudy={seriesOfStudy}
        shown={series}
        conflicts={conflicts}
        onOpen={(chosen) => store.openSeries(chosen)}
        onCompare={setComparing}
      />
      <div className="viewer-main">
        <Toolbar store={store} onHeader={() => setDialog("header")} onHelp={() => setDialog("help")} />
        <div className="viewer-image">
          <Stage store={store} technique={technique} />
          <SliceSlider store={store} />
        </div>
      </div>
      <SplitHandle label="Width of the assistant" width={width} min={300} max={640} onResize={resize} />
      <aside className="viewer-side" style={{ width: `${width}px` }}>
        <AskPanel
          client={client}
          studyInstanceUid={study.studyInstanceUid}
          target={target}
          groundBudgetSeconds={groundBudgetSeconds}
        />
      </aside>
      {dialog === "header" && instance && (
        <HeaderDialog client={client} sopInstanceUid={instance} onClose={() => setDialog(null)} />
      )}
      {comparing && (
        <ConflictsDialog
          client={client}
          studyInstanceUid={study.studyInstanceUid}
          series={comparing.seriesInstanceUid}
          onClose={() => setComparing(null)}
          onChanged={onChosen}
        />
      )}
      {dialog === "help" && <HelpDialog onClose={() => setDialog(null)} />}
    </main>
  );
}

const none: ReadonlyMap<string, number> = new Map();

/** Files that are kept beside others, by series; none where that cannot be read: the images are what matters here. */
function useConflicts(client: Client, { studyInstanceUid }: Study): ReadonlyMap<string, number> {
  const read = useCallback(
    async (signal: AbortSignal) =>
      countBySeries(await client.call("studies.variants", { studyInstanceUid }, signal)),
    [client, studyInstanceUid],
  );
  const [conflicts] = useCall(read);
  return conflicts.status === "ready" ? conflicts.value : none;
}

/** Keys that lead out of the image: "?" to the help sheet, A to the question. */
function openedByKey(event: KeyboardEvent, openHelp: () => void): boolean {
  if (event.ctrlKey || event.altKey || event.metaKey || isTyping(event.target)) return false;
  if (event.key === "?") openHelp();
  else if (event.key.toLowerCase() === "a") document.getElementById(questionFieldId)?.focus();
  else return false;
  return true;
}

/** What the assistant sees of the viewport. */
function useAskTarget(store: ViewportStore): AskTarget {
  const image = useViewportPart(store, "image");
  const frames = useViewportPart(store, "frames");
  const seen = useViewportValue(store, seenPart);
  const subject = image.status === "ready" ? image.summary : null;
  const showOverlay = useCallback<AskTarget["showOverlay"]>(
    (overlay) => {
      const before = store.getState().overlay;
      store.setOverlay(overlay);
      // While the evidence is refined the same frame comes again and again: who has scrolled on is not pulled back.
      if (!overlay || (before && sameRef(before, overlay))) return;
      const { seriesInstanceUid, sopInstanceUid, frame } = overlay;
      store.showFrame({ series: seriesInstanceUid, instance: sopInstanceUid, frame });
    },
    [store],
  );
  return useMemo(
    () => ({
      subject,
      imageCount: frames.length,
      seen,
      captureView() {
        store.setPlaying(false);
        return captureView(store.getState());
      },
      showWhole() {
        store.setRegions([]);
        fit(store);
      },
      showOverlay,
      showSubject: ({ seriesInstanceUid: series, sopInstanceUid, frame }: FrameSummary) => {
        store.showFrame({ series, instance: sopInstanceUid, frame });
      },
    }),
    [store, subject, frames, seen, showOverlay],
  );
}

interface Technique {
  readonly technique: string;
  /** Frames a second; null where the header does not say. */
  readonly rate: number | null;
}

const unread: Technique = { technique: "", rate: null };

/** Read once a series: the header of a slice is not read again for every step through a stack. */
function useTechnique(client: Client, store: ViewportStore): Technique {
  const series = useViewportPart(store, "series");
  const [read, setRead] = useState<{ readonly series: Series; readonly of: Technique } | null>(null);
  useEffect(() => {
    const first = series?.instances.find(({ hasPixels }) => hasPixels);
    if (!series || !first) return;
    const controller = new AbortController();
    client
      .call("frames.header", { sopInstanceUid: first.sopInstanceUid }, controller.signal)
      .then((elements) =>
        setRead({ series, of: { technique: techniqueText(elements), rate: cineRate(elements) } }),
      )
      // A line of the corner text: what is wrong with the file is said where the image stands.
      .catch(() => undefined);
    return () => controller.abort();
  }, [client, series]);
  return read !== null && read.series === series ? read.of : unread;
}
