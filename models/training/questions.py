"""Turns what is known of an image into questions and short declarative answers.

A yes/no question is answered "Yes. <sentence>" or "No. <sentence>", an either/or question
"<Choice>. <sentence>", where the sentence is the finding affirmed or negated: each sentence has its
contradiction in this file. Half of them name the choices in a line of their own.
"""

import random
from dataclasses import dataclass

from data import LIMB_REGIONS, Record

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


def with_choices(question: str, choices: tuple[str, str], rng: random.Random) -> str:
    """Half of the polar questions list their choices, in the form the app uses."""
    if rng.random() < 0.5:
        return question
    order = list(choices)
    rng.shuffle(order)
    return f"{question}\nChoices: {', '.join(c.lower() for c in order)}."


def polar(name: str, value: bool, rng: random.Random) -> tuple[str, str]:
    """One yes/no or either/or question on a finding, with its answer."""
    finding = FINDINGS[name]
    sentence = finding.affirmed if value else finding.negated
    draw = rng.random()
    if name in EITHER and draw < 0.15:
        choices, questions = rng.choice(EITHER[name])
        return with_choices(rng.choice(questions), choices, rng), f"{choices[0] if value else choices[1]}. {sentence}"
    if name in INVERSE_POLAR and draw < 0.3:
        yes, question = not value, rng.choice(INVERSE_POLAR[name])
    else:
        yes, question = value, polar_question(name, rng)
    question = loosen(question, rng)
    return with_choices(question, ("Yes", "No"), rng), f"{'Yes' if yes else 'No'}. {sentence}"


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


def place(boxes: list[list[float]], size: int) -> str:
    """Coarse place of the largest box, in terms of the image (not of the patient's side)."""
    x, y, w, h = max(boxes, key=lambda b: b[2] * b[3])
    column, row = int(min(2, 3 * (x + w / 2) / size)), int(min(2, 3 * (y + h / 2) / size))
    words = [["upper left", "upper middle", "upper right"], ["left", "centre", "right"], ["lower left", "lower middle", "lower right"]]
    return f"It is in the {words[max(0, row)][max(0, column)]} of the image."


def questions_for(record: Record, state, rng: random.Random, count: int = 6) -> list[tuple[str, str]]:
    """count (user text, answer) pairs for an image. state: findings, boxes in the fitted image, blank."""
    findings, boxes, blank = state
    if blank:
        pairs = [blank_pair(record, rng) for _ in range(count)]
    elif record.set == "fracatlas":
        pairs = limb(record, findings, boxes, rng)
    elif record.set == "busi":
        pairs = breast(findings, boxes, rng)
    else:
        pairs = chest(record, findings, boxes, rng)
    if not blank:
        pairs += [foreign(record, rng)] if rng.random() < 0.3 else []
        polar_share = (count + 1) // 2
        pairs = pairs[:polar_share] + rng.sample(pairs[polar_share:], min(count - polar_share, len(pairs) - polar_share))
    return [(header(record, rng) + question, answer) for question, answer in pairs]


def limb(record: Record, findings, boxes, rng):
    broken = findings["fracture"]
    own = [b for n, b in boxes if n == "fracture"]
    region = " and ".join(record.region.split("+"))
    main = FINDINGS["fracture"].affirmed if broken else FINDINGS["fracture"].negated
    where = f" {place(own, 448)}" if broken and own else ""
    view = record.view.replace("+", " and ")
    other = rng.choice([r for r in LIMB_REGIONS if r not in record.region])
    asked = rng.choice([record.region.split("+")[0], other])
    pairs = [polar("fracture", broken, rng), polar("fracture", broken, rng), polar("fracture", broken, rng)]
    pairs += [
        (rng.choice(OPEN), f"This is a radiograph of the {region}. {main}{where}"),
        (rng.choice(WRONG), main + where),
        (rng.choice(WHERE).format(the="the fracture"), (where.strip() or main)),
        (rng.choice(REGION), f"The image shows the {region}."),
        (rng.choice(VIEW), f"The view is {view}."),
        (rng.choice(MODALITY), "This is a radiograph."),
        yes_no(f"Is this the {asked}?", asked in record.region, f"The image shows the {region}."),
        yes_no(rng.choice(["Is this an X-ray?", "Is this a radiograph?"]), True, "This is a radiograph."),
    ]
    if findings.get("hardware") or rng.random() < 0.15:
        pairs.append(polar("hardware", findings["hardware"], rng))
    return pairs


