import * as v from "valibot";
import {
  dicomCheckSchema,
  headerElementSchema,
  importEventSchema,
  unfinishedImportSchema,
} from "./archive-events.ts";
import { evaluationEventSchema, evaluationInputSchema } from "./evaluation.ts";
import { frameRefSchema, frameSummarySchema, openedFilesSchema } from "./frame.ts";
import {
  backupEventSchema,
  backupInfoSchema,
  checkEventSchema,
  setAsideArchiveSchema,
} from "./maintenance.ts";
import { packFitSchema } from "./memory-fit.ts";
import {
  packSignatureSchema,
  packSignerSchema,
  packStandingSchema,
  packSummarySchema,
  packWeights,
  providerStatusSchema,
} from "./model-pack.ts";
import {
  answerEventSchema,
  answerRecordSchema,
  questionSchema,
  viewsChoiceSchema,
  viewsRequestSchema,
} from "./question.ts";
import { appInfoSchema, archiveStatusSchema, keyProtectionSchema, settingsSchema } from "./settings.ts";
import { instanceUidSchema, seriesSchema, seriesUidSchema, studySchema, studyUidSchema } from "./study.ts";
import { studyConflictsSchema, variantIdSchema, variantSchema } from "./variant.ts";
import { viewSchema } from "./view.ts";

/**
 * Every procedure of the app, with the schema of what goes in and what comes out. The renderer, the loopback host
 * and the CLI call these and nothing else; `host/procedures/` implements them. Kinds:
 * - `call`: one value;
 * - `stream`: typed events, NDJSON over a door; `streams.cancel` stops one;
 * - `bytes`: octets (pixels, pictures);
 * - `upload`: octets go in behind the input, one value comes out.
 */

type Schema = v.GenericSchema<never, unknown> | v.GenericSchema<unknown, unknown>;

function call<I extends Schema, O extends Schema>(input: I, output: O) {
  return { kind: "call", input, output } as const;
}
function stream<I extends Schema, E extends Schema>(input: I, event: E) {
  return { kind: "stream", input, event } as const;
}
function bytes<I extends Schema>(input: I, contentType: string) {
  return { kind: "bytes", input, contentType } as const;
}
function upload<I extends Schema, O extends Schema>(input: I, output: O) {
  return { kind: "upload", input, output } as const;
}

const nothing = v.object({});
const done = v.object({});
const study = v.object({ studyInstanceUid: studyUidSchema });
const packName = v.pipe(v.string(), v.regex(/^[a-z0-9][a-z0-9._-]{0,63}$/));
const passphrase = v.pipe(v.string(), v.minLength(1), v.maxLength(1024));

const benchParts = ["text", "image", "evidence", "bandwidth"] as const;

const loadEventSchema = v.variant("type", [
  v.object({ type: v.literal("progress"), stage: v.string(), fraction: v.nullable(v.number()) }),
  v.object({ type: v.literal("done"), pack: packSummarySchema }),
]);

