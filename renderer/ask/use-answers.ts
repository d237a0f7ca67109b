import { useCallback, useEffect, useRef, useState } from "react";
import type { Client } from "../../core/client.ts";
import { errorRecord } from "../../core/errors.ts";
import type { FrameSummary } from "../../core/frame.ts";
import type { AnswerEvent, QuestionInput } from "../../core/question.ts";
import type { StudyUid } from "../../core/study.ts";
import type { View } from "../../core/view.ts";
import { listAnswers } from "./list-answers.ts";
import { forgetOpen, type OpenAnswer, rememberOpen } from "./open-answers.ts";
import {
  type AnswerCardState,
  cardOfRecord,
  failCard,
  foldAnswer,
  isOpen,
  startCard,
} from "./fold-answer.ts";

export interface AskRequest {
  readonly question: string;
  readonly subject: FrameSummary;
  readonly views: readonly View[];
  readonly unseenSlices: number;
  readonly groundBudgetSeconds: number;
}

export interface Answers {
  /** Oldest first. */
  readonly cards: readonly AnswerCardState[];
  /** What is missing of the saved answers, and why; null where nothing is. */
  readonly loadError: string | null;
  ask(request: AskRequest): void;
  stop(key: string): void;
  /** Tests the evidence of a saved answer now, without a budget. */
  ground(key: string): void;
  remove(key: string): void;
}

/** The answers of one study: the saved ones and those that are being given. */
export function useAnswers(client: Client, studyInstanceUid: StudyUid): Answers {
  const [cards, setCards] = useState<readonly AnswerCardState[]>([]);
  const [loadError, setLoadError] = useState<string | null>(null);
  const running = useRef(new Map<string, AbortController>());
  /** Ids of the answers that this page is being given. */
  const given = useRef(new Set<string>());

  useEffect(() => {
    const controller = new AbortController();
    const { signal } = controller;
    const isRunning = (id: string) => given.current.has(id);
    const saved = listAnswers(client, studyInstanceUid, { signal, isRunning });
    async function show() {
      for await (const { records, lost } of saved) {
        if (signal.aborted) return;
        setLoadError(lost.length === 0 ? null : lostText(lost));
        setCards((all) => {
          // Answers that are still being given stay, of whichever study; the rest is read anew.
          const open = all.filter(isOpen);
          const openIds = new Set(open.map((card) => card.id));
          const others = records.map(cardOfRecord).filter((card) => !openIds.has(card.id));
          return [...others, ...open].toSorted((a, b) => a.askedAt.localeCompare(b.askedAt));
        });
      }
    }
    show().catch((thrown: unknown) => {
      if (!signal.aborted) setLoadError(`Earlier answers could not be read. ${errorRecord(thrown).message}`);
    });
    return () => controller.abort();
  }, [client, studyInstanceUid]);

  // Leaving a study does not stop its answers: they are saved when done and read again on return. Only an unmount
  // of the whole panel with the page ends them, and the host notices that by itself.

  const follow = useCallback(
    async (
      { key, question }: Asked,
      open: (signal: AbortSignal) => AsyncGenerator<AnswerEvent, void, void>,
    ) => {
      const controller = new AbortController();
      running.current.set(key, controller);
      let id: string | null = null;
      try {
        for await (const event of open(controller.signal)) {
          if (event.type === "accepted") {
            id = event.id;
            given.current.add(id);
            rememberOpen({ id, study: event.subject.studyInstanceUid, question });
          }
          setCards(changeCard(key, (card) => foldAnswer(card, event)));
        }
      } catch (thrown) {
        setCards(changeCard(key, (card) => failCard(card, errorRecord(thrown))));
      } finally {
        running.current.delete(key);
        if (id !== null) {
          given.current.delete(id);
          forgetOpen(id);
        }
      }
    },
    [],
  );

  const ask = useCallback(
    (request: AskRequest) => {
      const key = crypto.randomUUID();
      const { question, subject, views } = request;
      const asked = { key, askedAt: new Date().toISOString(), question, subject, views };
      setCards((all) => [...all, startCard(asked)]);
      const input: QuestionInput = {
        question,
        views: views.slice(),
        unseenSlices: request.unseenSlices,
        groundBudgetSeconds: request.groundBudgetSeconds,
      };
      void follow({ key, question }, (signal) => client.stream("answers.ask", input, signal));
    },
    [client, follow],
  );

  const stop = useCallback((key: string) => running.current.get(key)?.abort(), []);

  const ground = useCallback(
    (key: string) => {
      const card = cards.find((one) => one.key === key);
      const id = card?.id;
      if (!id || running.current.has(key)) return;
      setCards(changeCard(key, (one) => ({ ...one, status: { type: "testing", progress: null } })));
      const { question } = card;
      void follow({ key, question }, (signal) => client.stream("answers.ground", { id }, signal));
    },
    [cards, client, follow],
  );

  const remove = useCallback(
    (key: string) => {
      const id = cards.find((card) => card.key === key)?.id;
      running.current.get(key)?.abort();
      setCards((all) => all.filter((card) => card.key !== key));
      if (id)
        void client
          .call("answers.delete", { id })
          .catch((thrown: unknown) => setLoadError(errorRecord(thrown).message));
    },
    [cards, client],
  );

  const ofStudy = cards.filter((card) => card.subject.studyInstanceUid === studyInstanceUid);
  return { cards: ofStudy, loadError, ask, stop, ground, remove };
}

type Asked = Pick<AnswerCardState, "key" | "question">;

function lostText(lost: readonly OpenAnswer[]): string {
  const [first] = lost;
  return `The answer to "${first!.question}" was cut off before it said anything. Ask again.`;
}

type Cards = readonly AnswerCardState[];

function changeCard(key: string, step: (card: AnswerCardState) => AnswerCardState): (all: Cards) => Cards {
  return (all) => all.map((card) => (card.key === key ? step(card) : card));
}
