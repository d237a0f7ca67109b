import type { HeaderFacts } from "../../core/frame.ts";
import type { DataSet } from "./data-set.ts";
import { tags } from "./tags.ts";

/**
 * The closed lists of header facts. Nothing else of a header reaches a prompt or a scope decision: an injected
 * text in Body Part Examined becomes "not known".
 */
const modalities = new Set(
  "CR DX MG CT MR US PT NM XA RF XC ES OP OPT SM GM IO PX RG OT SC BMD IVUS IVOCT TG LS DG SEG".split(" "),
);

/** Defined Terms of PS3.16 annex L, with the spellings that modalities write instead. */
const bodyParts: Readonly<Record<string, string>> = {
  ...same(
    "ABDOMEN ABDOMENPELVIS ADRENAL ANKLE AORTA ARM AXILLA BACK BLADDER BRAIN BREAST BUTTOCK CALCANEUS CALF CAROTID",
  ),
  ...same(
    "CHEST CHESTABDOMEN CHESTABDPELVIS CLAVICLE COCCYX COLON CSPINE CTSPINE EAR ELBOW EXTREMITY EYE FACE",
  ),
  ...same(
    "FEMUR FINGER FOOT FOREARM GALLBLADDER HAND HEAD HEADNECK HEART HIP HUMERUS IAC JAW KIDNEY KNEE LEG",
  ),
  ...same(
    "LIVER LSPINE LSSPINE LUNG MANDIBLE MAXILLA MEDIASTINUM NECK NOSE ORBIT PANCREAS PELVIS PROSTATE RIB",
  ),
  ...same(
    "SCAPULA SHOULDER SINUS SKULL SPINE SPLEEN STERNUM SSPINE TESTIS THIGH THUMB THYROID TIBIA TIBIAFIBULA",
  ),
  ...same("TOE TSPINE TLSPINE UTERUS WHOLEBODY WRIST ZYGOMA LOWERLIMB UPPERLIMB"),
  THORAX: "CHEST",
  PORTCHEST: "CHEST",
  TORAX: "CHEST",
  MAMMA: "BREAST",
  BREASTS: "BREAST",
  SCHAEDEL: "SKULL",
  CERVICALSPINE: "CSPINE",
  THORACICSPINE: "TSPINE",
  LUMBARSPINE: "LSPINE",
  LUMBOSACRALSPINE: "LSSPINE",
  UPPEREXTREMITY: "UPPERLIMB",
  LOWEREXTREMITY: "LOWERLIMB",
  HANDS: "HAND",
  FEET: "FOOT",
  RIBS: "RIB",
};

/** Anatomic Region Sequence: SNOMED CT and the older SNOMED RT codes (PS3.16 CID 4, annex L). */
const regionCodes: Readonly<Record<string, string>> = {
  "51185008": "CHEST",
  "T-D3000": "CHEST",
  "76752008": "BREAST",
  "T-04000": "BREAST",
  "818983003": "ABDOMEN",
  "113345001": "ABDOMEN",
  "T-D4000": "ABDOMEN",
  "69536005": "HEAD",
  "T-D1100": "HEAD",
  "12738006": "BRAIN",
  "T-A0100": "BRAIN",
  "85562004": "HAND",
  "T-D8700": "HAND",
  "56459004": "FOOT",
  "T-D9700": "FOOT",
  "72696002": "KNEE",
  "T-D9200": "KNEE",
  "16982005": "SHOULDER",
  "T-D2220": "SHOULDER",
  "29836001": "HIP",
  "T-D2500": "HIP",
  "8205005": "WRIST",
  "T-D8600": "WRIST",
  "344001": "ANKLE",
  "T-D9500": "ANKLE",
  "127949000": "ELBOW",
  "T-D8300": "ELBOW",
  "12921003": "PELVIS",
  "T-D6000": "PELVIS",
};

/** View Position (PS3.3 C.8.7.1.1.8) and the views of mammography, with other spellings. */
const views: Readonly<Record<string, string>> = {
  ...same("AP PA LL RL RLD LLD RLO LLO MLO ML LM LMO CC XCCL XCCM FB SIO ISO CV LATERAL OBLIQUE AXIAL"),
  LAT: "LATERAL",
  OBL: "OBLIQUE",
  "POSTERO-ANTERIOR": "PA",
  "ANTERO-POSTERIOR": "AP",
};

/** Modality, body part and view where the header has one of the known terms, else null. */
export function headerFacts(dataSet: DataSet): HeaderFacts {
  const modality = dataSet.string(tags.modality).toUpperCase();
  const part = dataSet.string(tags.bodyPart).toUpperCase();
  const view = dataSet.string(tags.viewPosition).toUpperCase();
  const region = dataSet.items(tags.anatomicRegion)[0]?.string(tags.codeValue) ?? "";
  return {
    modality: modalities.has(modality) ? modality : null,
    bodyPart: own(bodyParts, part.replace(/[\s_./-]/g, "")) ?? own(regionCodes, region),
    view: own(views, view),
  };
}

function same(terms: string): Record<string, string> {
  return Object.fromEntries(terms.split(" ").map((term) => [term, term]));
}

function own(table: Readonly<Record<string, string>>, key: string): string | null {
  return Object.hasOwn(table, key) ? (table[key] ?? null) : null;
}
