/** The protocol as a form, drawn from its JSON Schema alone: a new field of the protocol needs no line here. */
import { Button, Group, NativeSelect, NumberInput, Stack, Text, Textarea, TextInput } from "@mantine/core";
import { createContext, useContext } from "react";
import type { ProtocolProblem } from "@/api/types";
import { admin } from "@/lib/messages-admin";
import { type Field, fieldOf, type JsonSchema, labelOf, type Path, pointerOf, startValue } from "./schema";

const text = admin.protocol;

interface FormContext {
  readonly root: JsonSchema;
  readonly problems: readonly ProtocolProblem[];
  readonly readOnly: boolean;
  readonly onChange: (path: Path, value: unknown) => void;
}

const Form = createContext<FormContext | null>(null);

function useForm(): FormContext {
  const form = useContext(Form);
  if (!form) throw new Error("A field stands outside its form.");
  return form;
}

function useProblem(path: Path): string | undefined {
  const { problems } = useForm();
  const pointer = pointerOf(path);
  const own = problems.filter((problem) => problem.pointer === pointer);
  return own.length > 0 ? own.map((problem) => problem.message).join(" ") : undefined;
}

interface FieldProps {
  readonly path: Path;
  readonly field: Field;
  readonly value: unknown;
  readonly label: string;
}

function TextLike({ path, field, value, label }: FieldProps) {
  const { onChange, readOnly } = useForm();
  const error = useProblem(path);
  const shared = { label, error, readOnly, value: typeof value === "string" ? value : String(value ?? "") };
  const change = (next: string): void => onChange(path, next);
  if (field.kind === "long-text") {
    return <Textarea {...shared} rows={4} resize="vertical" onChange={(event) => change(event.currentTarget.value)} />;
  }
  return <TextInput {...shared} onChange={(event) => change(event.currentTarget.value)} />;
}

function WholeNumber({ path, field, value, label }: FieldProps) {
  const { onChange, readOnly } = useForm();
  const { minimum, maximum } = field.schema;
  return (
    <NumberInput
      label={label}
      error={useProblem(path)}
      readOnly={readOnly}
      allowDecimal={false}
      {...(minimum === undefined ? {} : { min: minimum })}
      {...(maximum === undefined ? {} : { max: maximum })}
      value={typeof value === "number" ? value : ""}
      onChange={(next) => onChange(path, next === "" ? undefined : Number(next))}
    />
  );
}

function Choice({ path, field, value, label }: FieldProps) {
  const { onChange, readOnly } = useForm();
  const yesNo = field.kind === "yes-no";
  const data = yesNo
    ? [
        { value: "true", label: text.yes },
        { value: "false", label: text.no },
      ]
    : (field.schema.enum ?? []).map((each) => ({ value: String(each), label: String(each).replaceAll("_", " ") }));
  return (
    <NativeSelect
      label={label}
      error={useProblem(path)}
      disabled={readOnly}
      data={data}
      value={String(value)}
      onChange={(event) => {
        const next = event.currentTarget.value;
        onChange(path, yesNo ? next === "true" : next);
      }}
    />
  );
}

function ObjectFields({ path, field, value }: Omit<FieldProps, "label">) {
  const object = (value ?? {}) as Readonly<Record<string, unknown>>;
  return (
    <Stack gap="sm">
      {Object.entries(field.schema.properties ?? {}).map(([key, schema]) => (
        <AnyField key={key} path={[...path, key]} schema={schema} value={object[key]} label={labelOf(key)} />
      ))}
    </Stack>
  );
}

function Grouped(props: { label: string; path: Path; children: React.ReactNode }) {
  const error = useProblem(props.path);
  return (
    <fieldset className="eq-form-group">
      <legend>{props.label}</legend>
      {error && (
        <Text size="sm" c="red" mb="xs">
          {error}
        </Text>
      )}
      {props.children}
    </fieldset>
  );
}

function ListFields({ path, field, value, label }: FieldProps) {
  const { root, onChange, readOnly } = useForm();
  const entries = Array.isArray(value) ? (value as readonly unknown[]) : [];
  const fixed = field.kind === "tuple";
  const schemaAt = (index: number): JsonSchema => field.schema.prefixItems?.[index] ?? field.schema.items ?? {};
  const list = (
    <Stack gap="sm">
      {entries.map((entry, index) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: entries have no name of their own; their place is their key
        <div key={index}>
          <AnyField path={[...path, index]} schema={schemaAt(index)} value={entry} label={`${index + 1}`} />
          {!fixed && !readOnly && (
            <button type="button" className="eq-quiet-button" onClick={() => onChange([...path, index], undefined)}>
              {admin.common.remove}
            </button>
          )}
        </div>
      ))}
      {!fixed && !readOnly && (
        <Button
          size="compact-sm"
          variant="default"
          w="fit-content"
          onClick={() => onChange([...path, entries.length], startValue(schemaAt(entries.length), root))}
        >
          {text.addRow}
        </Button>
      )}
    </Stack>
  );
  // A list that fills a section needs no second frame with the section's name.
  if (path.length === 1) return list;
  return (
    <Grouped label={label} path={path}>
      {list}
    </Grouped>
  );
}

