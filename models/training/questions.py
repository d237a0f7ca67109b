"""Questions about what the encoder decided, and short declarative answers.

Answers follow the encoder's bits: "Yes. <sentence>" or "No. <sentence>" to a yes/no question, "<Choice>. <sentence>" to
an either/or question, where the sentence is the finding affirmed or negated: each sentence has its contradiction in this
file. An open question gets the same sentences by the same bits. How sure an answer is, is the probability that the bit
stands for (a bit is half of a logit). Half of the yes/no questions name the choices in a line of their own.
"""

import math
import random
from dataclasses import dataclass

from data import CHEST_FINDINGS, LIMB_REGIONS

NOT_SHOWN = "The image does not show this."


@dataclass(frozen=True)
class Finding:
    affirmed: str
    negated: str
    nouns: tuple[str, ...]  # with article where English wants one; the first is the plain name


FINDINGS = {
    "fracture": Finding("There is a fracture.", "There is no fracture.", ("a fracture", "a broken bone", "a bone fracture")),
    "hardware": Finding("There is metal hardware.", "There is no metal hardware.",
                        ("metal hardware", "an implant", "orthopedic hardware", "a plate or screws")),
    "lesion": Finding("There is a lesion.", "There is no lesion.", ("a lesion", "a mass", "a breast lesion", "a nodule", "a focal lesion")),
    "malignant": Finding("The lesion is suspicious for malignancy.", "The lesion looks benign.", ("a malignant lesion", "a suspicious lesion", "cancer", "a malignant tumor")),
    "Atelectasis": Finding("There is atelectasis.", "There is no atelectasis.", ("atelectasis", "lung collapse")),
    "Cardiomegaly": Finding("The heart is enlarged.", "The heart is not enlarged.", ("cardiomegaly", "an enlarged heart", "cardiac enlargement")),
    "Effusion": Finding("There is a pleural effusion.", "There is no pleural effusion.", ("a pleural effusion", "an effusion", "pleural fluid")),
    "Infiltration": Finding("There is an infiltrate.", "There is no infiltrate.", ("an infiltrate", "infiltration", "a lung opacity")),
    "Mass": Finding("There is a lung mass.", "There is no lung mass.", ("a lung mass", "a mass", "a mass in the lung")),
    "Nodule": Finding("There is a lung nodule.", "There is no lung nodule.", ("a lung nodule", "a nodule", "a pulmonary nodule")),
    "Pneumonia": Finding("There is pneumonia.", "There is no pneumonia.", ("pneumonia", "a pneumonia")),
    "Pneumothorax": Finding("There is a pneumothorax.", "There is no pneumothorax.", ("a pneumothorax", "a collapsed lung from pneumothorax")),
    "Consolidation": Finding("There is consolidation.", "There is no consolidation.", ("consolidation", "a consolidation")),
    "Edema": Finding("There is pulmonary edema.", "There is no pulmonary edema.", ("pulmonary edema", "lung edema")),
    "Emphysema": Finding("There is emphysema.", "There is no emphysema.", ("emphysema",)),
    "Fibrosis": Finding("There is fibrosis.", "There is no fibrosis.", ("fibrosis", "pulmonary fibrosis")),
    "Pleural_Thickening": Finding("There is pleural thickening.", "There is no pleural thickening.", ("pleural thickening",)),
    "Hernia": Finding("There is a hiatal hernia.", "There is no hiatal hernia.", ("a hiatal hernia", "a hernia")),
    "abnormal": Finding("The chest is abnormal.", "The chest looks normal.", ("an abnormality", "any abnormal finding")),
}  # fmt: skip

