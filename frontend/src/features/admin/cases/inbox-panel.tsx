/** What an archive or a program may send by DICOMweb: where to, how it is taken, and what waits. */
import { Button, Code, Group, NumberInput, Paper, Stack, Table, Text } from "@mantine/core";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import type { Inbox, InboxSettings, Purpose, RoiRule, Trial } from "@/api/types";
import { admin } from "@/lib/messages-admin";
import { sizeText } from "@/lib/size-text";
import { dateTime } from "@/timing/formats";
import { completeDeliveries, inboxQuery, saveInbox } from "../api";
import { Problem } from "../shell/problem";
import { PurposeSelect } from "./purpose-select";
import { completeRules, RoiRules, rulesFor } from "./roi-rules";

const text = admin.inbox;

function Waiting({ trial, inbox }: { trial: Trial; inbox: Inbox }) {
  const client = useQueryClient();
  const complete = useMutation({
    mutationFn: () => completeDeliveries(trial.id),
    onSuccess: () => void client.invalidateQueries({ queryKey: ["trial", trial.id] }),
  });
  if (inbox.deliveries.length === 0) return <Text c="dimmed">{text.nothing}</Text>;
  return (
    <>
      <Table>
        <Table.Thead>
          <Table.Tr>
            <Table.Th>{text.since}</Table.Th>
            <Table.Th>{text.last}</Table.Th>
            <Table.Th ta="right">{text.instances}</Table.Th>
            <Table.Th ta="right">{text.size}</Table.Th>
            <Table.Th>{text.state}</Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {inbox.deliveries.map((one) => (
            <Table.Tr key={one.id}>
              <Table.Td>{dateTime(one.opened_at)}</Table.Td>
              <Table.Td>{dateTime(one.received_at)}</Table.Td>
              <Table.Td ta="right">{one.instance_count}</Table.Td>
              <Table.Td ta="right">{sizeText(one.byte_count)}</Table.Td>
              <Table.Td>{one.closed_at === null ? text.open : text.closed}</Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
      <Problem error={complete.error} />
      <Group>
        <Button variant="default" loading={complete.isPending} onClick={() => complete.mutate()}>
          {text.complete}
        </Button>
        <Text size="sm" c="dimmed">
          {text.completeHint}
        </Text>
      </Group>
    </>
  );
}

function Form({ trial, inbox, sources }: { trial: Trial; inbox: Inbox; sources: readonly string[] }) {
  const client = useQueryClient();
  const [rules, setRules] = useState<RoiRule[]>(() => (inbox.rules.length > 0 ? inbox.rules : rulesFor(sources)));
  const [purpose, setPurpose] = useState<Purpose>(inbox.purpose ?? "trial");
  const [quiet, setQuiet] = useState<number | string>(inbox.quiet_s ?? 60);
  const save = useMutation({
    mutationFn: (body: InboxSettings) => saveInbox(trial.id, body),
    onSuccess: (body) => client.setQueryData(inboxQuery(trial.id).queryKey, body),
  });
  return (
    <Paper withBorder p="lg">
      <Stack>
        <Text size="sm" c="dimmed">
          {text.hint} <Code>{`${window.location.origin}/api/v1/trials/${trial.id}/dicomweb/studies`}</Code>
        </Text>
        <Waiting trial={trial} inbox={inbox} />
        <RoiRules rules={rules} onChange={setRules} />
        <Group align="flex-end">
          <PurposeSelect purpose={purpose} onChange={setPurpose} />
          <NumberInput
            label={text.quiet}
            min={5}
            max={3600}
            allowDecimal={false}
            w={220}
            value={quiet}
            onChange={setQuiet}
          />
          <Button
            variant="default"
            disabled={!completeRules(rules) || typeof quiet !== "number"}
            loading={save.isPending}
            onClick={() => save.mutate({ rules, purpose, quiet_s: Number(quiet) })}
          >
            {text.save}
          </Button>
          {save.isSuccess && <Text role="status">{text.saved}</Text>}
        </Group>
        <Problem error={save.error} />
      </Stack>
    </Paper>
  );
}

export function InboxPanel({ trial, sources }: { trial: Trial; sources: readonly string[] }) {
  const inbox = useQuery(inboxQuery(trial.id));
  const [open, setOpen] = useState(false);
  if (inbox.data === undefined) return null;
  return (
    <details className="eq-form-section eq-apart" onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>{text.title(inbox.data.deliveries.length)}</summary>
      <div className="eq-form-body">{open && <Form trial={trial} inbox={inbox.data} sources={sources} />}</div>
    </details>
  );
}
