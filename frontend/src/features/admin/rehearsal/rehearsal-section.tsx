/** Rehearsals: start one, see how far it is, and what it found beside what was set. */
import { Alert, Badge, Button, Group, NumberInput, Paper, Stack, Table, Text, Textarea, Title } from "@mantine/core";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useCallback, useState } from "react";
import type {
  Rehearsal,
  RehearsalGate,
  RehearsalList,
  RehearsalReport,
  RehearsalRequest,
  SetEstimate,
  Trial,
} from "@/api/types";
import { admin } from "@/lib/messages-admin";
import { dateTime } from "@/timing/formats";
import { deleteRehearsal, rehearsalsQuery, runRehearsal, trialQuery } from "../api";
import { JobProgress } from "../jobs/job-progress";
import { Loaded, Problem } from "../shell/problem";
import { barPlaces, estimateText, percent, shortNumber } from "./numbers";

const text = admin.rehearsal;
const DEFAULT_SEED = 1;
const DEFAULT_REPEATS = 200;
const COLOURS: Readonly<Record<string, string>> = { passed: "teal", failed: "red", cancelled: "gray" };
const BAR = { width: 220, height: 18 };

function EstimateBar({ estimate }: { estimate: SetEstimate }) {
  const places = barPlaces(estimate);
  if (places === null) return null;
  const x = (share: number): number => share * BAR.width;
  const set = `${shortNumber(estimate.set_to)}${estimate.unit}`;
  return (
    <svg
      className="eq-estimate"
      viewBox={`0 0 ${BAR.width} ${BAR.height}`}
      width={BAR.width}
      height={BAR.height}
      role="img"
      aria-label={text.bar(estimate.label, estimateText(estimate), set)}
    >
      <line className="eq-estimate-interval" x1={x(places.low)} x2={x(places.high)} y1={9} y2={9} />
      <line className="eq-estimate-set" x1={x(places.set)} x2={x(places.set)} y1={1} y2={17} />
      <circle className="eq-estimate-dot" cx={x(places.value)} cy={9} r={4} />
    </svg>
  );
}

