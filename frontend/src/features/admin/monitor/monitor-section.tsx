import { Badge, Group, Progress, Table, Text, Title } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import type { PaceRow, Trial } from "@/api/types";
import { admin } from "@/lib/messages-admin";
import { dateTime, day, duration } from "@/timing/formats";
import { monitorQuery } from "../api";
import { Loaded } from "../shell/problem";

const text = admin.monitor;

function Row({ row }: { row: PaceRow }) {
  return (
    <Table.Tr>
      <Table.Td>{row.participant}</Table.Td>
      <Table.Td>
        {admin.common.of(row.submitted, row.planned)}
        <Progress
          size="xs"
          value={row.planned > 0 ? (100 * row.submitted) / row.planned : 0}
          aria-label={admin.common.of(row.submitted, row.planned)}
        />
      </Table.Td>
      <Table.Td ta="right">{duration(row.median_wall_s)}</Table.Td>
      <Table.Td>{dateTime(row.last_activity_at)}</Table.Td>
      <Table.Td>{day(row.expected_finish)}</Table.Td>
      <Table.Td>
        {row.flags.length === 0 && <span className="eq-dim">{text.nothing}</span>}
        <Group gap={6}>
          {row.flags.map((flag) => (
            <Badge key={flag.code} color="yellow" variant="light" tt="none">
              {flag.message} ({flag.count})
            </Badge>
          ))}
        </Group>
      </Table.Td>
    </Table.Tr>
  );
}

export default function MonitorSection({ trial }: { trial: Trial }) {
  const monitor = useQuery(monitorQuery(trial.id));
  return (
    <>
      <Title order={2} size="h4" mb="xs">
        {text.title}
      </Title>
      <Loaded query={monitor}>
        {(body) =>
          body.pace.length === 0 ? (
            <Text c="dimmed">{text.empty}</Text>
          ) : (
            <div className="eq-scroll">
              <Table>
                <Table.Thead>
                  <Table.Tr>
                    <Table.Th>{text.participant}</Table.Th>
                    <Table.Th>{text.readings}</Table.Th>
                    <Table.Th ta="right">{text.median}</Table.Th>
                    <Table.Th>{text.last}</Table.Th>
                    <Table.Th>{text.finish}</Table.Th>
                    <Table.Th>{text.flags}</Table.Th>
                  </Table.Tr>
                </Table.Thead>
                <Table.Tbody>
                  {body.pace.map((row) => (
                    <Row key={row.participant} row={row} />
                  ))}
                </Table.Tbody>
              </Table>
            </div>
          )
        }
      </Loaded>
    </>
  );
}
