import { Alert, Button, FileInput, Group, List, NativeSelect, Stack, Text, Textarea, TextInput } from "@mantine/core";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import type { DeclaredData, ExternalTable } from "@/api/types";
import { admin } from "@/lib/messages-admin";
import { externalTablesQuery, importTable, trialQuery } from "../api";
import { Problem } from "../shell/problem";

const text = admin.analyses;

function Imported({ table }: { table: ExternalTable }) {
  return (
    <Alert data-tone={table.surfaced.length > 0 ? "warn" : "good"} title={text.imported(table.imported)}>
      {table.surfaced.length > 0 && (
        <>
          <Text size="sm">{text.surfaced(table.surfaced.length)}</Text>
          <List size="sm">
            {table.surfaced.map((row) => (
              <List.Item key={row.row}>{text.surfacedRow(row.row, row.problem)}</List.Item>
            ))}
          </List>
        </>
      )}
    </Alert>
  );
}

function Declared({ data }: { data: readonly DeclaredData[] }) {
  return (
    <List size="sm">
      {data.map((one) => (
        <List.Item key={one.key}>
          {text.declared(one.key, one.table, one.imported)} {one.collected}
        </List.Item>
      ))}
    </List>
  );
}

export function ImportPanel({ trialId }: { trialId: string }) {
  const client = useQueryClient();
  const [file, setFile] = useState<File | null>(null);
  const [marks, setMarks] = useState({ algorithm_mark: "", other_mark: "" });
  const [of, setOf] = useState({ key: "", table: "readings", patients: "other" });
  const [columns, setColumns] = useState("");
  const [rules, setRules] = useState({ both: "exclude", neither: "exclude" });
  const tables = useQuery(externalTablesQuery(trialId));
  const declared = tables.data?.declared ?? [];
  const isDeclared = declared.some((one) => one.key === of.key);
  const sending = useMutation({
    mutationFn: (chosen: File) => {
      const form = new FormData();
      form.append("file", chosen);
      for (const [key, value] of Object.entries({ ...of, ...marks, ...rules })) form.append(key, value);
      for (const line of columns.split("\n")) if (line.trim()) form.append("columns", line.trim());
      return importTable(trialId, form);
    },
    onSuccess: () => {
      void client.invalidateQueries({ queryKey: externalTablesQuery(trialId).queryKey });
      void client.invalidateQueries({ queryKey: trialQuery(trialId).queryKey, exact: true });
    },
  });
  const send = (event: FormEvent): void => {
    event.preventDefault();
    if (file) sending.mutate(file);
  };
  return (
    <details className="eq-form-section">
      <summary>{text.import}</summary>
      <form className="eq-form-body" onSubmit={send}>
        <Stack>
          <Text size="sm" c="dimmed">
            {text.importText}
          </Text>
          <FileInput label={text.file} accept=".csv,.xlsx,.parquet" value={file} onChange={setFile} maw={420} />
          {declared.length > 0 && <Declared data={declared} />}
          <TextInput
            label={text.dataKey}
            description={text.dataKeyHint}
            value={of.key}
            onChange={(event) => setOf({ ...of, key: event.currentTarget.value.trim() })}
            maw={420}
          />
          {!isDeclared && (
            <>
              <Group>
                <NativeSelect
                  label={text.kind}
                  data={[...text.kinds]}
                  value={of.table}
                  onChange={(event) => setOf({ ...of, table: event.currentTarget.value })}
                />
                <NativeSelect
                  label={text.patients}
                  data={[...text.patientsOf]}
                  value={of.patients}
                  onChange={(event) => setOf({ ...of, patients: event.currentTarget.value })}
                />
              </Group>
              <Textarea
                label={text.columns}
                description={text.columnsHint}
                value={columns}
                onChange={(event) => setColumns(event.currentTarget.value)}
                autosize
                minRows={2}
                maw={420}
              />
            </>
          )}
          {!isDeclared && of.table === "readings" && (
            <>
              <Group>
                <TextInput
                  label={text.algorithmMark}
                  value={marks.algorithm_mark}
                  onChange={(event) => setMarks({ ...marks, algorithm_mark: event.currentTarget.value })}
                />
                <TextInput
                  label={text.otherMark}
                  value={marks.other_mark}
                  onChange={(event) => setMarks({ ...marks, other_mark: event.currentTarget.value })}
                />
              </Group>
              <Group>
                <NativeSelect
                  label={text.both}
                  data={[...text.rules]}
                  value={rules.both}
                  onChange={(event) => setRules({ ...rules, both: event.currentTarget.value })}
                />
                <NativeSelect
                  label={text.neither}
                  data={[...text.rules]}
                  value={rules.neither}
                  onChange={(event) => setRules({ ...rules, neither: event.currentTarget.value })}
                />
              </Group>
            </>
          )}
          <Problem error={sending.error} />
          {sending.data && <Imported table={sending.data} />}
          <Button type="submit" variant="default" w="fit-content" disabled={!file} loading={sending.isPending}>
            {text.importSend}
          </Button>
        </Stack>
      </form>
    </details>
  );
}
