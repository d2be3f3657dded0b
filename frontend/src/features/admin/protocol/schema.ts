/** The part of JSON Schema that a protocol uses, and what a form needs to know of it. */

export interface JsonSchema {
  readonly $ref?: string;
  readonly $defs?: Readonly<Record<string, JsonSchema>>;
  readonly type?: string;
  readonly title?: string;
  readonly description?: string;
  readonly default?: unknown;
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly anyOf?: readonly JsonSchema[];
  /** Parts told apart by their fixed `kind`. */
  readonly oneOf?: readonly JsonSchema[];
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly required?: readonly string[];
  readonly items?: JsonSchema;
  readonly prefixItems?: readonly JsonSchema[];
  readonly minimum?: number;
  readonly maximum?: number;
  readonly maxLength?: number;
  readonly pattern?: string;
}

export type FieldKind =
  | "object"
  | "list"
  | "tuple"
  | "choice"
  | "fixed"
  | "yes-no"
  | "integer"
  | "decimal"
  | "text"
  | "long-text";

/** A schema with its reference followed and "or nothing" taken apart. */
export interface Field {
  readonly kind: FieldKind;
  readonly schema: JsonSchema;
  readonly nullable: boolean;
}

const LONG_TEXT_CHARACTERS = 1000;
const REFERENCE = "#/$defs/";

export function resolved(schema: JsonSchema, root: JsonSchema): JsonSchema {
  if (!schema.$ref?.startsWith(REFERENCE)) return schema;
  const target = root.$defs?.[schema.$ref.slice(REFERENCE.length)];
  if (!target) throw new Error(`The protocol's schema refers to ${schema.$ref}, which it does not have.`);
  const { $ref: _, ...own } = schema;
  return { ...target, ...own };
}

function kindOf(schema: JsonSchema): FieldKind {
  if (schema.enum) return "choice";
  if (schema.const !== undefined) return "fixed";
  if (schema.properties) return "object";
  if (schema.prefixItems) return "tuple";
  switch (schema.type) {
    case "array":
      return "list";
    case "boolean":
      return "yes-no";
    case "integer":
      return "integer";
    case "number":
      return "decimal";
    default:
      return (schema.maxLength ?? 0) >= LONG_TEXT_CHARACTERS ? "long-text" : "text";
  }
}

/** The branch of a part told by its `kind`: the value's own, the first where it has none. */
function branchOf(schema: JsonSchema, root: JsonSchema, value: unknown): JsonSchema {
  if (!schema.oneOf) return schema;
  const kind = (value as { kind?: unknown } | null | undefined)?.kind;
  const parts = schema.oneOf.map((part) => resolved(part, root));
  return parts.find((part) => part.properties?.kind?.const === kind) ?? parts[0] ?? schema;
}

export function fieldOf(given: JsonSchema, root: JsonSchema, value?: unknown): Field {
  const schema = branchOf(resolved(given, root), root, value);
  const parts = schema.anyOf?.map((part) => resolved(part, root));
  if (!parts) return { kind: kindOf(schema), schema, nullable: false };
  const { anyOf: _, ...own } = schema;
  const real = parts.filter((part) => part.type !== "null");
  const nullable = real.length < parts.length;
  // A decimal is a number or its text; it travels as text so that nothing is rounded.
  if (real.some((part) => part.type === "number")) return { kind: "decimal", schema: { ...own, ...real[0] }, nullable };
  const merged = { ...real[0], ...own };
  return { kind: kindOf(merged), schema: merged, nullable };
}

/** What a new entry or a newly set field starts as. */
export function startValue(given: JsonSchema, root: JsonSchema): unknown {
  const { kind, schema } = fieldOf(given, root);
  if (schema.default !== undefined && schema.default !== null) return structuredClone(schema.default);
  switch (kind) {
    case "fixed":
      return schema.const;
    case "choice":
      return schema.enum?.[0];
    case "yes-no":
      return false;
    case "integer":
      return schema.minimum ?? 0;
    case "decimal":
      return "0";
    case "list":
      return [];
    case "tuple":
      return (schema.prefixItems ?? []).map((item) => startValue(item, root));
    case "object":
      return startObject(schema, root);
    default:
      return "";
  }
}

function startObject(schema: JsonSchema, root: JsonSchema): Record<string, unknown> {
  const value: Record<string, unknown> = {};
  for (const [key, property] of Object.entries(schema.properties ?? {})) {
    const field = fieldOf(property, root);
    if (schema.required?.includes(key) || field.kind === "fixed") value[key] = startValue(property, root);
  }
  return value;
}

/** "min_distance_mm" -> "Min distance (mm)". */
export function labelOf(key: string): string {
  const unit = /_(mm|ms|s|hu|px|percent)$/.exec(key);
  const words = (unit ? key.slice(0, unit.index) : key).replaceAll("_", " ");
  const units: Readonly<Record<string, string>> = { hu: "HU", percent: "%" };
  const suffix = unit ? ` (${units[unit[1] as string] ?? unit[1]})` : "";
  return words.charAt(0).toUpperCase() + words.slice(1) + suffix;
}

export type Path = readonly (string | number)[];

/** JSON pointer (RFC 6901) of a path. */
export function pointerOf(path: Path): string {
  return path.map((part) => `/${String(part).replaceAll("~", "~0").replaceAll("/", "~1")}`).join("");
}

/** A copy of `document` with the value at `path` replaced; `undefined` takes the key away. */
export function withValue(document: unknown, path: Path, value: unknown): unknown {
  const [head, ...rest] = path;
  if (head === undefined) return value;
  if (Array.isArray(document)) {
    const copy = [...document];
    if (rest.length === 0 && value === undefined) copy.splice(Number(head), 1);
    else copy[Number(head)] = withValue(copy[Number(head)], rest, value);
    return copy;
  }
  const copy: Record<string, unknown> = { ...(document as Record<string, unknown> | null | undefined) };
  const next = withValue(copy[head], rest, value);
  if (next === undefined) delete copy[head];
  else copy[head] = next;
  return copy;
}
