import { Alert, Button, FileInput, Group, List, NativeSelect, Stack, Text, TextInput } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import type { ExternalTable } from "@/api/types";
import { admin } from "@/lib/messages-admin";
import { externalTablesQuery, importTable } from "../api";
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

export function ImportPanel({ trialId }: { trialId: string }) {
  const client = useQueryClient();
  const [file, setFile] = useState<File | null>(null);
  const [marks, setMarks] = useState({ algorithm_mark: "", other_mark: "" });
  const [rules, setRules] = useState({ both: "exclude", neither: "exclude" });
  const sending = useMutation({
    mutationFn: (chosen: File) => {
      const form = new FormData();
      form.append("file", chosen);
      for (const [key, value] of Object.entries({ ...marks, ...rules })) form.append(key, value);
      return importTable(trialId, form);
    },
    onSuccess: () => client.invalidateQueries({ queryKey: externalTablesQuery(trialId).queryKey }),
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
