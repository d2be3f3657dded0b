import {
  Alert,
  Badge,
  Button,
  Group,
  NativeSelect,
  NumberInput,
  Paper,
  Stack,
  Table,
  Text,
  Title,
} from "@mantine/core";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useCallback, useState } from "react";
import type { Algorithm, AlgorithmRun, Algorithms, Trial } from "@/api/types";
import { admin } from "@/lib/messages-admin";
import { algorithmsQuery, enrolAlgorithm, runAlgorithm } from "../api";
import { JobProgress } from "../jobs/job-progress";
import { retryJob } from "../jobs/job-query";
import { Loaded, Problem } from "../shell/problem";

const text = admin.algorithms;
const MAX_REPEAT = 99;

type Task = AlgorithmRun["task"];

const taskLabel = (task: string): string => text.tasks[task] ?? task;

function useRefresh(trialId: string): () => void {
  const client = useQueryClient();
  return useCallback(() => {
    void client.invalidateQueries({ queryKey: ["trial", trialId] });
  }, [client, trialId]);
}

function RunRow({ trial, run, mayRun }: { trial: Trial; run: AlgorithmRun; mayRun: boolean }) {
  const refresh = useRefresh(trial.id);
  const client = useQueryClient();
  const retry = useMutation({
    mutationFn: async (jobId: string) => {
      await retryJob(jobId);
      await client.invalidateQueries({ queryKey: ["job", jobId] });
    },
    onSuccess: refresh,
  });
  return (
    <Stack gap={4} data-testid="algorithm-run">
      <Group justify="space-between">
        <Text size="sm" fw={600}>
          {taskLabel(run.task)} · {text.repeat} {run.repeat}
        </Text>
        <Text size="sm" c="dimmed">
          {text.counts(run.stored, run.failed)}
        </Text>
      </Group>
      {run.job_id !== null && (run.active || run.job_state !== "succeeded") && (
        <JobProgress jobId={run.job_id} {...(run.active ? { onEnded: refresh } : {})} />
      )}
      {run.median_run_s !== null && (
        <Text size="xs" c="dimmed">
          {text.time(run.median_run_s, run.hardware)}
          {run.cold_start_s !== null && `; ${text.cold(run.cold_start_s)}`}
        </Text>
      )}
      {mayRun && run.can_retry && run.job_id !== null && (
        <Group>
          <Button
            size="compact-sm"
            variant="default"
            loading={retry.isPending}
            onClick={() => run.job_id !== null && retry.mutate(run.job_id)}
          >
            {text.retry}
          </Button>
        </Group>
      )}
      <Problem error={retry.error} />
    </Stack>
  );
}

function RunForm({ trial, algorithm }: { trial: Trial; algorithm: Algorithm }) {
  const refresh = useRefresh(trial.id);
  const tasks = trial.state === "draft" ? algorithm.tasks : algorithm.tasks.filter((task) => task !== "preference");
  const [task, setTask] = useState(tasks[0] ?? "");
  const [repeat, setRepeat] = useState<string | number>(1);
  const running = useMutation({
    mutationFn: () => runAlgorithm(trial.id, algorithm.id, { task: task as Task, repeat: Number(repeat) }),
    onSuccess: refresh,
  });
  const send = (event: FormEvent): void => {
    event.preventDefault();
    running.mutate();
  };
  if (tasks.length === 0) return null;
  return (
    <form onSubmit={send}>
      <Group align="flex-end">
        <NativeSelect
          label={text.task}
          data={tasks.map((value) => ({ value, label: taskLabel(value) }))}
          value={task}
          onChange={(event) => setTask(event.currentTarget.value)}
        />
        <NumberInput
          label={text.repeat}
          description={text.repeatHelp}
          w={280}
          min={1}
          max={MAX_REPEAT}
          allowDecimal={false}
          value={repeat}
          onChange={setRepeat}
        />
        <Button type="submit" loading={running.isPending} disabled={algorithm.runs.some((run) => run.active)}>
          {text.start}
        </Button>
      </Group>
      <Problem error={running.error} />
    </form>
  );
}