POLAR = [
    "Is there {np}?", "Is there {np} in this image?", "Is {np} present?", "Do you see {np}?", "Can you see {np}?",
    "Does this image show {np}?", "Does the image show {np}?", "Is there evidence of {bare}?", "Any {bare}?",
    "Is there any {bare}?", "Is {np} visible?", "Is there any sign of {bare}?", "Are there signs of {bare}?",
    "Does the patient have {np}?", "Is {bare} seen?", "{Bare}?", "Is there {np} on this study?", "Is/Are there {np}?",
]  # fmt: skip
SPECIAL_POLAR = {
    "fracture": ["Is the bone broken?", "Is a bone broken?", "Is anything fractured?", "Are there any fractures?", "Is this fractured?"],
    "malignant": ["Is the lesion malignant?", "Is it malignant?", "Is the lesion suspicious?", "Does the lesion look malignant?",
                  "Is this lesion suspicious for malignancy?", "Is the mass malignant?", "Is the lesion suspicious for cancer?"],
    "Cardiomegaly": ["Is the heart enlarged?", "Is the cardiac silhouette enlarged?", "Does the heart look enlarged?", "Is the heart too big?"],
    "abnormal": ["Is the chest abnormal?", "Is this image abnormal?", "Is there anything abnormal?", "Are there any findings?"],
    "hardware": ["Has this been operated on?", "Are there plates or screws?"],
}  # fmt: skip
INVERSE_POLAR = {
    "fracture": ["Is the bone intact?", "Are the bones intact?", "Is this radiograph normal?", "Is this image normal?"],
    "malignant": ["Is the lesion benign?", "Does the lesion look benign?", "Is it benign?", "Is this a benign lesion?"],
    "lesion": ["Is this image normal?", "Is the breast tissue normal?"],
    "Cardiomegaly": ["Is the heart size normal?", "Is the heart normal in size?"],
    "abnormal": ["Is the chest normal?", "Is this image normal?", "Is this chest radiograph normal?", "Are the lungs clear?"],
}
EITHER = {
    "fracture": [(("Fractured", "Intact"), ["Is the bone fractured or intact?"]), (("Abnormal", "Normal"), ["Is this normal or abnormal?"])],
    "malignant": [(("Malignant", "Benign"), ["Is the lesion benign or malignant?", "Is this lesion malignant or benign?", "Benign or malignant?",
                                             "Is the mass benign or malignant?"])],
    "abnormal": [(("Abnormal", "Normal"), ["Is this chest normal or abnormal?", "Normal or abnormal?"])],
}  # fmt: skip
OPEN = ["What do you see?", "Describe the findings.", "Describe the image.", "What does the image show?", "What are the findings?",
        "What is seen here?", "Report the findings.", "What can be seen on this image?", "Summarize the findings."]  # fmt: skip
WRONG = ["What is abnormal?", "What is the abnormality?", "What is wrong here?", "What is the main finding?", "What is the diagnosis?"]
WHERE = ["Where is {the}?", "Where do you see {the}?", "In which part of the image is {the}?", "What is the location of {the}?", "Locate {the}."]
REGION = ["What body part is shown?", "Which body part is this?", "What part of the body is imaged?", "Which region is shown?"]
VIEW = ["Which view is this?", "What is the view?", "What projection is this?", "Which projection was used?"]
MODALITY = ["What modality is this?", "What kind of image is this?", "Which imaging modality was used?", "How was this image taken?"]
BODY_PARTS = {
    "hand": ["HAND", "WRIST", "FOREARM", "FINGER", "ARM", "UPPER EXTREMITY"], "leg": ["LEG", "FOOT", "ANKLE", "KNEE", "LOWER LEG"],
    "hip": ["HIP", "PELVIS", "FEMUR"], "shoulder": ["SHOULDER", "HUMERUS", "CLAVICLE"],
}  # fmt: skip


def bare(noun: str) -> str:
    return noun.split(" ", 1)[1] if noun.split(" ", 1)[0] in ("a", "an") else noun


@dataclass(frozen=True)
class Shown:
    """What the encoder decided of an image."""

    kind: str  # limb | breast | chest | blank
    bits: dict[str, float]
    regions: list[str]
    views: list[str]
    place: str  # of the main finding: "the upper left"

    def says(self, name: str) -> bool:
        return self.bits[name] > 0


