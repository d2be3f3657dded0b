import { Button, Table, Text, Title } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import type { LeftReading, Trial } from "@/api/types";
import { admin } from "@/lib/messages-admin";
import { dateTime } from "@/timing/formats";
import { monitorQuery, releaseReading } from "../api";
import { ReasonDialog } from "../shell/reason-dialog";

const text = admin.monitor;

function ReleaseDialog(props: { trialId: string; reading: LeftReading; onClose: () => void }) {
  const { trialId, reading, onClose } = props;
  const client = useQueryClient();
  const release = useMutation({
    mutationFn: (reason: string) => releaseReading(trialId, reading.reading, reason),
    onSuccess: (monitor) => {
      client.setQueryData(monitorQuery(trialId).queryKey, monitor);
      void client.invalidateQueries({ queryKey: ["trial", trialId] });
      onClose();
    },
  });
  return (
    <ReasonDialog
      title={text.releaseTitle(reading.participant, reading.n)}
      confirm={text.release}
      act={release}
      onClose={onClose}
    >
      <Text>{text.releaseText}</Text>
    </ReasonDialog>
  );
}

/** The readings that were blocked because their reader was away for too long; nothing of what they show. */
export function LeftReadings({ trial, rows }: { trial: Trial; rows: readonly LeftReading[] }) {
  const mayRelease = trial.permissions.includes("reading:release");
  const [chosen, setChosen] = useState<LeftReading | null>(null);
  if (rows.length === 0) return null;
  return (
    <section aria-label={text.leftTitle}>
      <Title order={2} size="h4" mt="lg" mb="xs">
        {text.leftTitle}
      </Title>
      <Text c="dimmed" mb="xs" maw="70ch">
        {text.leftText}
      </Text>
      <div className="eq-scroll">
        <Table>
          <Table.Thead>
            <Table.Tr>
              <Table.Th>{text.participant}</Table.Th>
              <Table.Th ta="right">{text.leftCase}</Table.Th>
              <Table.Th>{text.leftOpened}</Table.Th>
              <Table.Th>{text.leftState}</Table.Th>
              <Table.Td />
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {rows.map((row) => (
              <Table.Tr key={row.reading}>
                <Table.Td>{row.participant}</Table.Td>
                <Table.Td ta="right">{row.n}</Table.Td>
                <Table.Td>{dateTime(row.opened_at)}</Table.Td>
                <Table.Td>{admin.readingStates[row.state]}</Table.Td>
                <Table.Td ta="right">
                  {mayRelease && row.releasable && (
                    <Button size="xs" variant="default" onClick={() => setChosen(row)}>
                      {text.release}
                    </Button>
                  )}
                  {row.refusal && <span className="eq-dim">{row.refusal}</span>}
                </Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      </div>
      {chosen && <ReleaseDialog trialId={trial.id} reading={chosen} onClose={() => setChosen(null)} />}
    </section>
  );
}
