import { appError } from "../../../core/errors.ts";
import type { Expression, Expressions } from "./expression.ts";
import { type NumberBounds, NumberRange } from "./number-range.ts";

/** A JSON Schema as it was given: nothing of it is known. */
export type JsonSchema = Readonly<Record<string, unknown>>;

/** Say what is meant, and hold no answer to anything. */
const annotations: ReadonlySet<string> = new Set([
  "$schema",
  "$id",
  "$comment",
  "title",
  "description",
  "default",
  "examples",
]);

/** The keywords that are understood beside `type`, by type. */
const keywords: Readonly<Record<string, readonly string[]>> = {
  object: ["properties", "required", "additionalProperties"],
  array: ["items", "minItems", "maxItems"],
  string: ["minLength", "maxLength"],
  integer: ["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"],
  number: ["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"],
  boolean: [],
  null: [],
};

const deepest = 16;

/**
 * The JSON texts that a schema (draft 2020-12) allows, as an answer is to write them: properties in the schema's order,
 * in one line, with at most one blank behind a colon or a comma. docs/formats/answer-schema.md lists the keywords.
 * @throws not-supported (names the keyword), bad-input
 */
export function jsonTexts(make: Expressions, schema: JsonSchema): Expression {
  return new Writer(make).value(schema, { path: "", depth: 0 });
}

/** Those of the outermost object, in order. */
export function propertyNames({ properties }: JsonSchema): string[] {
  return isObject(properties) ? Object.keys(properties) : [];
}

interface Place {
  /** JSON pointer into the schema. */
  readonly path: string;
  readonly depth: number;
}

class Writer {
  readonly #make: Expressions;
  readonly #comma: Expression;
  readonly #colon: Expression;
  readonly #character: Expression;

  constructor(make: Expressions) {
    this.#make = make;
    const blank = make.optional(make.text(" "));
    this.#comma = make.sequence(make.text(","), blank);
    this.#colon = make.sequence(make.text(":"), blank);
    this.#character = stringCharacter(make);
  }

