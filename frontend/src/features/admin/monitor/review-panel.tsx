/** Queries and protocol deviations: what was said of each, where it stands, and what can be done to it. */
import { Badge, Button, Group, NativeSelect, SegmentedControl, Stack, Table, Text, Title } from "@mantine/core";
import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { useState } from "react";
import type { ReviewRecord, Trial } from "@/api/types";
import { admin } from "@/lib/messages-admin";
import { dateTime } from "@/timing/formats";
import { adjudicationQuery, type ReviewFilter, reviewQuery } from "../api";
import { Panel } from "../shell/panel";
import { Loaded, Problem } from "../shell/problem";
import { OpenDialog, StepDialog } from "./review-dialogs";

const text = admin.review;

function Row({ record, onAct }: { record: ReviewRecord; onAct: (act: string) => void }) {
  const [open, setOpen] = useState(false);
  return (
    <>
      <Table.Tr>
        <Table.Td>{record.code}</Table.Td>
        <Table.Td>{record.topic_words}</Table.Td>
        <Table.Td>{text.place(record.participant, record.n, record.case)}</Table.Td>
        <Table.Td>
          <Badge variant="light" color={record.state === "open" ? "yellow" : "teal"} tt="none">
            {text.states[record.state]}
          </Badge>
          {record.severity && <div className="eq-dim">{text.decided(record.severity, record.excludes)}</div>}
        </Table.Td>
        <Table.Td maw={320}>{record.steps.at(-1)?.text ?? text.erased}</Table.Td>
        <Table.Td>
          <Group gap={6} justify="flex-end">
            <Button size="xs" variant="subtle" aria-expanded={open} onClick={() => setOpen(!open)}>
              {text.more}
            </Button>
            {record.allowed.map((act) => (
              <Button key={act} size="xs" variant="default" onClick={() => onAct(act)}>
                {text.doActs[act]}
              </Button>
            ))}
          </Group>
        </Table.Td>
      </Table.Tr>
      {open && (
        <Table.Tr>
          <Table.Td />
          <Table.Td colSpan={5}>
            {record.steps.map((step) => (
              <div key={step.at}>
                <span className="eq-dim">{text.step(text.acts[step.act] ?? step.act, step.by, dateTime(step.at))}</span>
                <Text size="sm">{step.text ?? text.erased}</Text>
              </div>
            ))}
          </Table.Td>
        </Table.Tr>
      )}
    </>
  );
}

function Adjudication({ trialId }: { trialId: string }) {
  const found = useQuery(adjudicationQuery(trialId));
  return (
    <Loaded query={found}>
      {(body) =>
        body.compared === 0 ? null : (
          <Panel title={text.adjudication} text={text.adjudicationText(body.results.length, body.compared)}>
            <div className="eq-scroll">
              <Table>
                <Table.Thead>
                  <Table.Tr>
                    <Table.Th>{text.item}</Table.Th>
                    <Table.Th>{text.question}</Table.Th>
                    <Table.Th ta="right">{text.readers}</Table.Th>
                    <Table.Th ta="right">{text.minority}</Table.Th>
                  </Table.Tr>
                </Table.Thead>
                <Table.Tbody>
                  {body.results.map((row) => (
                    <Table.Tr key={`${row.item} ${row.question}`}>
                      <Table.Td>{row.item}</Table.Td>
                      <Table.Td>{row.question}</Table.Td>
                      <Table.Td ta="right">{row.readers}</Table.Td>
                      <Table.Td ta="right">{row.minority}</Table.Td>
                    </Table.Tr>
                  ))}
                </Table.Tbody>
              </Table>
            </div>
          </Panel>
        )
      }
    </Loaded>
  );
}

export function ReviewPanel({ trial }: { trial: Trial }) {
  const [kind, setKind] = useState("");
  const [state, setState] = useState("");
  const [opening, setOpening] = useState(false);
  const [chosen, setChosen] = useState<{ record: ReviewRecord; act: string } | null>(null);
  const filter = { ...(kind && { kind }), ...(state && { state }) } as ReviewFilter;
  const review = useInfiniteQuery(reviewQuery(trial.id, filter));
  const mayWrite = trial.permissions.includes("review:write");
  const records = review.data?.pages.flatMap((page) => page.results) ?? [];
  return (
    <section aria-label={text.title}>
      <Group justify="space-between" mt="xl" mb={4}>
        <Title order={2} size="h4">
          {text.title}
        </Title>
        {mayWrite && trial.open_to.includes("review") && (
          <Button variant="default" onClick={() => setOpening(true)}>
            {text.new}
          </Button>
        )}
      </Group>
      <Text c="dimmed" mb="xs" maw="70ch">
        {text.text}
      </Text>
      <Group mb="xs">
        <SegmentedControl
          value={kind}
          onChange={setKind}
          data={[
            { value: "", label: text.all },
            { value: "query", label: text.kinds.query ?? "" },
            { value: "deviation", label: text.kinds.deviation ?? "" },
          ]}
        />
        <NativeSelect
          aria-label={text.state}
          value={state}
          onChange={(event) => setState(event.currentTarget.value)}
          data={[
            { value: "", label: text.all },
            ...Object.entries(text.states).map(([value, label]) => ({ value, label })),
          ]}
        />
      </Group>
      <Problem error={review.error} />
      {records.length === 0 && !review.isPending ? (
        <Text c="dimmed">{text.empty}</Text>
      ) : (
        <Stack>
          <div className="eq-scroll">
            <Table>
              <Table.Thead>
                <Table.Tr>
                  <Table.Th>{text.code}</Table.Th>
                  <Table.Th>{text.topic}</Table.Th>
                  <Table.Th>{text.about}</Table.Th>
                  <Table.Th>{text.state}</Table.Th>
                  <Table.Th>{text.last}</Table.Th>
                  <Table.Td />
                </Table.Tr>
              </Table.Thead>
              <Table.Tbody>
                {records.map((record) => (
                  <Row
                    key={record.id}
                    record={mayWrite ? record : { ...record, allowed: [] }}
                    onAct={(act) => setChosen({ record, act })}
                  />
                ))}
              </Table.Tbody>
            </Table>
          </div>
          {review.hasNextPage && (
            <Button variant="default" w="fit-content" onClick={() => void review.fetchNextPage()}>
              {admin.common.more}
            </Button>
          )}
        </Stack>
      )}
      {trial.open_to.includes("adjudicate") && <Adjudication trialId={trial.id} />}
      {opening && <OpenDialog trialId={trial.id} onClose={() => setOpening(false)} />}
      {chosen && (
        <StepDialog
          trialId={trial.id}
          record={chosen.record}
          act={chosen.act as "answer" | "close" | "reopen"}
          onClose={() => setChosen(null)}
        />
      )}
    </section>
  );
}
