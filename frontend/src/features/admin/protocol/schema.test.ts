import { expect, test } from "vitest";
import { fieldOf, type JsonSchema, labelOf, pointerOf, startValue, withValue } from "./schema";

const root: JsonSchema = {
  $defs: {
    Kind: { enum: ["choice", "text"], type: "string" },
    Window: {
      type: "object",
      properties: { name: { type: "string" }, width_hu: { type: "integer", minimum: 1 }, note: { type: "string" } },
      required: ["name", "width_hu"],
    },
  },
};

test("references are followed and 'or nothing' is taken apart", () => {
  const field = fieldOf({ anyOf: [{ $ref: "#/$defs/Kind" }, { type: "null" }], default: null }, root);
  expect(field).toMatchObject({ kind: "choice", nullable: true });
  expect(field.schema.enum).toEqual(["choice", "text"]);
});

test("a decimal is told from a text by the number beside it", () => {
  expect(fieldOf({ anyOf: [{ type: "number", minimum: 0 }, { type: "string" }], default: "0.7" }, root)).toMatchObject({
    kind: "decimal",
    nullable: false,
  });
});

test.each([
  [{ type: "boolean" }, "yes-no"],
  [{ type: "integer" }, "integer"],
  [{ type: "string", maxLength: 20000 }, "long-text"],
  [{ type: "string", maxLength: 300 }, "text"],
  [{ const: "dice_2d", type: "string" }, "fixed"],
  [{ type: "array", items: { type: "string" } }, "list"],
  [{ type: "array", prefixItems: [{ type: "string" }] }, "tuple"],
  [{ $ref: "#/$defs/Window" }, "object"],
] as const)("%o is drawn as %s", (schema, kind) => {
  expect(fieldOf(schema, root).kind).toBe(kind);
});

test("a new entry holds what is required and nothing else", () => {
  expect(startValue({ $ref: "#/$defs/Window" }, root)).toEqual({ name: "", width_hu: 1 });
});

test("labels say the unit", () => {
  expect([labelOf("min_distance_mm"), labelOf("width_hu"), labelOf("no_preference")]).toEqual([
    "Min distance (mm)",
    "Width (HU)",
    "No preference",
  ]);
});

test("values are replaced without touching the rest", () => {
  const document = { tasks: [{ windows: [{ name: "Lung" }, { name: "Bone" }] }], title: "T" };
  const changed = withValue(document, ["tasks", 0, "windows", 1, "name"], "Soft") as typeof document;
  expect(changed.tasks[0]?.windows).toEqual([{ name: "Lung" }, { name: "Soft" }]);
  expect(document.tasks[0]?.windows[1]?.name).toBe("Bone");
  expect(withValue(document, ["tasks", 0, "windows", 0], undefined)).toEqual({
    tasks: [{ windows: [{ name: "Bone" }] }],
    title: "T",
  });
  expect(withValue(document, ["title"], undefined)).toEqual({ tasks: document.tasks });
});

test("pointers are those of the standard", () => {
  expect(pointerOf(["a/b", 0, "c~d"])).toBe("/a~1b/0/c~0d");
});

test("a part told by its kind shows the fields of that kind", () => {
  const tasks: JsonSchema = {
    oneOf: [
      { type: "object", properties: { kind: { const: "preference" }, question: { type: "string" } } },
      { type: "object", properties: { kind: { const: "classification" }, decision: { type: "string" } } },
    ],
  };
  const keys = (value: unknown) => Object.keys(fieldOf(tasks, root, value).schema.properties ?? {});
  expect(keys({ kind: "classification" })).toEqual(["kind", "decision"]);
  expect(keys(undefined)).toEqual(["kind", "question"]);
});