/** A field that may be left out, while it is. */
function Unset({ path, field, label }: Omit<FieldProps, "value">) {
  const { root, onChange, readOnly } = useForm();
  const error = useProblem(path);
  return (
    <Group gap="sm">
      <Text size="sm" fw={500}>
        {label}
      </Text>
      <Text size="sm" c={error ? "red" : "dimmed"}>
        {error ?? text.unset}
      </Text>
      {!readOnly && (
        <Button
          size="compact-xs"
          variant="default"
          aria-label={`${text.set}: ${label}`}
          onClick={() => onChange(path, startValue(field.schema, root))}
        >
          {text.set}
        </Button>
      )}
    </Group>
  );
}

function Control(props: FieldProps) {
  const { field, path, value, label } = props;
  switch (field.kind) {
    case "object":
      return (
        <Grouped label={label} path={path}>
          <ObjectFields path={path} field={field} value={value} />
        </Grouped>
      );
    case "list":
    case "tuple":
      return <ListFields {...props} />;
    case "choice":
    case "yes-no":
      return <Choice {...props} />;
    case "integer":
      return <WholeNumber {...props} />;
    case "fixed":
      return null;
    default:
      return <TextLike {...props} />;
  }
}

function AnyField(props: { path: Path; schema: JsonSchema; value: unknown; label: string }) {
  const { root, onChange, readOnly } = useForm();
  const field = fieldOf(props.schema, root, props.value);
  const { path, label } = props;
  const value = props.value ?? field.schema.default ?? undefined;
  const absent = value === undefined || value === null;
  if (absent && field.kind !== "object" && field.kind !== "list" && field.kind !== "fixed") {
    return <Unset path={path} field={field} label={label} />;
  }
  if (absent && field.nullable) return <Unset path={path} field={field} label={label} />;
  return (
    <div>
      <Control path={path} field={field} value={value} label={label} />
      {field.nullable && !readOnly && (
        <button
          type="button"
          className="eq-quiet-button"
          aria-label={`${text.unsetAction}: ${label}`}
          onClick={() => onChange(path, null)}
        >
          {text.unsetAction}
        </button>
      )}
    </div>
  );
}

function countProblems(problems: readonly ProtocolProblem[], key: string): number {
  return problems.filter((each) => each.pointer === `/${key}` || each.pointer.startsWith(`/${key}/`)).length;
}

export function SchemaForm(props: {
  schema: JsonSchema;
  document: Readonly<Record<string, unknown>>;
  problems: readonly ProtocolProblem[];
  readOnly: boolean;
  onChange: (path: Path, value: unknown) => void;
}) {
  const { schema, document, problems, readOnly, onChange } = props;
  const entries = Object.entries(schema.properties ?? {}).map(([key, property]) => {
    return { key, property, field: fieldOf(property, schema) };
  });
  const simple = entries.filter(({ field }) => field.kind !== "object" && field.kind !== "list");
  const grouped = entries.filter(({ field }) => field.kind === "object" || field.kind === "list");
  return (
    <Form.Provider value={{ root: schema, problems, readOnly, onChange }}>
      <Stack gap="sm" mb="md">
        {simple.map(({ key, property }) => (
          <AnyField key={key} path={[key]} schema={property} value={document[key]} label={labelOf(key)} />
        ))}
      </Stack>
      {grouped.map(({ key, property, field }) => {
        const found = countProblems(problems, key);
        return (
          <details key={key} className="eq-form-section">
            <summary>
              {labelOf(key)}
              {found > 0 && (
                <Text span size="sm" c="yellow">
                  {" "}
                  · {found}
                </Text>
              )}
            </summary>
            <div className="eq-form-body">
              {field.kind === "object" ? (
                <ObjectFields path={[key]} field={field} value={document[key] ?? field.schema.default} />
              ) : (
                <AnyField path={[key]} schema={property} value={document[key]} label={labelOf(key)} />
              )}
            </div>
          </details>
        );
      })}
    </Form.Provider>
  );
}