  value(schema: unknown, place: Place): Expression {
    const make = this.#make;
    if (!isObject(schema)) throw malformed(place, "must be an object");
    if (place.depth > deepest) throw malformed(place, `is nested more than ${deepest} deep`);
    if ("const" in schema) return this.#given([schema["const"]], schema, place);
    if ("enum" in schema) {
      const values: unknown = schema["enum"];
      if (!Array.isArray(values) || values.length === 0) throw malformed(place, "enum must list values");
      return this.#given(values, schema, place);
    }
    const { type } = schema;
    if (typeof type !== "string" || !Object.hasOwn(keywords, type)) {
      // One keyword that is not known says more than that there is no type.
      refuseOthers(schema, ["type"], place);
      throw unsupported("type", place);
    }
    refuseOthers(schema, ["type", ...keywords[type]!], place);
    switch (type) {
      case "object":
        return this.#object(schema, place);
      case "array":
        return this.#array(schema, place);
      case "string": {
        const { min, max } = counts(schema, ["minLength", "maxLength"], place);
        const quote = make.text('"');
        return make.sequence(quote, make.repeat(this.#character, { min, max }), quote);
      }
      case "integer":
      case "number":
        return make.number(new NumberRange(bounds(schema, type, place)));
      case "boolean":
        return make.either(make.text("true"), make.text("false"));
      default:
        return make.text("null");
    }
  }

  /** One of these values. */
  #given(values: readonly unknown[], schema: JsonSchema, place: Place): Expression {
    refuseOthers(schema, ["const" in schema ? "const" : "enum", "type"], place);
    const { type } = schema;
    if (type !== undefined && (typeof type !== "string" || !Object.hasOwn(keywords, type))) {
      throw unsupported("type", place);
    }
    const fitting = values.filter((value) => type === undefined || isOfType(value, type));
    if (fitting.length === 0) throw malformed(place, "lists no value of its type");
    return this.#make.either(...fitting.map((value) => this.#make.text(JSON.stringify(value))));
  }

  #array(schema: JsonSchema, place: Place): Expression {
    const make = this.#make;
    if (!("items" in schema)) throw malformed(place, "must say what its items are (items)");
    const item = this.value(schema["items"], { path: `${place.path}/items`, depth: place.depth + 1 });
    const { min, max } = counts(schema, ["minItems", "maxItems"], place);
    const others = make.repeat(make.sequence(this.#comma, item), { min: Math.max(0, min - 1), max: max - 1 });
    const filled = max === 0 ? make.none : make.sequence(item, others);
    return make.sequence(make.text("["), min === 0 ? make.optional(filled) : filled, make.text("]"));
  }

  #object(schema: JsonSchema, place: Place): Expression {
    const make = this.#make;
    const { properties = {}, required = [], additionalProperties = false } = schema;
    if (additionalProperties !== false) throw unsupported("additionalProperties", place);
    if (!isObject(properties)) throw malformed(place, "properties must be an object");
    const names = Object.keys(properties);
    if (!Array.isArray(required) || !required.every((name) => names.includes(name as string))) {
      throw malformed(place, "required must list names of properties");
    }
    const members = names.map((name) => {
      const path = `${place.path}/properties/${name}`;
      const value = this.value(properties[name], { path, depth: place.depth + 1 });
      const member = make.sequence(make.text(JSON.stringify(name)), this.#colon, value);
      return { member, needed: required.includes(name) };
    });
    // From the last to the first: what may follow when none, and when some, of the members stand already.
    let first = make.empty;
    let later = make.empty;
    for (const { member, needed } of members.toReversed()) {
      const [asFirst, asLater] = [make.sequence(member, later), make.sequence(this.#comma, member, later)];
      first = needed ? asFirst : make.either(asFirst, first);
      later = needed ? asLater : make.either(asLater, later);
    }
    return make.sequence(make.text("{"), first, make.text("}"));
  }
}

/**
 * A character inside a JSON string: UTF-8 as RFC 3629 section 4 has it, or one of the short escapes. `\u` is left out:
 * UTF-8 says every character already, and half a surrogate pair would be no text.
 */
function stringCharacter(make: Expressions): Expression {
  const tail = make.byte([0x80, 0xbf]);
  return make.either(
    make.byte([0x20, 0x21], [0x23, 0x5b], [0x5d, 0x7f]),
    make.sequence(make.text("\\"), make.either(...[...'"\\/bfnrt'].map((one) => make.text(one)))),
    make.sequence(make.byte([0xc2, 0xdf]), tail),
    make.sequence(make.byte([0xe0, 0xe0]), make.byte([0xa0, 0xbf]), tail),
    make.sequence(make.byte([0xe1, 0xec], [0xee, 0xef]), tail, tail),
    make.sequence(make.byte([0xed, 0xed]), make.byte([0x80, 0x9f]), tail),
    make.sequence(make.byte([0xf0, 0xf0]), make.byte([0x90, 0xbf]), tail, tail),
    make.sequence(make.byte([0xf1, 0xf3]), tail, tail, tail),
    make.sequence(make.byte([0xf4, 0xf4]), make.byte([0x80, 0x8f]), tail, tail),
  );
}

function counts(
  schema: JsonSchema,
  [least, most]: readonly [string, string],
  place: Place,
): { min: number; max: number } {
  const [min, max] = [schema[least] ?? 0, schema[most] ?? Infinity];
  const isCount = (value: unknown) => Number.isSafeInteger(value) && (value as number) >= 0;
  if (!isCount(min)) throw malformed(place, `${least} must be a whole number from 0 on`);
  if (max !== Infinity && !isCount(max)) throw malformed(place, `${most} must be a whole number from 0 on`);
  if ((min as number) > (max as number)) throw malformed(place, `${least} is above ${most}`);
  return { min: min as number, max: max as number };
}

function bounds(schema: JsonSchema, type: string, place: Place): NumberBounds {
  const bound = (
    names: readonly [plain: string, excluding: string],
    isTighter: (a: number, b: number) => boolean,
  ) => {
    const given = names.flatMap((name, index) => {
      const value = schema[name];
      if (value === undefined) return [];
      if (typeof value !== "number" || !Number.isFinite(value))
        throw malformed(place, `${name} must be a number`);
      return [{ value, excluded: index === 1 }];
    });
    const [one, other] = given;
    if (one === undefined || other === undefined) return one ?? null;
    return isTighter(one.value, other.value) ? one : other;
  };
  return {
    integer: type === "integer",
    low: bound(["minimum", "exclusiveMinimum"], (a, b) => a > b),
    high: bound(["maximum", "exclusiveMaximum"], (a, b) => a < b),
  };
}

function refuseOthers(schema: JsonSchema, understood: readonly string[], place: Place): void {
  for (const keyword of Object.keys(schema)) {
    if (!understood.includes(keyword) && !annotations.has(keyword)) throw unsupported(keyword, place);
  }
}

function isOfType(value: unknown, type: string): boolean {
  switch (type) {
    case "object":
      return isObject(value);
    case "array":
      return Array.isArray(value);
    case "null":
      return value === null;
    case "integer":
      return Number.isInteger(value);
    default:
      return typeof value === type;
  }
}

function isObject(value: unknown): value is JsonSchema {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function unsupported(keyword: string, { path }: Place): Error {
  return appError(
    "not-supported",
    `An answer cannot be held to "${keyword}"${at(path)} of the schema. Leave it out or say it with other keywords.`,
  );
}

function malformed({ path }: Place, what: string): Error {
  return appError("bad-input", `The schema${at(path)} is not valid: it ${what}.`);
}

function at(path: string): string {
  return path === "" ? "" : ` at ${path}`;
}
