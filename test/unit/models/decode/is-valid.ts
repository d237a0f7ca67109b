/** Whether a value is valid by a schema: a second reading of JSON Schema, for tests. */
export function isValid(schema: Record<string, unknown>, value: unknown): boolean {
  const number = (name: string) => schema[name] as number | undefined;
  if ("const" in schema) return JSON.stringify(schema["const"]) === JSON.stringify(value);
  if ("enum" in schema) {
    return (schema["enum"] as unknown[]).some((one) => JSON.stringify(one) === JSON.stringify(value));
  }
  switch (schema["type"]) {
    case "null":
      return value === null;
    case "boolean":
      return typeof value === "boolean";
    case "string": {
      if (typeof value !== "string" || /[\uD800-\uDFFF]/u.test(value)) return false;
      const { length } = Array.from(value);
      return length >= (number("minLength") ?? 0) && length <= (number("maxLength") ?? Infinity);
    }
    case "integer":
    case "number":
      return (
        typeof value === "number" &&
        (schema["type"] === "number" || Number.isInteger(value)) &&
        value >= (number("minimum") ?? -Infinity) &&
        value <= (number("maximum") ?? Infinity) &&
        value > (number("exclusiveMinimum") ?? -Infinity) &&
        value < (number("exclusiveMaximum") ?? Infinity)
      );
    case "array":
      return (
        Array.isArray(value) &&
        value.length >= (number("minItems") ?? 0) &&
        value.length <= (number("maxItems") ?? Infinity) &&
        value.every((item) => isValid(schema["items"] as Record<string, unknown>, item))
      );
    case "object": {
      const properties = (schema["properties"] ?? {}) as Record<string, Record<string, unknown>>;
      const required = (schema["required"] ?? []) as string[];
      return (
        typeof value === "object" &&
        value !== null &&
        required.every((name) => name in value) &&
        Object.entries(value).every(([name, one]) => properties[name] && isValid(properties[name], one))
      );
    }
    default:
      return false;
  }
}