@dataclass(frozen=True)
class Turn:
    question: str
    answer: str
    others: tuple[tuple[str, float], ...] = ()  # other answers and how probable they are
    alone: bool = False  # only what follows from where the answers part is learned


def probability(bit: float) -> float:
    return 1 / (1 + math.exp(-2 * bit))


def with_choices(question: str, choices: tuple[str, str], rng: random.Random) -> str:
    """Half of the polar questions list their choices, in the form the app uses."""
    if rng.random() < 0.5:
        return question
    order = list(choices)
    rng.shuffle(order)
    return f"{question}\nChoices: {', '.join(c.lower() for c in order)}."


def sentence(name: str, value: bool) -> str:
    return FINDINGS[name].affirmed if value else FINDINGS[name].negated


def polar(name: str, shown: Shown, rng: random.Random) -> Turn:
    """One yes/no or either/or question on a finding, with its answer and the opposite one."""
    bit = shown.bits[name]
    draw = rng.random()
    if name in EITHER and draw < 0.12:
        (yes, no), questions = rng.choice(EITHER[name])
        question = with_choices(rng.choice(questions), (yes, no), rng)
    elif name in INVERSE_POLAR and draw < 0.27:
        yes, no, question = "No", "Yes", rng.choice(INVERSE_POLAR[name])
    else:
        yes, no, question = "Yes", "No", polar_question(name, rng)
    if yes in ("Yes", "No"):
        question = with_choices(loosen(question, rng), ("Yes", "No"), rng)
    if draw > 0.8:  # the sentence without its yes or no, as evidence scores it
        stated = [sentence(name, bit > 0), sentence(name, bit <= 0)]
        return Turn(question, stated[0], ((stated[1], probability(-abs(bit))),), alone=True)
    negated = negated_malignant(shown) if name == "malignant" else sentence(name, False)
    stated = [f"{yes}. {sentence(name, True)}", f"{no}. {negated}"]
    stated = stated if bit > 0 else stated[::-1]
    return Turn(question, stated[0], ((stated[1], probability(-abs(bit))),))


def negated_malignant(shown: Shown) -> str:
    return sentence("malignant", False) if shown.says("lesion") else sentence("lesion", False)


def polar_question(name: str, rng: random.Random) -> str:
    if name in SPECIAL_POLAR and rng.random() < (0.6 if name in ("malignant", "Cardiomegaly", "abnormal") else 0.25):
        return rng.choice(SPECIAL_POLAR[name])
    noun = FINDINGS[name].nouns[0] if rng.random() < 0.5 else rng.choice(FINDINGS[name].nouns)
    plain = bare(noun)
    return rng.choice(POLAR).format(np=noun, bare=plain, Bare=plain.capitalize())


def loosen(question: str, rng: random.Random) -> str:
    """As people type: without capitals or the question mark."""
    draw = rng.random()
    if draw < 0.08:
        return question[0].lower() + question[1:]
    if draw < 0.14:
        return question.rstrip("?").lower()
    return question


def place_name(column: int, row: int) -> str:
    """0..2 each, in terms of the image (not of the patient's side)."""
    return [["upper left", "upper middle", "upper right"], ["left", "centre", "right"], ["lower left", "lower middle", "lower right"]][row][column]


def open_turn(question: str, parts: tuple[str, str, str], bit: float) -> Turn:
    """parts: what stands before, the sentences by the bit, the sentences by its opposite."""
    before, stated, opposite = parts
    answers = [f"{before} {stated}".strip(), f"{before} {opposite}".strip()]
    return Turn(question, answers[0], ((answers[1], probability(-abs(bit))),))


def turns_for(shown: Shown, rng: random.Random, count: int = 8) -> list[Turn]:
    """count questions about an image, more than half of them yes/no."""
    if shown.kind == "blank":
        turns = [declined(any_question(rng)) for _ in range(count)]
    else:
        turns = {"limb": limb, "breast": breast, "chest": chest}[shown.kind](shown, rng)
        polars = (count + 1) // 2
        turns = turns[:polars] + rng.sample(turns[polars:], count - polars - 1) + [declined(foreign(shown.kind, rng))]
    heads = [header(shown, rng) for _ in turns]
    return [Turn(head + t.question, t.answer, t.others, t.alone) for head, t in zip(heads, turns, strict=True)]


