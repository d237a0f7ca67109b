/** What is asked about a finding, and the answers that state it as present and as absent. */
export interface Claim {
  readonly question: string;
  readonly present: string;
  readonly absent: string;
}

/** The wording that the embedded pack was trained on (models/training/questions.py). */
export const trainedClaims: Readonly<Record<string, Claim>> = {
  fracture: thereIs("a fracture"),
  lesion: thereIs("a lesion"),
  malignant: {
    question: "Is the lesion malignant?",
    present: "Yes. The lesion is suspicious for malignancy.",
    absent: "No. The lesion looks benign.",
  },
  Atelectasis: thereIs("atelectasis"),
  Cardiomegaly: {
    question: "Is the heart enlarged?",
    present: "Yes. The heart is enlarged.",
    absent: "No. The heart is not enlarged.",
  },
  Effusion: thereIs("a pleural effusion"),
  Infiltration: thereIs("an infiltrate"),
  Mass: thereIs("a lung mass"),
  Nodule: thereIs("a lung nodule"),
  Pneumonia: thereIs("pneumonia"),
  Pneumothorax: thereIs("a pneumothorax"),
};

function thereIs(finding: string): Claim {
  const bare = finding.replace(/^an? /, "");
  return {
    question: `Is there ${finding}?`,
    present: `Yes. There is ${finding}.`,
    absent: `No. There is no ${bare}.`,
  };
}
