import { type PromptPart, type PromptReader, promptLength } from "../runtime/prompt-reader.ts";
import { logSumExp } from "./log-probability.ts";

export interface ScoreRequest {
  readonly prompt: readonly PromptPart[];
  /** Token ids of each text that could follow the prompt. */
  readonly continuations: readonly (readonly number[])[];
  readonly vocabulary: number;
  /** The images come again with other questions: what is read of them is kept. */
  readonly lasting?: boolean;
}

/** A token of the tree that the continuations make: what they share is read and scored once. */
interface Node {
  readonly id: number;
  readonly children: Map<number, Node>;
  /** Tokens from here to the end of the longest text. */
  reach: number;
  logProbability: number;
}

/**
 * Teacher-forced log-probabilities, `result[continuation][token]` in nats: each token given the prompt and the tokens
 * before it. The continuations are read as a tree with one cache, one short run a branch; the longest is read together
 * with the prompt, since a run over few tokens costs nearly as much as one over many.
 */
export async function scoreContinuations(
  reader: PromptReader,
  { prompt, continuations, vocabulary, lasting = false }: ScoreRequest,
  signal: AbortSignal,
): Promise<number[][]> {
  const root = treeOf(continuations);
  const length = promptLength(prompt);
  for (const { path, first } of branches(root)) {
    // The last token of a branch predicts nothing that is asked for; nor do tokens that an earlier branch read.
    const ids = path.slice(1, -1).map((node) => node.id);
    const wanted = path.slice(first, -1);
    if (wanted.length === 0) continue;
    const rows = wanted.map((_, index) => length - 1 + first + index);
    const parts: PromptPart[] = [...prompt, { type: "text", ids }];
    const { logits } = await reader.read({ parts, rows, lasting }, signal);
    for (const [index, node] of wanted.entries()) {
      const row = logits.subarray(index * vocabulary, (index + 1) * vocabulary);
      const total = logSumExp(row);
      for (const child of node.children.values()) child.logProbability = row[child.id]! - total;
    }
  }
  return continuations.map((ids) => {
    let node = root;
    return ids.map((id) => {
      node = node.children.get(id)!;
      return node.logProbability;
    });
  });
}

function treeOf(continuations: readonly (readonly number[])[]): Node {
  const root = leaf(-1);
  for (const ids of continuations) {
    let node = root;
    root.reach = Math.max(root.reach, ids.length);
    for (const [index, id] of ids.entries()) {
      let child = node.children.get(id);
      if (!child) {
        child = leaf(id);
        node.children.set(id, child);
      }
      node = child;
      node.reach = Math.max(node.reach, ids.length - 1 - index);
    }
  }
  return root;
}

function leaf(id: number): Node {
  return { id, children: new Map(), reach: 0, logProbability: 0 };
}

/** Every way from the root to an end, the longest first, then its neighbours; `first` is the first node on it that no earlier one had. */
function* branches(root: Node): Generator<{ path: Node[]; first: number }, void, void> {
  const open: { path: Node[]; first: number }[] = [{ path: [root], first: 0 }];
  for (let next = open.pop(); next; next = open.pop()) {
    const { path, first } = next;
    for (let node = path.at(-1)!; node.children.size > 0; node = path.at(-1)!) {
      const [straight, ...others] = [...node.children.values()].toSorted((a, b) => b.reach - a.reach);
      for (const other of others.toReversed()) open.push({ path: [...path, other], first: path.length });
      path.push(straight!);
    }
    yield { path, first };
  }
}