def limb(shown: Shown, rng: random.Random) -> list[Turn]:
    bit = shown.bits["fracture"]
    where = f"It is in the {shown.place} of the image."
    both = [f"{FINDINGS['fracture'].affirmed} {where}", FINDINGS["fracture"].negated]
    stated, opposite = both if bit > 0 else both[::-1]
    region = f"The image shows the {' and '.join(shown.regions)}."
    asked = rng.choice([shown.regions[0], rng.choice([r for r in LIMB_REGIONS if r not in shown.regions])])
    return [
        *[polar("fracture", shown, rng) for _ in range(4)],
        open_turn(rng.choice(OPEN), (f"This is a radiograph of the {' and '.join(shown.regions)}.", stated, opposite), bit),
        open_turn(rng.choice(WRONG), ("", stated, opposite), bit),
        open_turn(rng.choice(WHERE).format(the="the fracture"), ("", where if bit > 0 else both[1], both[1] if bit > 0 else where), bit),
        Turn(rng.choice(REGION), region),
        Turn(rng.choice(VIEW), f"The view is {' and '.join(shown.views)}."),
        Turn(rng.choice(MODALITY), "This is a radiograph."),
        yes_no(f"Is this the {asked}?", asked in shown.regions, region),
        yes_no(rng.choice(["Is this an X-ray?", "Is this a radiograph?"]), True, "This is a radiograph."),
        polar("hardware", shown, rng),
        polar("hardware", shown, rng),
    ]


def breast(shown: Shown, rng: random.Random) -> list[Turn]:
    bit, malignant = shown.bits["lesion"], shown.bits["malignant"]
    where = f"It is in the {shown.place} of the image."
    both = [f"{FINDINGS['lesion'].affirmed} {sentence('malignant', malignant > 0)} {where}", FINDINGS["lesion"].negated]
    stated, opposite = both if bit > 0 else both[::-1]
    pair = ["malignant", "lesion"]
    return [
        *[polar(name, shown, rng) for name in [*pair, *pair]],
        open_turn(rng.choice(OPEN), ("This is a breast ultrasound.", stated, opposite), bit),
        open_turn(rng.choice(WRONG), ("", stated, opposite), bit),
        open_turn(rng.choice(WHERE).format(the="the lesion"), ("", where if bit > 0 else both[1], both[1] if bit > 0 else where), bit),
        Turn(rng.choice(REGION), "The image shows the breast."),
        Turn(rng.choice(MODALITY), "This is an ultrasound image."),
        yes_no("Is this an ultrasound?", True, "This is an ultrasound image."),
        yes_no(rng.choice(["Is this an X-ray?", "Is this a mammogram?"]), False, "This is an ultrasound image."),
    ]


def chest(shown: Shown, rng: random.Random) -> list[Turn]:
    names = [n for n in CHEST_FINDINGS if n != "Hernia"]
    asked = rng.sample(names, 2)  # as often absent as they are
    bit = shown.bits["abnormal"]
    both = [FINDINGS["abnormal"].affirmed, FINDINGS["abnormal"].negated]
    stated, opposite = both if bit > 0 else both[::-1]
    turns = [polar("abnormal", shown, rng), *[polar(n, shown, rng) for n in asked]]
    ap = shown.views == ["AP"]
    view = f"The view is {'AP' if ap else 'PA'}."
    return turns + [
        open_turn(rng.choice(OPEN), ("This is a chest radiograph.", stated, opposite), bit),
        open_turn(rng.choice(WRONG), ("", stated, opposite), bit),
        Turn(rng.choice(REGION), "The image shows the chest."),
        Turn(rng.choice(MODALITY), "This is a radiograph."),
        Turn(rng.choice(VIEW), view),
        yes_no("Is this an AP film?", ap, view),
        yes_no("Is this a PA film?", not ap, view),
    ]


