import type { HeaderFacts } from "../core/frame.ts";
import type { IntendedInput } from "../core/model-pack.ts";
import type { Scope } from "../core/question.ts";

/** Plain radiographs come under three modalities that look alike (PS3.3 C.7.3.1.1.1). */
const modalitySynonyms: Readonly<Record<string, string>> = {
  CR: "CR",
  DX: "CR",
  RG: "CR",
  XR: "CR",
  "X-RAY": "CR",
  XRAY: "CR",
  "CT SCAN": "CT",
  MRI: "MR",
  ULTRASOUND: "US",
  MAMMOGRAPHY: "MG",
};

const bodyPartSynonyms: Readonly<Record<string, string>> = {
  THORAX: "CHEST",
  LUNG: "CHEST",
  LUNGS: "CHEST",
  BREASTS: "BREAST",
  MAMMA: "BREAST",
  HANDS: "HAND",
  FEET: "FOOT",
  SKULL: "HEAD",
  BRAIN: "HEAD",
  TIBIAFIBULA: "LEG",
  TIBIA: "LEG",
  CALF: "LEG",
  THIGH: "FEMUR",
  UPPEREXTREMITY: "UPPERLIMB",
  LOWEREXTREMITY: "LOWERLIMB",
};

/** Terms that name more than one part: they may hold what a pack is for, or not. */
const wideParts: Readonly<Record<string, readonly string[]>> = {
  UPPERLIMB: [
    "HAND",
    "WRIST",
    "FOREARM",
    "ELBOW",
    "HUMERUS",
    "ARM",
    "SHOULDER",
    "CLAVICLE",
    "FINGER",
    "THUMB",
  ],
  ARM: ["HUMERUS", "FOREARM", "ELBOW"],
  LOWERLIMB: ["FOOT", "ANKLE", "LEG", "KNEE", "FEMUR", "HIP", "TOE", "CALCANEUS"],
  CHESTABDOMEN: ["CHEST", "ABDOMEN"],
  CHESTABDPELVIS: ["CHEST", "ABDOMEN", "PELVIS"],
  ABDOMENPELVIS: ["ABDOMEN", "PELVIS"],
  HEADNECK: ["HEAD", "NECK"],
};
const anyPart: ReadonlySet<string> = new Set(["WHOLEBODY", "EXTREMITY"]);

const viewSynonyms: Readonly<Record<string, string>> = {
  LL: "LATERAL",
  RL: "LATERAL",
  LAT: "LATERAL",
  LLD: "DECUBITUS",
  RLD: "DECUBITUS",
  LLO: "OBLIQUE",
  RLO: "OBLIQUE",
  OBL: "OBLIQUE",
};

const modalityNames: Readonly<Record<string, string>> = {
  CR: "radiographs",
  CT: "CT",
  MR: "MR",
  US: "ultrasound",
  MG: "mammograms",
};

type Match = "yes" | "no" | "unknown";
type Field = "modality" | "bodyPart" | "view";
const fieldNames: Readonly<Record<Field, string>> = {
  modality: "modality",
  bodyPart: "body part",
  view: "view",
};

/**
 * Whether a pack is for an image, from the closed header facts alone. Out: the reason says what the image is and
 * what the pack is for. Uncertain: the header leaves a fact open that decides. An empty list means "any".
 */
export function judgeScope(intendedFor: readonly IntendedInput[], facts: HeaderFacts): Scope {
  if (intendedFor.length === 0) {
    return { status: "not-assessed", reason: "The model pack does not say which images it is for." };
  }
  const judged = intendedFor.map((intended) => judgeOne(intended, facts));
  const fit = fitting(judged);
  if (fit) return { status: "in", reason: purpose([fit.intended]) };
  const open = judged.filter(({ matches }) => Object.values(matches).every((match) => match !== "no"));
  const [best] = open.toSorted((a, b) => unknownFields(a.matches).length - unknownFields(b.matches).length);
  if (!best) {
    return {
      status: "out",
      reason: `${purpose(intendedFor)} This is ${described(facts)}.`,
    };
  }
  const missing = unknownFields(best.matches).map((field) => fieldNames[field]);
  return {
    status: "uncertain",
    reason: `The header does not say enough about the ${missing.join(" and ")}. ${purpose(intendedFor)}`,
  };
}

