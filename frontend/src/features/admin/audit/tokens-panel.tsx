/** Keys of programs to this trial: one role each, until a day or until taken back; the secret is shown once. */
import { Button, Group, NativeSelect, Stack, Table, TextInput } from "@mantine/core";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import type { TokenRole, Trial } from "@/api/types";
import { admin } from "@/lib/messages-admin";
import { dateTime, dayFromNow } from "@/timing/formats";
import { createToken, revokeToken, tokensQuery } from "../api";
import { Panel, SecretOnce } from "../shell/panel";
import { Loaded, Problem } from "../shell/problem";

const text = admin.tokens;
const DAYS = [7, 30, 90, 365];

function NewToken({ trialId, onMade }: { trialId: string; onMade: () => void }) {
  const [label, setLabel] = useState("");
  const [role, setRole] = useState<TokenRole>("algorithm");
  const [days, setDays] = useState("90");
  const create = useMutation({
    mutationFn: () => createToken(trialId, { label: label.trim(), role, expires_at: dayFromNow(Number(days)) }),
    onSuccess: () => {
      setLabel("");
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
        <Problem error={create.error} />
        <TextInput
          label={text.label}
          description={text.labelHint}
          required
          maxLength={100}
          value={label}
          onChange={(event) => setLabel(event.currentTarget.value)}
        />
        <Group align="flex-end">
          <NativeSelect
            label={text.role}
            data={[...text.roles]}
            value={role}
            onChange={(event) => setRole(event.currentTarget.value as TokenRole)}
          />
          <NativeSelect
            label={text.lasts}
            data={DAYS.map((count) => ({ value: String(count), label: text.days(count) }))}
            value={days}
            onChange={(event) => setDays(event.currentTarget.value)}
          />
          <Button type="submit" variant="default" disabled={label.trim() === ""} loading={create.isPending}>
            {text.create}
          </Button>
        </Group>
        <SecretOnce title={text.secretOnce} made={create.data} />
      </Stack>
    </form>
  );
}

export function TokensPanel({ trial }: { trial: Trial }) {
  const client = useQueryClient();
  const query = tokensQuery(trial.id);
  const tokens = useQuery(query);
  const again = () => void client.invalidateQueries({ queryKey: query.queryKey });
  const revoke = useMutation({ mutationFn: (id: string) => revokeToken(trial.id, id), onSuccess: again });
  return (
    <Panel title={text.title} text={text.text}>
      <Problem error={revoke.error} />
      <Loaded query={tokens}>
        {(rows) =>
          rows.length === 0 ? null : (
            <div className="eq-scroll">
              <Table>
                <Table.Thead>
                  <Table.Tr>
                    <Table.Th>{text.label}</Table.Th>
                    <Table.Th>{text.begins}</Table.Th>
                    <Table.Th>{text.role}</Table.Th>
                    <Table.Th>{text.until}</Table.Th>
                    <Table.Th>{text.used}</Table.Th>
                    <Table.Td />
                  </Table.Tr>
                </Table.Thead>
                <Table.Tbody>
                  {rows.map((row) => (
                    <Table.Tr key={row.id}>
                      <Table.Td>{row.label}</Table.Td>
                      <Table.Td className="eq-hash">{row.prefix}…</Table.Td>
                      <Table.Td>{text.roles.find((each) => each.value === row.role)?.label ?? row.role}</Table.Td>
                      <Table.Td>{dateTime(row.expires_at)}</Table.Td>
                      <Table.Td>{dateTime(row.last_used_at)}</Table.Td>
                      <Table.Td ta="right">
                        {row.state === "active" ? (
                          <Button
                            size="xs"
                            variant="default"
                            aria-label={text.revokeOne(row.label)}
                            onClick={() => revoke.mutate(row.id)}
                          >
                            {text.revoke}
                          </Button>
                        ) : (
                          <span className="eq-dim">
                            {row.revoked_at ? text.revoked(dateTime(row.revoked_at)) : text.expired}
                          </span>
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
      <NewToken trialId={trial.id} onMade={again} />
    </Panel>
  );
}
