/** Who holds which role in the trial, and the end of one. */
import { Button, Table, Text, Title } from "@mantine/core";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import type { Member } from "@/api/types";
import { admin } from "@/lib/messages-admin";
import { dateTime } from "@/timing/formats";
import { membersQuery, revokeMember } from "../api";
import { Loaded } from "../shell/problem";
import { ReasonDialog } from "../shell/reason-dialog";
import { roleLabel } from "./role-label";

const text = admin.participants;

function EndDialog(props: { trialId: string; member: Member; onClose: () => void }) {
  const { trialId, member, onClose } = props;
  const client = useQueryClient();
  const end = useMutation({
    mutationFn: (reason: string) => revokeMember(trialId, member.id, reason),
    onSuccess: () => {
      void client.invalidateQueries({ queryKey: ["trial", trialId] });
      onClose();
    },
  });
  const title = text.endRoleOf(member.name || member.email, roleLabel(member.role));
  return (
    <ReasonDialog title={title} confirm={text.endRole} act={end} onClose={onClose}>
      <Text>{text.endRoleText}</Text>
    </ReasonDialog>
  );
}

export function MembersPanel({ trialId }: { trialId: string }) {
  const members = useQuery(membersQuery(trialId));
  const [ending, setEnding] = useState<Member | null>(null);
  return (
    <section aria-label={text.members}>
      <Title order={2} size="h4" mb="xs">
        {text.members}
      </Title>
      <Text size="sm" c="dimmed" mb="sm">
        {text.membersAbout}
      </Text>
      <Loaded query={members}>
        {(rows) => (
          <div className="eq-scroll">
            <Table>
              <Table.Thead>
                <Table.Tr>
                  <Table.Th>{text.name}</Table.Th>
                  <Table.Th>{text.email}</Table.Th>
                  <Table.Th>{text.role}</Table.Th>
                  <Table.Th>{text.since}</Table.Th>
                  <Table.Th>
                    <span className="eq-visually-hidden">{text.actions}</span>
                  </Table.Th>
                </Table.Tr>
              </Table.Thead>
              <Table.Tbody>
                {rows.map((row) => (
                  <Table.Tr key={row.id}>
                    <Table.Td>{row.name}</Table.Td>
                    <Table.Td>{row.email}</Table.Td>
                    <Table.Td>{roleLabel(row.role)}</Table.Td>
                    <Table.Td>{dateTime(row.created_at)}</Table.Td>
                    <Table.Td>
                      {row.ended_at === null ? (
                        <Button size="compact-xs" variant="default" onClick={() => setEnding(row)}>
                          {text.endRole}
                        </Button>
                      ) : (
                        <Text size="sm">{text.ended(dateTime(row.ended_at))}</Text>
                      )}
                    </Table.Td>
                  </Table.Tr>
                ))}
              </Table.Tbody>
            </Table>
          </div>
        )}
      </Loaded>
      {ending && <EndDialog trialId={trialId} member={ending} onClose={() => setEnding(null)} />}
    </section>
  );
}
