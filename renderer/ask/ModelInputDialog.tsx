import { useEffect, useState } from "react";
import type { Client } from "../../core/client.ts";
import { Dialog } from "../ui/Dialog.tsx";
import { ErrorNotice } from "../ui/ErrorNotice.tsx";
import { Progress } from "../ui/Progress.tsx";
import type { AnswerCardState } from "./fold-answer.ts";
import { placeText } from "./words.ts";

interface ModelInputDialogProps {
  readonly client: Client;
  readonly card: AnswerCardState;
  readonly onClose: () => void;
}

/** The exact pixels that the encoder was given: size, crop, window and padding as the model had them. */
export function ModelInputDialog({ client, card, onClose }: ModelInputDialogProps) {
  const [pictures, setPictures] = useState<readonly string[] | null>(null);
  const [error, setError] = useState<unknown>(null);
  const pack = card.answer?.pack.name;

  useEffect(() => {
    if (pack === undefined) return;
    const controller = new AbortController();
    const urls: string[] = [];
    async function load(packName: string) {
      for (const view of card.views) {
        const png = await client.bytes("answers.modelInput", { pack: packName, view }, controller.signal);
        urls.push(URL.createObjectURL(new Blob([png.slice()], { type: "image/png" })));
      }
      setPictures(urls.slice());
    }
    load(pack).catch((thrown: unknown) => {
      if (!controller.signal.aborted) setError(thrown);
    });
    return () => {
      controller.abort();
      for (const url of urls) URL.revokeObjectURL(url);
    };
  }, [client, card.views, pack]);

  return (
    <Dialog title="What the model saw" onClose={onClose}>
      {error !== null && <ErrorNotice title="The model input could not be made" error={error} />}
      {pictures === null && error === null && <Progress label="Making the model input" fraction={null} />}
      {pictures?.map((url, index) => (
        <figure key={url} className="model-input">
          <img src={url} alt={`Model input ${index + 1} of ${pictures.length}`} />
        </figure>
      ))}
      <p className="muted">
        {placeText(card.subject)}. These are the exact pixels that the model was given, before scaling to its
        number range. It saw nothing else of the image.
      </p>
    </Dialog>
  );
}
