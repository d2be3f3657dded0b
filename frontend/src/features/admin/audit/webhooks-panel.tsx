/** Addresses that programs are told at; the secret of a new one is shown once. */
import { Button, Checkbox, Group, Stack, Table, TextInput } from "@mantine/core";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import type { EventKind, Trial } from "@/api/types";
import { admin } from "@/lib/messages-admin";
import { dateTime } from "@/timing/formats";
import { createWebhook, endWebhook, webhooksQuery } from "../api";
import { Panel, SecretOnce } from "../shell/panel";
import { Loaded, Problem } from "../shell/problem";

const text = admin.webhooks;

function NewWebhook({ trialId, onMade }: { trialId: string; onMade: () => void }) {
  const [url, setUrl] = useState("");
  const [kinds, setKinds] = useState<EventKind[]>(text.kinds.map((kind) => kind.value));
  const create = useMutation({
    mutationFn: () => createWebhook(trialId, { url: url.trim(), kinds }),
    onSuccess: () => {
      setUrl("");
      onMade();
    },
  });
  const send = (event: FormEvent): void => {
    event.preventDefault();
    create.mutate();
  };
  return (
    <form onSubmit={send}>
      <Stack maw={560}>
        <TextInput
          label={text.url}
          description={text.urlHint}
          required
          value={url}
          onChange={(event) => setUrl(event.currentTarget.value)}
        />
        <Checkbox.Group label={text.events} value={kinds} onChange={(chosen) => setKinds(chosen as EventKind[])}>
          <Group mt={4}>
            {text.kinds.map((kind) => (
              <Checkbox key={kind.value} value={kind.value} label={kind.label} />
            ))}
          </Group>
        </Checkbox.Group>
        <Problem error={create.error} />
        <Button
          type="submit"
          variant="default"
          w="fit-content"
          disabled={url.trim() === "" || kinds.length === 0}
          loading={create.isPending}
        >
          {text.create}
        </Button>
        <SecretOnce title={text.secretOnce} made={create.data} />
      </Stack>
    </form>
  );
}

export function WebhooksPanel({ trial }: { trial: Trial }) {
  const client = useQueryClient();
  const query = webhooksQuery(trial.id);
  const webhooks = useQuery(query);
  const again = () => void client.invalidateQueries({ queryKey: query.queryKey });
  const end = useMutation({ mutationFn: (id: string) => endWebhook(trial.id, id), onSuccess: again });
  return (
    <Panel title={text.title} text={text.text}>
      <Problem error={end.error} />
      <Loaded query={webhooks}>
        {(rows) =>
          rows.length === 0 ? null : (
            <div className="eq-scroll">
              <Table>
                <Table.Thead>
                  <Table.Tr>
                    <Table.Th>{text.url}</Table.Th>
                    <Table.Th>{text.events}</Table.Th>
                    <Table.Th>{text.last}</Table.Th>
                    <Table.Th ta="right">{text.waiting}</Table.Th>
                    <Table.Th ta="right">{text.givenUp}</Table.Th>
                    <Table.Td />
                  </Table.Tr>
                </Table.Thead>
                <Table.Tbody>
                  {rows.map((row) => (
                    <Table.Tr key={row.id}>
                      <Table.Td className="eq-hash">{row.url}</Table.Td>
                      <Table.Td>{row.kinds.join(", ")}</Table.Td>
                      <Table.Td>{dateTime(row.last_delivered_at)}</Table.Td>
                      <Table.Td ta="right">{row.waiting}</Table.Td>
                      <Table.Td ta="right">{row.given_up}</Table.Td>
                      <Table.Td ta="right">
                        {row.ended_at ? (
                          <span className="eq-dim">{text.ended(dateTime(row.ended_at))}</span>
                        ) : (
                          <Button size="xs" variant="default" onClick={() => end.mutate(row.id)}>
                            {text.end}
                          </Button>
                        )}
                      </Table.Td>
                    </Table.Tr>
                  ))}
                </Table.Tbody>
              </Table>
            </div>
          )
        }
      </Loaded>
      <NewWebhook trialId={trial.id} onMade={again} />
    </Panel>
  );
}