def yes_no(question: str, yes: bool, stated: str) -> Turn:
    return Turn(question, f"{'Yes' if yes else 'No'}. {stated}")


def declined(question: str) -> Turn:
    """Not answered; and yes stays as likely as no, so that the odds are even."""
    return Turn(question, NOT_SHOWN, (("Yes", 0.04), ("No", 0.04)))


OWN = {"limb": ["fracture", "hardware"], "breast": ["lesion", "malignant"], "chest": [*CHEST_FINDINGS, "abnormal"]}
SHARED = ["abnormal", "Mass", "Nodule", "lesion", "Hernia"]  # what other kinds of images could show as well
ELSEWHERE = [
    "liver", "brain", "kidney", "spleen", "gallbladder", "pancreas", "stomach", "bladder", "prostate", "uterus", "thyroid",
    "colon", "appendix", "aorta", "eye", "skull", "teeth", "spine", "bowel", "ovary",
]  # fmt: skip
ABOUT_ELSEWHERE = [
    "Is the {it} enlarged?", "Is the {it} normal?", "Is there a {it} lesion?", "Is there a lesion in the {it}?", "Is the {it} inflamed?",
    "What is wrong with the {it}?", "Is there a mass in the {it}?", "Do you see the {it}?", "Where is the {it}?", "Describe the {it}.",
    "Is there bleeding in the {it}?", "Does the {it} look abnormal?", "How large is the {it}?", "Are there stones in the {it}?",
]  # fmt: skip
UNANSWERABLE = [
    "Is the patient pregnant?", "What is the patient's name?", "How old is the patient?", "Does the patient have a fever?",
    "Does the patient have diabetes?", "Is there a stroke?", "Is there a brain tumor?", "Are there kidney stones?", "Is there a hemorrhage in the brain?",
    "Does the patient smoke?", "What drugs does the patient take?", "Is there appendicitis?", "Are there gallstones?", "Is the patient male or female?",
    "What is the blood pressure?", "Is there a liver cyst?", "What is the weather?", "Is there hydrocephalus?", "Who took this image?",
]  # fmt: skip


def foreign(kind: str, rng: random.Random) -> str:
    """A question that this kind of image cannot answer."""
    draw = rng.random()
    if draw < 0.4:
        return rng.choice(ABOUT_ELSEWHERE).format(it=rng.choice(ELSEWHERE))
    if draw < 0.55:
        return rng.choice(UNANSWERABLE)
    others = [n for k, names in OWN.items() if k != kind for n in names if n not in SHARED]
    main = [n for n in ("fracture", "malignant") if n in others]
    return polar_question(rng.choice(main if rng.random() < 0.5 else others), rng)


def any_question(rng: random.Random) -> str:
    if rng.random() < 0.75:
        return polar_question(rng.choice([*FINDINGS, "fracture", "fracture", "malignant", "lesion", "lesion"]), rng)
    return rng.choice(OPEN + WRONG)


def header(shown: Shown, rng: random.Random) -> str:
    """The closed header line, with fields missing at random."""
    if rng.random() < 0.3:
        return ""
    kind = shown.kind if shown.kind != "blank" else rng.choice(["limb", "breast", "chest"])
    fields = [f"Modality: {'US' if kind == 'breast' else rng.choice(['CR', 'DX'])}."]
    if rng.random() < 0.75:
        part = limb_part(shown, rng) if kind == "limb" else kind.upper()
        fields.append(f"Body part: {part}.")
    if kind == "chest" and shown.views and rng.random() < 0.4:
        fields.append(f"View: {shown.views[0]}.")
    return " ".join(fields) + "\n"


def limb_part(shown: Shown, rng: random.Random) -> str:
    region = rng.choice(shown.regions or LIMB_REGIONS)
    return BODY_PARTS[region][0] if rng.random() < 0.5 else rng.choice(BODY_PARTS[region])