function Failures({ rows }: { rows: Algorithm["failures"] }) {
  if (rows.length === 0) return null;
  return (
    <details>
      <summary>{text.failures(rows.length)}</summary>
      <Table>
        <Table.Thead>
          <Table.Tr>
            <Table.Th>{text.case}</Table.Th>
            <Table.Th>{text.task}</Table.Th>
            <Table.Th>{text.failure}</Table.Th>
            <Table.Th ta="right">{text.attempt}</Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {rows.map((row) => (
            <Table.Tr key={`${row.task}-${row.repeat}-${row.case}`}>
              <Table.Td>{row.case}</Table.Td>
              <Table.Td>
                {taskLabel(row.task)} · {row.repeat}
              </Table.Td>
              <Table.Td>
                {text.failureCodes[row.code] ?? row.code}
                {row.detail && <Text size="xs">{row.detail}</Text>}
              </Table.Td>
              <Table.Td ta="right">{row.attempt}</Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </details>
  );
}

function AlgorithmCard({ trial, algorithm, mayRun }: { trial: Trial; algorithm: Algorithm; mayRun: boolean }) {
  return (
    <Paper withBorder p="md">
      <Stack gap="sm">
        <Group justify="space-between">
          <Title order={3} size="h5">
            {algorithm.code} · {algorithm.name} {algorithm.version}
          </Title>
          <Group gap="xs">
            <Badge variant="light">{algorithm.pipeline ?? text.fromElsewhere}</Badge>
            <Badge variant="outline" title={algorithm.weights_sha256}>
              {text.weights(algorithm.weights_sha256)}
            </Badge>
          </Group>
        </Group>
        {algorithm.runs.map((run) => (
          <RunRow key={run.id} trial={trial} run={run} mayRun={mayRun} />
        ))}
        {algorithm.pipeline === null && <Text size="sm">{text.counts(algorithm.result_count, 0)}</Text>}
        {algorithm.reproducibility.map((one) => (
          <Text key={`${one.task}-${one.repeat}`} size="sm">
            {text.reproducible(one.repeat, one.reproducible, one.identical, one.pairs, one.lowest_dice)}
          </Text>
        ))}
        <Failures rows={algorithm.failures} />
        {mayRun && algorithm.pipeline !== null && <RunForm trial={trial} algorithm={algorithm} />}
      </Stack>
    </Paper>
  );
}

function EnrolForm({ trial, known }: { trial: Trial; known: Algorithms }) {
  const refresh = useRefresh(trial.id);
  const [chosenSource, setSource] = useState("");
  const source = chosenSource || (known.protocol[0]?.source ?? "");
  const entry = known.protocol.find((one) => one.source === source);
  const fitting = known.weights.filter((one) => entry?.weights_sha256 == null || entry.weights_sha256 === one.sha256);
  const [chosenWeights, setWeights] = useState("");
  const weights = fitting.find((one) => one.sha256 === chosenWeights) ?? fitting[0];
  const [chosenPipeline, setPipeline] = useState("");
  const pipeline = weights?.pipelines.find((name) => name === chosenPipeline) ?? weights?.pipelines[0] ?? "";
  const enrolling = useMutation({
    mutationFn: () =>
      enrolAlgorithm(trial.id, {
        source,
        pipeline: pipeline as NonNullable<Algorithm["pipeline"]>,
        weights_sha256: weights?.sha256 ?? "",
      }),
    onSuccess: refresh,
  });
  const send = (event: FormEvent): void => {
    event.preventDefault();
    enrolling.mutate();
  };
  if (known.protocol.length === 0) return null;
  return (
    <Paper withBorder p="md" component="form" onSubmit={send}>
      <Stack gap="sm">
        <Title order={3} size="h5">
          {text.enrol}
        </Title>
        {fitting.length === 0 && <Text c="dimmed">{text.noWeights}</Text>}
        <Group align="flex-end">
          <NativeSelect
            label={text.source}
            data={known.protocol.map((one) => ({ value: one.source, label: `${one.name} ${one.version}` }))}
            value={source}
            onChange={(event) => setSource(event.currentTarget.value)}
          />
          <NativeSelect
            label={text.model}
            data={fitting.map((one) => ({
              value: one.sha256,
              label: `${one.name} ${one.version}${one.demonstration ? ` (${text.demonstration})` : ""}`,
            }))}
            value={weights?.sha256 ?? ""}
            onChange={(event) => setWeights(event.currentTarget.value)}
          />
          <NativeSelect
            label={text.pipeline}
            data={[...(weights?.pipelines ?? [])]}
            value={pipeline}
            onChange={(event) => setPipeline(event.currentTarget.value)}
          />
          <Button type="submit" disabled={weights === undefined || !known.can_run} loading={enrolling.isPending}>
            {text.submitEnrol}
          </Button>
        </Group>
        <Problem error={enrolling.error} />
      </Stack>
    </Paper>
  );
}

/** Algorithms as participants: enrol, run, progress, what failed and why, repeats. */
export function AlgorithmsPanel({ trial }: { trial: Trial }) {
  const algorithms = useQuery(algorithmsQuery(trial.id));
  const mayRun = trial.open_to.includes("result") && trial.permissions.includes("algorithm:run");
  return (
    <section>
      <Title order={2} size="h4" mb="xs">
        {text.title}
      </Title>
      <Text size="sm" c="dimmed" mb="sm">
        {text.about}
      </Text>
      <Loaded query={algorithms}>
        {(known) => (
          <Stack gap="md">
            {!known.can_run && (
              <Alert data-tone="warn" title={text.cannotRun}>
                {known.cannot_run_because}
              </Alert>
            )}
            {known.results.length === 0 && <Text c="dimmed">{text.empty}</Text>}
            {known.results.map((row) => (
              <AlgorithmCard key={row.id} trial={trial} algorithm={row} mayRun={mayRun} />
            ))}
            {mayRun && <EnrolForm trial={trial} known={known} />}
          </Stack>
        )}
      </Loaded>
    </section>
  );
}