function Estimates({ estimates }: { estimates: readonly SetEstimate[] }) {
  if (estimates.length === 0) return null;
  return (
    <div className="eq-scroll">
      <Table>
        <Table.Thead>
          <Table.Tr>
            <Table.Th>{text.estimates}</Table.Th>
            <Table.Th>{text.estimate}</Table.Th>
            <Table.Th>{text.set}</Table.Th>
            <Table.Th>{text.picture}</Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {estimates.map((one) => (
            <Table.Tr key={`${one.analysis} ${one.label}`}>
              <Table.Td>{one.label}</Table.Td>
              <Table.Td>{estimateText(one)}</Table.Td>
              <Table.Td>
                {shortNumber(one.set_to)}
                {one.unit}
              </Table.Td>
              <Table.Td>
                <EstimateBar estimate={one} />
              </Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
      <Text size="sm" c="dimmed">
        {text.estimatesHint}
      </Text>
    </div>
  );
}

function Sentences({ title, sentences }: { title: string; sentences: readonly string[] }) {
  if (sentences.length === 0) return null;
  return (
    <details className="eq-form-section">
      <summary>{title}</summary>
      <div className="eq-form-body">
        {sentences.map((sentence) => (
          <p key={sentence} className="eq-further">
            {sentence}
          </p>
        ))}
      </div>
    </details>
  );
}

function PaceTable({ report }: { report: RehearsalReport }) {
  return (
    <details className="eq-form-section">
      <summary>{text.pace}</summary>
      <div className="eq-form-body eq-scroll">
        <Table>
          <Table.Thead>
            <Table.Tr>
              <Table.Th>{text.reader}</Table.Th>
              <Table.Th>{text.readings}</Table.Th>
              <Table.Th>{text.minutes}</Table.Th>
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {report.pace.map((one) => (
              <Table.Tr key={one.participant}>
                <Table.Td>{one.participant}</Table.Td>
                <Table.Td>{one.readings}</Table.Td>
                <Table.Td>{one.minutes.toFixed(1)}</Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      </div>
    </details>
  );
}

function Report({ report }: { report: RehearsalReport }) {
  const { material, cells } = report;
  return (
    <Stack gap="sm">
      <p className="eq-finding">{report.pace_in_words}</p>
      <p className="eq-further">
        {text.cells(cells.read, cells.planned, cells.not_assessable)}.{" "}
        {text.material(material.cases, material.items, material.phantoms > 0)}.
      </p>
      <Estimates estimates={report.estimates} />
      <div>
        <Sentences title={text.findings} sentences={report.analyses.flatMap((one) => one.findings)} />
        <Sentences title={text.balance} sentences={report.balance} />
        <PaceTable report={report} />
      </div>
    </Stack>
  );
}

function Gate({ gate }: { gate: RehearsalGate }) {
  const shown = (name: string, value: number): string => (name === "bias" ? shortNumber(value) : percent(value));
  return (
    <Stack gap="sm">
      {gate.power !== null && gate.power_mcse !== null && (
        <p className="eq-finding">{text.power(percent(gate.power), percent(gate.power_mcse))}</p>
      )}
      <p className="eq-further">{gate.quantity}</p>
      <div className="eq-scroll">
        <Table>
          <Table.Thead>
            <Table.Tr>
              <Table.Th>{text.check}</Table.Th>
              <Table.Th>{text.found}</Table.Th>
              <Table.Th>{text.allowed}</Table.Th>
              <Table.Th>{text.words}</Table.Th>
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {gate.checks.map((check) => (
              <Table.Tr key={check.name}>
                <Table.Td>{text.checks[check.name] ?? check.name}</Table.Td>
                <Table.Td>{check.value === null ? "" : shown(check.name, check.value)}</Table.Td>
                <Table.Td>
                  {shown(check.name, check.low)} – {shown(check.name, check.high)}
                </Table.Td>
                <Table.Td>
                  <Text size="sm" {...(check.holds ? {} : { c: "red" })}>
                    {check.sentence}
                  </Text>
                </Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      </div>
      {gate.notes.map((note) => (
        <Text key={note} size="sm" c="dimmed">
          {note}
        </Text>
      ))}
      <Text size="sm" c="dimmed">
        {text.seeds(gate.seeds, Math.round(gate.seconds))}
      </Text>
    </Stack>
  );
}

export function RehearsalCard(props: { trial: Trial; rehearsal: Rehearsal; current: string | null }) {
  const { trial, rehearsal, current } = props;
  const client = useQueryClient();
  const again = useCallback(() => {
    void client.invalidateQueries({ queryKey: rehearsalsQuery(trial.id).queryKey });
    void client.invalidateQueries({ queryKey: trialQuery(trial.id).queryKey });
  }, [client, trial.id]);
  const remove = useMutation({ mutationFn: () => deleteRehearsal(trial.id, rehearsal.id), onSuccess: again });
  const working = rehearsal.state === "queued" || rehearsal.state === "running";
  const removable = !working && trial.state === "draft" && trial.permissions.includes("protocol:edit");
  const title =
    rehearsal.kind === "repeated" ? text.repeated(rehearsal.repeats, rehearsal.seed) : text.single(rehearsal.seed);
  return (
    <article className="eq-analysis">
      <Group justify="space-between" mb="xs">
        <Title order={2} size="h4">
          {title}
        </Title>
        <Badge variant="light" color={COLOURS[rehearsal.state] ?? "blue"}>
          {text.states[rehearsal.state]}
        </Badge>
      </Group>
      {current !== null && rehearsal.protocol_sha256 !== current && <Alert data-tone="warn">{text.older}</Alert>}
      {rehearsal.message && (
        <Alert data-tone="bad" mb="sm">
          {rehearsal.message}
        </Alert>
      )}
      {working && rehearsal.job_id && <JobProgress jobId={rehearsal.job_id} onEnded={again} />}
      {rehearsal.report && <Report report={rehearsal.report} />}
      {rehearsal.gate && <Gate gate={rehearsal.gate} />}
      <Group justify="space-between" mt="sm">
        <Text size="xs" c="dimmed" className="eq-hash">
          {dateTime(rehearsal.created_at)} · {text.hash(rehearsal.protocol_sha256)}
        </Text>
        {removable && (
          <Button size="compact-sm" variant="default" loading={remove.isPending} onClick={() => remove.mutate()}>
            {text.remove}
          </Button>
        )}
      </Group>
      <Problem error={remove.error} />
    </article>
  );
}

function RunForm({ trial }: { trial: Trial }) {
  const client = useQueryClient();
  const [seed, setSeed] = useState<string | number>(DEFAULT_SEED);
  const [repeats, setRepeats] = useState<string | number>(DEFAULT_REPEATS);
  const [plan, setPlan] = useState("");
  const run = useMutation({
    mutationFn: (kind: RehearsalRequest["kind"]) =>
      runRehearsal(trial.id, { kind, seed: Number(seed), repeats: Number(repeats), plan }),
    onSuccess: () => client.invalidateQueries({ queryKey: rehearsalsQuery(trial.id).queryKey }),
  });
  const incomplete = seed === "" || repeats === "";
  return (
    <Paper withBorder p="md">
      <Group align="flex-end">
        <NumberInput label={text.seed} value={seed} onChange={setSeed} min={0} allowDecimal={false} w={120} />
        <Button disabled={incomplete} loading={run.isPending} onClick={() => run.mutate("single")}>
          {text.run}
        </Button>
        <span className="eq-spread" />
        <NumberInput
          label={text.repeats}
          value={repeats}
          onChange={setRepeats}
          min={20}
          max={5000}
          allowDecimal={false}
          w={120}
        />
        <Button variant="default" disabled={incomplete} loading={run.isPending} onClick={() => run.mutate("repeated")}>
          {text.runGate}
        </Button>
      </Group>
      <Text size="sm" c="dimmed" mt="xs">
        {text.runGateHint(Number(repeats))}
      </Text>
      <details>
        <summary>{text.plan}</summary>
        <Textarea
          label={text.plan}
          description={text.planHint}
          placeholder={text.planExample}
          rows={5}
          value={plan}
          onChange={(event) => setPlan(event.currentTarget.value)}
        />
      </details>
      <Problem error={run.error} />
    </Paper>
  );
}

export function Rehearsals({ trial, list }: { trial: Trial; list: RehearsalList }) {
  const mayRun = trial.open_to.includes("rehearse") && trial.permissions.includes("protocol:edit");
  return (
    <Stack>
      {trial.state === "draft" && (
        <Alert data-tone={list.lacking === null ? "good" : "warn"}>{list.lacking ?? text.ready}</Alert>
      )}
      {mayRun && <RunForm trial={trial} />}
      {list.results.length === 0 && <Text c="dimmed">{text.empty}</Text>}
      {list.results.map((rehearsal) => (
        <RehearsalCard key={rehearsal.id} trial={trial} rehearsal={rehearsal} current={list.protocol_sha256} />
      ))}
    </Stack>
  );
}

export default function RehearsalSection({ trial }: { trial: Trial }) {
  const rehearsals = useQuery(rehearsalsQuery(trial.id));
  return (
    <Stack>
      <Text c="dimmed">{text.intro}</Text>
      <Loaded query={rehearsals}>{(list) => <Rehearsals trial={trial} list={list} />}</Loaded>
    </Stack>
  );
}