/** The name of the entry that an image fits in every respect; null: none, or the header leaves it open. */
export function kindOf(intendedFor: readonly IntendedInput[], facts: HeaderFacts): string | null {
  return fitting(intendedFor.map((intended) => judgeOne(intended, facts)))?.intended.name ?? null;
}

function fitting(judged: readonly Judged[]): Judged | undefined {
  return judged.find(({ matches }) => Object.values(matches).every((match) => match === "yes"));
}

/** The verdict over all views of a question: one image outside is enough. */
export function judgeScopes(intendedFor: readonly IntendedInput[], facts: readonly HeaderFacts[]): Scope {
  const scopes = facts.map((one) => judgeScope(intendedFor, one));
  const rank = ["out", "uncertain", "not-assessed", "in"] as const;
  return scopes.toSorted((a, b) => rank.indexOf(a.status) - rank.indexOf(b.status))[0]!;
}

/** The header's facts with the modality that the caller gave where the header has none. Unknown words stay out. */
export function factsOf(facts: HeaderFacts, askedModality: string | null): HeaderFacts {
  if (facts.modality !== null || askedModality === null) return facts;
  const asked = askedModality.trim().toUpperCase();
  const common = canonical(asked, modalitySynonyms);
  const known = /^(?:CR|DX|CT|MR|US|MG|NM|PT|XA|RF|OT)$/.test(asked);
  return { ...facts, modality: known ? asked : Object.hasOwn(modalityNames, common) ? common : null };
}

/**
 * The one line of header facts that enters a prompt, or "". Only short terms of capital letters pass, so that no
 * text of a header can speak to the model.
 */
export function headerLine({ modality, bodyPart, view }: HeaderFacts): string {
  const fields: [name: string, value: string | null][] = [
    ["Modality", modality],
    ["Body part", bodyPart],
    ["View", view],
  ];
  return fields
    .filter(([, value]) => value !== null && /^[A-Z]{2,16}$/.test(value))
    .map(([name, value]) => `${name}: ${value}.`)
    .join(" ");
}

interface Judged {
  readonly intended: IntendedInput;
  readonly matches: Readonly<Record<Field, Match>>;
}

function judgeOne(intended: IntendedInput, facts: HeaderFacts): Judged {
  return {
    intended,
    matches: {
      modality: among(intended.modalities, facts.modality, modalitySynonyms),
      bodyPart: partAmong(intended.bodyParts, facts.bodyPart),
      view: among(intended.views, facts.view, viewSynonyms),
    },
  };
}

function among(
  allowed: readonly string[],
  value: string | null,
  synonyms: Readonly<Record<string, string>>,
): Match {
  if (allowed.length === 0) return "yes";
  if (value === null) return "unknown";
  return allowed.some((one) => canonical(one, synonyms) === canonical(value, synonyms)) ? "yes" : "no";
}

function partAmong(allowed: readonly string[], value: string | null): Match {
  const match = among(allowed, value, bodyPartSynonyms);
  if (match !== "no") return match;
  const part = canonical(value!, bodyPartSynonyms);
  const wanted = allowed.map((one) => canonical(one, bodyPartSynonyms));
  const holds = (wide: string, inner: string) => (wideParts[wide] ?? []).includes(inner);
  if (wanted.some((one) => holds(one, part))) return "yes";
  return anyPart.has(part) || wanted.some((one) => holds(part, one)) ? "unknown" : "no";
}

function canonical(value: string, synonyms: Readonly<Record<string, string>>): string {
  const term = value.trim().toUpperCase();
  return Object.hasOwn(synonyms, term) ? synonyms[term]! : term;
}

function unknownFields(matches: Judged["matches"]): Field[] {
  return (Object.keys(matches) as Field[]).filter((field) => matches[field] === "unknown");
}

function purpose(intendedFor: readonly IntendedInput[]): string {
  const names = intendedFor.map(({ name }) =>
    /^\p{Lu}\p{Ll}/u.test(name) ? name.charAt(0).toLowerCase() + name.slice(1) : name,
  );
  return `The model pack is for ${names.join("; ")}.`;
}

function described({ modality, bodyPart, view }: HeaderFacts): string {
  const kind =
    modality === null ? "an image" : (modalityNames[canonical(modality, modalitySynonyms)] ?? modality);
  const part = bodyPart === null ? "" : ` of the body part ${bodyPart}`;
  return `${kind}${part}${view === null ? "" : ` (view ${view})`}`;
}
