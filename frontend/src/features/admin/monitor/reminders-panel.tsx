/** Reminders by e-mail: to one reader now, or by themselves after so many days. */
import { Button, Group, NativeSelect, Table } from "@mantine/core";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import type { Trial } from "@/api/types";
import { admin } from "@/lib/messages-admin";
import { dateTime } from "@/timing/formats";
import { askReminders, planReminders, remindersQuery } from "../api";
import { Panel } from "../shell/panel";
import { Loaded, Problem } from "../shell/problem";

const text = admin.reminders;
const DAYS = [3, 5, 7, 14, 28];

export function RemindersPanel({ trial }: { trial: Trial }) {
  const client = useQueryClient();
  const query = remindersQuery(trial.id);
  const reminders = useQuery(query);
  const again = () => client.invalidateQueries({ queryKey: query.queryKey });
  const ask = useMutation({
    mutationFn: (codes: string[]) => askReminders(trial.id, codes),
    onSuccess: again,
  });
  const plan = useMutation({
    mutationFn: (days: number | null) => planReminders(trial.id, days),
    onSuccess: (changed) => client.setQueryData(query.queryKey, changed),
  });
  const mayAsk = trial.permissions.includes("participant:invite");
  return (
    <Panel title={text.title} text={text.text}>
      <Problem error={ask.error ?? plan.error} />
      <Loaded query={reminders}>
        {(body) => {
          const possible = body.results.filter((row) => row.may_be_reminded).map((row) => row.participant);
          return (
            <>
              <Group mb="xs">
                <NativeSelect
                  aria-label={text.plan}
                  disabled={!mayAsk}
                  value={String(body.after_days ?? "")}
                  onChange={(event) => {
                    const { value } = event.currentTarget;
                    plan.mutate(value === "" ? null : Number(value));
                  }}
                  data={[
                    { value: "", label: text.never },
                    ...[...new Set([...DAYS, body.after_days ?? 7])]
                      .sort((a, b) => a - b)
                      .map((days) => ({ value: String(days), label: text.after(days) })),
                  ]}
                />
                {mayAsk && (
                  <Button
                    variant="default"
                    disabled={possible.length === 0}
                    loading={ask.isPending}
                    onClick={() => ask.mutate(possible)}
                  >
                    {text.all(possible.length)}
                  </Button>
                )}
              </Group>
              <div className="eq-scroll">
                <Table>
                  <Table.Thead>
                    <Table.Tr>
                      <Table.Th>{admin.monitor.participant}</Table.Th>
                      <Table.Th>{admin.monitor.last}</Table.Th>
                      <Table.Th>{text.last}</Table.Th>
                      <Table.Td />
                    </Table.Tr>
                  </Table.Thead>
                  <Table.Tbody>
                    {body.results.map((row) => (
                      <Table.Tr key={row.participant}>
                        <Table.Td>{row.participant}</Table.Td>
                        <Table.Td>{dateTime(row.last_activity_at)}</Table.Td>
                        <Table.Td>{dateTime(row.last_reminder_at)}</Table.Td>
                        <Table.Td ta="right">
                          {row.may_be_reminded && mayAsk && (
                            <Button size="xs" variant="default" onClick={() => ask.mutate([row.participant])}>
                              {text.one}
                            </Button>
                          )}
                          {row.why_not && <span className="eq-dim">{row.why_not}</span>}
                        </Table.Td>
                      </Table.Tr>
                    ))}
                  </Table.Tbody>
                </Table>
              </div>
            </>
          );
        }}
      </Loaded>
    </Panel>
  );
}
