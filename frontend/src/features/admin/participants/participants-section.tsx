import {
  Alert,
  Badge,
  Button,
  CopyButton,
  Group,
  NativeSelect,
  Paper,
  Stack,
  Table,
  Text,
  TextInput,
  Title,
} from "@mantine/core";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import type { Invitation, InvitedRole, Participant, Trial } from "@/api/types";
import { admin } from "@/lib/messages-admin";
import { dateTime } from "@/timing/formats";
import { invitationsQuery, invite, participantsQuery, revokeInvitation } from "../api";
import { Loaded, Problem } from "../shell/problem";
import { AlgorithmsPanel } from "./algorithms-panel";
import { MembersPanel } from "./members-panel";
import { roleLabel } from "./role-label";
import { ExcludeDataDialog, WithdrawDialog } from "./withdraw-dialog";

const text = admin.participants;

function ParticipantTable({ trial, rows }: { trial: Trial; rows: readonly Participant[] }) {
  const [excluding, setExcluding] = useState<Participant | null>(null);
  const mayLeave = trial.open_to.includes("leave");
  const mayExclude = mayLeave && trial.permissions.includes("participant:withdraw");
  const [leaving, setLeaving] = useState<Participant | null>(null);
  const mayWithdraw =
    mayLeave &&
    (trial.permissions.includes("participant:withdraw") || trial.permissions.includes("participant:invite"));
  if (rows.length === 0) return <Text c="dimmed">{text.empty}</Text>;
  return (
    <div className="eq-scroll">
      <Table highlightOnHover>
        <Table.Thead>
          <Table.Tr>
            <Table.Th>{text.code}</Table.Th>
            <Table.Th>{text.group}</Table.Th>
            <Table.Th>{text.state}</Table.Th>
            <Table.Th ta="right">{text.slot}</Table.Th>
            <Table.Th ta="right">{text.readings}</Table.Th>
            <Table.Th ta="right">{text.cannot}</Table.Th>
            <Table.Th>{text.last}</Table.Th>
            <Table.Th>
              <span className="eq-visually-hidden">{text.actions}</span>
            </Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {rows.map((row) => (
            <Table.Tr key={row.id}>
              <Table.Td>{row.code}</Table.Td>
              <Table.Td>{row.group || "–"}</Table.Td>
              <Table.Td>
                <Badge variant="light">{row.state.replaceAll("_", " ")}</Badge>
              </Table.Td>
              <Table.Td ta="right">{row.slot ?? "–"}</Table.Td>
              <Table.Td ta="right">{admin.common.of(row.submitted, row.planned)}</Table.Td>
              <Table.Td ta="right">{row.not_assessable}</Table.Td>
              <Table.Td>{dateTime(row.last_activity_at)}</Table.Td>
              <Table.Td>
                {mayWithdraw && row.kind === "reader" && row.state !== "withdrawn" && (
                  <Button size="compact-xs" variant="default" onClick={() => setLeaving(row)}>
                    {text.withdraw}
                  </Button>
                )}
                {mayExclude && row.state === "withdrawn" && row.submitted > 0 && (
                  <Button size="compact-xs" variant="default" onClick={() => setExcluding(row)}>
                    {text.exclude}
                  </Button>
                )}
              </Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
      {excluding && <ExcludeDataDialog trialId={trial.id} participant={excluding} onClose={() => setExcluding(null)} />}
      {leaving && <WithdrawDialog trialId={trial.id} participant={leaving} onClose={() => setLeaving(null)} />}
    </div>
  );
}

function InviteForm({ trialId }: { trialId: string }) {
  const client = useQueryClient();
  const [email, setEmail] = useState("");
  const [role, setRole] = useState<InvitedRole>("reader");
  const making = useMutation({
    mutationFn: () => invite(trialId, { email, role }),
    onSuccess: () => {
      setEmail("");
      void client.invalidateQueries({ queryKey: invitationsQuery(trialId).queryKey });
    },
  });
  const send = (event: FormEvent): void => {
    event.preventDefault();
    making.mutate();
  };
  return (
    <Paper withBorder p="lg" component="form" onSubmit={send}>
      <Stack>
        <Title order={2} size="h4">
          {text.invite}
        </Title>
        <Group align="flex-end">
          <TextInput
            label={text.email}
            type="email"
            w={280}
            value={email}
            onChange={(event) => setEmail(event.currentTarget.value)}
          />
          <NativeSelect
            label={text.role}
            data={[...admin.roles]}
            value={role}
            onChange={(event) => setRole(event.currentTarget.value as InvitedRole)}
          />
          <Button type="submit" disabled={!email.includes("@")} loading={making.isPending}>
            {text.send}
          </Button>
        </Group>
        <Problem error={making.error} />
        {making.data && (
          <Alert data-tone="good" title={making.data.email}>
            <Text size="sm">{text.linkOnce}</Text>
            <Group mt="xs" wrap="nowrap">
              <span className="eq-hash">{making.data.link}</span>
              <CopyButton value={making.data.link}>
                {({ copied, copy }) => (
                  <Button size="compact-sm" variant="default" onClick={copy}>
                    {copied ? admin.common.copied : admin.common.copy}
                  </Button>
                )}
              </CopyButton>
            </Group>
          </Alert>
        )}
      </Stack>
    </Paper>
  );
}

function InvitationTable({ trialId, rows }: { trialId: string; rows: readonly Invitation[] }) {
  const client = useQueryClient();
  const revoke = useMutation({
    mutationFn: (id: string) => revokeInvitation(trialId, id),
    onSuccess: () => client.invalidateQueries({ queryKey: invitationsQuery(trialId).queryKey }),
  });
  if (rows.length === 0) return <Text c="dimmed">{text.invitationsEmpty}</Text>;
  return (
    <div className="eq-scroll">
      <Problem error={revoke.error} />
      <Table>
        <Table.Thead>
          <Table.Tr>
            <Table.Th>{text.email}</Table.Th>
            <Table.Th>{text.role}</Table.Th>
            <Table.Th>{text.state}</Table.Th>
            <Table.Th>{text.expires}</Table.Th>
            <Table.Th>
              <span className="eq-visually-hidden">{text.actions}</span>
            </Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {rows.map((row) => (
            <Table.Tr key={row.id}>
              <Table.Td>{row.email}</Table.Td>
              <Table.Td>{roleLabel(row.role)}</Table.Td>
              <Table.Td>{row.state}</Table.Td>
              <Table.Td>{dateTime(row.expires_at)}</Table.Td>
              <Table.Td>
                {row.state === "pending" && (
                  <Button size="compact-xs" variant="default" onClick={() => revoke.mutate(row.id)}>
                    {text.revoke}
                  </Button>
                )}
              </Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </div>
  );
}

export default function ParticipantsSection({ trial }: { trial: Trial }) {
  const participants = useQuery(participantsQuery(trial.id));
  const mayInvite = trial.permissions.includes("participant:invite");
  const invitations = useQuery({ ...invitationsQuery(trial.id), enabled: mayInvite });
  return (
    <Stack gap="lg">
      <section>
        <Title order={2} size="h4" mb="xs">
          {text.title}
        </Title>
        <Loaded query={participants}>{(rows) => <ParticipantTable trial={trial} rows={rows} />}</Loaded>
      </section>
      {trial.permissions.includes("case:view_sources") && <AlgorithmsPanel trial={trial} />}
      {mayInvite && (
        <>
          <InviteForm trialId={trial.id} />
          <section>
            <Title order={2} size="h4" mb="xs">
              {text.invitations}
            </Title>
            <Loaded query={invitations}>{(rows) => <InvitationTable trialId={trial.id} rows={rows} />}</Loaded>
          </section>
          <MembersPanel trialId={trial.id} />
        </>
      )}
    </Stack>
  );
}
