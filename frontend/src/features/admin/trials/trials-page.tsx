/** Every trial that one manages, and the way to a new one. */
import {
  Anchor,
  Badge,
  Button,
  FileInput,
  Group,
  NativeSelect,
  Paper,
  Stack,
  Table,
  Text,
  TextInput,
  Title,
} from "@mantine/core";
import { useMutation, useQuery } from "@tanstack/react-query";
import { type FormEvent, type ReactNode, useState } from "react";
import type { TrialRow } from "@/api/types";
import { trialPath } from "@/config/paths";
import { messages } from "@/lib/messages";
import { admin } from "@/lib/messages-admin";
import { day } from "@/timing/formats";
import { createTrial, importTrial, templatesQuery, trialsQuery } from "../api";
import { Kit } from "../kit";
import { Loaded, Problem } from "../shell/problem";
import { ErasePerson } from "./erase-person";
import { slugOf } from "./slug";

const text = admin.trials;

function TrialTable({ rows }: { rows: readonly TrialRow[] }) {
  if (rows.length === 0) return <Text c="dimmed">{text.empty}</Text>;
  return (
    <div className="eq-scroll">
      <Table highlightOnHover>
        <Table.Thead>
          <Table.Tr>
            <Table.Th>{text.name}</Table.Th>
            <Table.Th>{text.state}</Table.Th>
            <Table.Th>{text.cases}</Table.Th>
            <Table.Th>{text.participants}</Table.Th>
            <Table.Th>{text.readings}</Table.Th>
            <Table.Th>{text.created}</Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {rows.map((row) => (
            <Table.Tr key={row.id}>
              <Table.Td>
                <Anchor href={trialPath(row.id)}>{row.title}</Anchor>
              </Table.Td>
              <Table.Td>
                <Badge variant="light">{admin.states[row.state] ?? row.state}</Badge>
                {row.imported && (
                  <Text size="xs" c="dimmed" title={text.importedHash(row.imported.manifest_sha256)}>
                    {text.imported(day(row.imported.made_at))}, {row.imported.manifest_sha256.slice(0, 12)}
                  </Text>
                )}
              </Table.Td>
              <Table.Td>{row.counts.cases}</Table.Td>
              <Table.Td>{row.counts.participants}</Table.Td>
              <Table.Td>{admin.common.of(row.counts.readings_submitted, row.counts.readings_total)}</Table.Td>
              <Table.Td>{day(row.created_at)}</Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </div>
  );
}

function CreateTrial({ onClose }: { onClose: () => void }) {
  const templates = useQuery(templatesQuery);
  const [title, setTitle] = useState("");
  const [slug, setSlug] = useState<string | null>(null);
  const [template, setTemplate] = useState<string | null>(null);
  const shortName = slug ?? slugOf(title);
  const chosen = templates.data?.find((each) => each.name === template) ?? templates.data?.[0];
  const create = useMutation({
    mutationFn: () => createTrial({ slug: shortName, title, template: chosen?.name ?? "" }),
    onSuccess: (trial) => window.location.assign(trialPath(trial.id, "protocol")),
  });
  const send = (event: FormEvent): void => {
    event.preventDefault();
    create.mutate();
  };
  return (
    <Paper withBorder p="lg" mb="lg" component="form" onSubmit={send}>
      <Stack maw={560}>
        <TextInput label={text.name} required value={title} onChange={(event) => setTitle(event.currentTarget.value)} />
        <TextInput
          label={text.slug}
          description={text.slugHint}
          required
          value={shortName}
          onChange={(event) => setSlug(event.currentTarget.value)}
        />
        <NativeSelect
          label={text.template}
          description={chosen?.summary}
          data={(templates.data ?? []).map((each) => ({ value: each.name, label: each.title }))}
          value={chosen?.name ?? ""}
          onChange={(event) => setTemplate(event.currentTarget.value)}
        />
        <Problem error={create.error ?? templates.error} />
        <Group>
          <Button type="submit" disabled={title.trim() === "" || !chosen} loading={create.isPending}>
            {text.begin}
          </Button>
          <Button variant="default" onClick={onClose}>
            {admin.common.cancel}
          </Button>
        </Group>
      </Stack>
    </Paper>
  );
}

function ImportBundle() {
  const [file, setFile] = useState<File | null>(null);
  const [slug, setSlug] = useState("");
  const send = useMutation({
    mutationFn: (chosen: File) => importTrial(chosen, slug),
    onSuccess: (trial) => window.location.assign(trialPath(trial.id)),
  });
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    if (file) send.mutate(file);
  };
  return (
    <details className="eq-form-section">
      <summary>{text.importTitle}</summary>
      <form className="eq-form-body" onSubmit={submit}>
        <Stack maw={560}>
          <Text size="sm" c="dimmed">
            {text.importText}
          </Text>
          <FileInput label={text.importFile} accept=".zip" value={file} onChange={setFile} />
          <TextInput
            label={text.importSlug}
            description={text.importSlugHint}
            value={slug}
            onChange={(event) => setSlug(event.currentTarget.value)}
          />
          <Problem error={send.error} />
          <Button type="submit" variant="default" w="fit-content" disabled={!file} loading={send.isPending}>
            {text.importSend}
          </Button>
        </Stack>
      </form>
    </details>
  );
}

export function TrialsPage({ account }: { account: ReactNode }) {
  const trials = useQuery(trialsQuery);
  const [creating, setCreating] = useState(false);
  return (
    <Kit>
      <div className="eq-page">
        <header className="eq-header">
          <a className="eq-brand" href="/trials">
            {messages.product}
          </a>
          <span className="eq-spread" />
          <a href="/">{text.toReading}</a>
          {account}
        </header>
        <main className="eq-content">
          <Group justify="space-between" mb="md">
            <Title order={1} size="h3">
              {text.title}
            </Title>
            {!creating && <Button onClick={() => setCreating(true)}>{text.create}</Button>}
          </Group>
          {creating && <CreateTrial onClose={() => setCreating(false)} />}
          <Stack gap="lg">
            <Loaded query={trials}>{(rows) => <TrialTable rows={rows} />}</Loaded>
            <ImportBundle />
            <ErasePerson />
          </Stack>
        </main>
      </div>
    </Kit>
  );
}
