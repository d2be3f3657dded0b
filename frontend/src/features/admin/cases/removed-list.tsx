/** Which attributes the headers of a run held and lost at the door; their values are nowhere. */
import { Table, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { admin } from "@/lib/messages-admin";
import { removedQuery } from "../api";
import { Loaded } from "../shell/problem";

const text = admin.removed;

export function RemovedList({ trialId, runId }: { trialId: string; runId: string }) {
  const removed = useQuery(removedQuery(trialId, runId));
  return (
    <Loaded query={removed}>
      {(body) =>
        body.deleted ? (
          <Text c="dimmed">{text.deleted}</Text>
        ) : (
          <>
            <Text size="sm" c="dimmed" mb="xs">
              {text.hint(body.entries.length, body.files_not_listed)}
            </Text>
            <div className="eq-scroll">
              <Table>
                <Table.Thead>
                  <Table.Tr>
                    <Table.Th>{text.tag}</Table.Th>
                    <Table.Th>{text.name}</Table.Th>
                    <Table.Th>{text.action}</Table.Th>
                    <Table.Th ta="right">{text.files}</Table.Th>
                    <Table.Th ta="right">{text.first}</Table.Th>
                  </Table.Tr>
                </Table.Thead>
                <Table.Tbody>
                  {body.entries.map((entry) => (
                    <Table.Tr key={`${entry.tag} ${entry.vr} ${entry.action}`}>
                      <Table.Td ff="monospace">{entry.tag}</Table.Td>
                      <Table.Td>{entry.keyword || text.unnamed}</Table.Td>
                      <Table.Td>{text.actions[entry.action] ?? entry.action}</Table.Td>
                      <Table.Td ta="right">{entry.files}</Table.Td>
                      <Table.Td ta="right">{entry.first_file}</Table.Td>
                    </Table.Tr>
                  ))}
                </Table.Tbody>
              </Table>
            </div>
          </>
        )
      }
    </Loaded>
  );
}