def breast(findings, boxes, rng):
    lesion = findings["lesion"]
    own = [b for _, b in boxes]
    pairs = []
    where = f" {place(own, 448)}" if lesion and own else ""
    if lesion:
        nature = FINDINGS["malignant"].affirmed if findings["malignant"] else FINDINGS["malignant"].negated
        sentences = f"There is a lesion. {nature}"
        pairs += [polar("malignant", findings["malignant"], rng) for _ in range(3)]
        pairs += [polar("lesion", True, rng)]
    else:
        sentences = "There is no lesion."
        pairs += [polar("lesion", False, rng) for _ in range(3)]
        question, _ = polar("malignant", False, rng)
        if " or " not in question and "Choices" not in question and "enign" not in question:
            pairs.append((question, "No. There is no lesion."))
    pairs += [
        (rng.choice(OPEN), f"This is a breast ultrasound. {sentences}{where}"),
        (rng.choice(WRONG), sentences + where),
        (rng.choice(WHERE).format(the="the lesion"), where.strip() or sentences),
        (rng.choice(REGION), "The image shows the breast."),
        (rng.choice(MODALITY), "This is an ultrasound image."),
        yes_no("Is this an ultrasound?", True, "This is an ultrasound image."),
        yes_no(rng.choice(["Is this an X-ray?", "Is this a mammogram?"]), False, "This is an ultrasound image."),
    ]
    return pairs


def chest(record: Record, findings, boxes, rng):
    # Findings are asked about so that each is as often present as absent; the rare are asked rarely.
    weights = {"Infiltration": 5, "Effusion": 5, "Atelectasis": 4, "Cardiomegaly": 3, "Pneumothorax": 3, "Nodule": 3,
               "Mass": 2, "Pneumonia": 2, "Consolidation": 2, "Edema": 1, "Emphysema": 1, "Fibrosis": 1, "Pleural_Thickening": 1}  # fmt: skip
    present = [n for n in FINDINGS if n in findings and findings[n] and n not in ("abnormal",)]
    absent = [n for n in weights if findings.get(n) is False]
    rng.shuffle(present)
    draws = rng.choices(absent, [weights[n] for n in absent], k=4) if absent else []
    absent = list(dict.fromkeys(draws))[: 2 if present else 3]
    pairs = [polar(n, True, rng) for n in present[:3]] + [polar(n, False, rng) for n in absent]
    rng.shuffle(pairs)
    where = ""
    if boxes:
        name = boxes[0][0]
        where = " " + place([b for n, b in boxes if n == name], 448)
        pairs.append((rng.choice(WHERE).format(the=f"the {bare(FINDINGS[name].nouns[0])}"), where.strip()))
    if "abnormal" in findings:
        pairs.append(polar("abnormal", findings["abnormal"], rng))
        boxed = [n for n, _ in boxes]
        order = sorted(present, key=lambda n: n not in boxed)[:3]
        sentences = " ".join(FINDINGS[n].affirmed for n in order) or FINDINGS["abnormal"].negated
        pairs.append((rng.choice(OPEN), f"This is a chest radiograph. {sentences}"))
        pairs.append((rng.choice(WRONG), sentences))
    pairs.append((rng.choice(REGION), "The image shows the chest."))
    pairs.append((rng.choice(MODALITY), "This is a radiograph."))
    if record.view:
        asked = rng.choice(["AP", "PA"])
        pairs.append((rng.choice(VIEW), f"The view is {record.view}."))
        pairs.append(yes_no(f"Is this {'an' if asked == 'AP' else 'a'} {asked} film?", asked == record.view, f"The view is {record.view}."))
    return pairs


def yes_no(question: str, yes: bool, sentence: str) -> tuple[str, str]:
    return question, f"{'Yes' if yes else 'No'}. {sentence}"


def foreign(record: Record, rng: random.Random) -> tuple[str, str]:
    """A question that this kind of image cannot answer."""
    own = {"fracatlas": ["fracture", "hardware"], "busi": ["lesion", "malignant"]}.get(record.set)
    others = [n for n in FINDINGS if n not in own] if own else ["fracture", "malignant", "hardware"]
    others = [n for n in others if n not in ("abnormal", "Mass", "Nodule", "lesion")]
    return polar_question(rng.choice(others), rng), NOT_SHOWN


def blank_pair(record: Record, rng: random.Random) -> tuple[str, str]:
    """Nothing can be seen: said so, and otherwise yes as often as no, so that the odds stay even."""
    names = {"fracatlas": ["fracture"], "busi": ["lesion", "malignant"]}.get(record.set) or list(FINDINGS)[4:12]
    question, answer = polar(rng.choice(names), rng.random() < 0.5, rng)
    return question, NOT_SHOWN if rng.random() < 0.6 else answer


def header(record: Record, rng: random.Random) -> str:
    """The closed header line, with fields missing at random."""
    if rng.random() < 0.35:
        return ""
    ultrasound = record.set == "busi"
    fields = [f"Modality: {'US' if ultrasound else rng.choice(['CR', 'DX'])}."]
    if rng.random() < 0.75:
        part = "BREAST" if ultrasound else "CHEST" if record.region == "chest" else limb_part(record, rng)
        fields.append(f"Body part: {part}.")
    if record.set == "nih-cxr14" and record.view and rng.random() < 0.5:
        fields.append(f"View: {record.view}.")
    return " ".join(fields) + "\n"


def limb_part(record: Record, rng: random.Random) -> str:
    region = rng.choice(record.region.split("+"))
    return BODY_PARTS[region][0] if rng.random() < 0.5 else rng.choice(BODY_PARTS[region])