export const contract = {
  "app.info": call(nothing, appInfoSchema),
  "settings.read": call(nothing, settingsSchema),
  "settings.write": call(v.partial(settingsSchema), settingsSchema),

  "archive.status": call(nothing, archiveStatusSchema),
  /** Makes the archive. The recovery key is shown once and kept nowhere. */
  "archive.create": call(
    v.object({ protection: keyProtectionSchema, passphrase: v.optional(v.nullable(passphrase), null) }),
    v.object({ recoveryKey: v.string() }),
  ),
  "archive.unlock": call(v.object({ passphrase }), done),
  "archive.recover": call(
    v.object({
      recoveryKey: v.string(),
      protection: keyProtectionSchema,
      passphrase: v.optional(v.nullable(passphrase), null),
    }),
    done,
  ),

  /** Reads everything that is stored and compares it with what was written; changes nothing. */
  "archive.check": stream(nothing, checkEventSchema),
  /** Copies the archive, encrypted as it is, into a new or empty folder; other work goes on meanwhile. */
  "archive.backup": stream(v.object({ folder: v.string() }), backupEventSchema),
  /** What a folder says of the backup in it, before it is restored. */
  "archive.backupInfo": call(v.object({ folder: v.string() }), backupInfoSchema),
  /**
   * Makes the archive out of a backup, where there is none yet. The key comes as that of the backed-up archive does:
   * from the key file or key store of this computer, by passphrase, or by recovery key.
   */
  "archive.restore": stream(
    v.object({
      folder: v.string(),
      passphrase: v.optional(v.nullable(passphrase), null),
      recoveryKey: v.optional(v.nullable(v.string()), null),
      /** Takes what is whole of a damaged backup, instead of nothing. */
      salvage: v.optional(v.boolean(), false),
      /** Where there is an archive already, it is moved to `set-aside/` in the data folder; back where this fails. */
      setAside: v.optional(v.boolean(), false),
    }),
    backupEventSchema,
  ),
  /** Archives that a restored backup took the place of, the latest first. */
  "archive.setAside": call(nothing, v.array(setAsideArchiveSchema)),
  /** Deletes one of them with its keys, for good. */
  "archive.deleteSetAside": call(v.pick(setAsideArchiveSchema, ["name"]), done),

  "studies.list": call(v.object({ search: v.optional(v.string(), "") }), v.array(studySchema)),
  "studies.series": call(study, v.array(seriesSchema)),
  "studies.delete": call(study, done),
  /** Files that came with the UID of an image of this study and other content. */
  "studies.variants": call(study, v.array(variantSchema)),
  /** Which studies have such files, and how many. */
  "studies.conflicts": call(nothing, v.array(studyConflictsSchema)),
  /** Shows this file from now on, and keeps the one that was shown beside it. */
  "variants.choose": call(v.object({ id: variantIdSchema }), done),
  /** PNG, long side at most 160 px. */
  "series.thumbnail": bytes(v.object({ seriesInstanceUid: seriesUidSchema }), "image/png"),

  /** Native file dialog; only where the app has a window of its own. */
  "files.pick": call(
    v.object({ kind: v.picklist(["files", "folder"]) }),
    v.object({ paths: v.array(v.string()) }),
  ),
  "imports.paths": stream(v.object({ paths: v.array(v.string()) }), importEventSchema),
  /** Imports that were cut short by a crash, a power cut or a full disk. */
  "imports.unfinished": call(nothing, v.array(unfinishedImportSchema)),
  /** Goes on: what is there already counts as duplicate. */
  "imports.resume": stream(v.object({ id: v.string() }), importEventSchema),
  "imports.forget": call(v.object({ id: v.string() }), done),
  /** One file of a browser upload; kept in memory or encrypted until `imports.finish`. */
  "imports.upload": upload(
    v.object({
      upload: v.pipe(v.string(), v.regex(/^[a-z0-9-]{1,64}$/)),
      name: v.pipe(v.string(), v.maxLength(1024)),
    }),
    v.object({ received: v.number() }),
  ),
  "imports.finish": stream(v.object({ upload: v.string() }), importEventSchema),
  "imports.discard": call(v.object({ upload: v.string() }), done),
  /** Makes the phantom studies and imports them. */
  "imports.sample": stream(nothing, importEventSchema),

  /** Stored values with their description, as core/frame-codec.ts lays them out. */
  "frames.pixels": bytes(frameRefSchema, "application/vnd.meditron.frame"),
  "frames.summary": call(frameRefSchema, frameSummarySchema),
  "frames.header": call(v.object({ sopInstanceUid: instanceUidSchema }), v.array(headerElementSchema)),

  /** As the two above, of a file that is kept beside an image with the same UID. */
  "variants.pixels": bytes(
    v.object({ id: variantIdSchema, frame: v.pipe(v.number(), v.integer(), v.minValue(1)) }),
    "application/vnd.meditron.frame",
  ),
  "variants.header": call(v.object({ id: variantIdSchema }), v.array(headerElementSchema)),

  /** Files that are not imported: a DICOM file, a folder of one series, a PNG or JPEG. */
  "files.open": call(v.object({ path: v.string() }), openedFilesSchema),
  /** Decodes every frame of every file and says what it found; nothing is imported. */
  "files.check": stream(v.object({ paths: v.array(v.string()) }), dicomCheckSchema),
  /** Writes the phantom studies as DICOM files. */
  "files.sample": call(
    v.object({ folder: v.string(), seed: v.optional(v.pipe(v.number(), v.integer(), v.minValue(0)), 1) }),
    v.object({ files: v.array(v.string()) }),
  ),

  /** The views for a question about a whole series: as many as the pack takes, spaced evenly. */
  "answers.views": call(viewsRequestSchema, viewsChoiceSchema),
  /** The images and the beginning of a question while it is written: the answer comes sooner, and is the same. */
  "answers.prepare": call(questionSchema, done),
  "answers.ask": stream(questionSchema, answerEventSchema),
  /** The evidence of a saved answer, tested now without a budget. */
  "answers.ground": stream(v.object({ id: v.string() }), answerEventSchema),
  "answers.list": call(study, v.array(answerRecordSchema)),
  "answers.read": call(v.object({ id: v.string() }), answerRecordSchema),
  "answers.delete": call(v.object({ id: v.string() }), done),
  /** PNG of exactly what the model was given for this view. */
  "answers.modelInput": bytes(v.object({ pack: v.string(), view: viewSchema }), "image/png"),

  "models.list": call(nothing, v.array(packSummarySchema)),
  /** Who signed each pack and whether it may be used here, with packs that cannot be read and are in no list. */
  "models.standings": call(nothing, v.array(packStandingSchema)),
  /** What each pack will take of this machine's memory, before it is loaded. */
  "models.fit": call(nothing, v.array(packFitSchema)),
  "models.providers": call(nothing, v.array(providerStatusSchema)),
  "models.load": stream(v.object({ pack: v.nullable(v.string()) }), loadEventSchema),
  /** Checks every file of a pack against its digests. */
  "models.check": stream(v.object({ folder: v.string() }), loadEventSchema),
  /**
   * Signs a pack. `key`, `certificates` (the signer's first, then those that lead to its authority) and `passphrase`
   * are files.
   */
  "models.sign": call(
    v.object({
      folder: v.string(),
      key: v.string(),
      passphrase: v.nullable(v.string()),
      certificates: v.array(v.string()),
    }),
    v.object({ signer: packSignerSchema }),
  ),
  /** What is known of a pack's signature, by the files of keys and certificates, or where there are none by the policy. */
  "models.signature": call(
    v.object({ folder: v.string(), keys: v.array(v.string()), certificates: v.array(v.string()) }),
    packSignatureSchema,
  ),
  /** Makes a pack out of a checkpoint, in the data folder's packs. */
  /**
   * `baseConfig`: a file with the settings of models that the checkpoint only names. `adapter`: a folder with a LoRA
   * adapter, which is merged.
   */
  "models.import": stream(
    v.object({
      source: v.string(),
      name: packName,
      adapter: v.optional(v.string()),
      /** Of the language model; 4bit where it is left out. */
      weights: v.optional(v.picklist(packWeights)),
      baseConfig: v.optional(v.string()),
      kvCache: v.optional(v.picklist(["float32", "int8"])),
    }),
    loadEventSchema,
  ),

  /** How fast a pack (null: the one chosen in the settings) is on this machine. */
  "models.bench": stream(
    v.object({
      pack: v.nullable(v.string()),
      rounds: v.optional(v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(100)), 5),
      parts: v.optional(v.array(v.picklist(benchParts)), [...benchParts]),
      /** A round before those that count. */
      warmUp: v.optional(v.boolean(), true),
    }),
    evaluationEventSchema,
  ),

  /** Removes a pack that was added to the data folder; the one that came with the app stays. */
  "models.remove": call(v.object({ name: packName }), done),

  /** Measures a pack on image sets that the user has. */
  "evaluations.run": stream(evaluationInputSchema, evaluationEventSchema),

  /** Stops the stream whose first event carried this id. */
  "streams.cancel": call(v.object({ stream: v.string() }), v.object({ cancelled: v.boolean() })),
} as const;

export type Contract = typeof contract;
export type ProcedureName = keyof Contract;

type NamesOf<Kind extends string> = {
  [Name in ProcedureName]: Contract[Name]["kind"] extends Kind ? Name : never;
}[ProcedureName];

export type CallName = NamesOf<"call">;
export type StreamName = NamesOf<"stream">;
export type BytesName = NamesOf<"bytes">;
export type UploadName = NamesOf<"upload">;

/** What a caller passes, before defaults are filled in. */
export type Input<Name extends ProcedureName> = v.InferInput<Contract[Name]["input"]>;
/** What an implementation gets. */
export type Parsed<Name extends ProcedureName> = v.InferOutput<Contract[Name]["input"]>;
export type Output<Name extends CallName | UploadName> = v.InferOutput<Contract[Name]["output"]>;
export type StreamEvent<Name extends StreamName> = v.InferOutput<Contract[Name]["event"]>;

/**
 * One line of a stream over a door. The first line is always `{ stream }`: the id that `streams.cancel` takes.
 * A stream without `end` or `error` as its last line was cut.
 */
export type StreamLine<Event> =
  | { readonly stream: string }
  | { readonly event: Event }
  | { readonly error: { readonly code: string; readonly message: string } }
  | { readonly end: true };
