import { Paper, Stack, Text, Title } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import type { Flow, Monitor, ProgressRow, Trial } from "@/api/types";
import { admin } from "@/lib/messages-admin";
import { day } from "@/timing/formats";
import { monitorQuery } from "../api";
import { Loaded } from "../shell/problem";

const text = admin.overview;

const sum = (counts: Readonly<Record<string, number>>): number => Object.values(counts).reduce((a, b) => a + b, 0);

function parts(counts: Readonly<Record<string, number>>, names: Readonly<Record<string, string>>): string {
  return Object.entries(counts)
    .filter(([, count]) => count > 0)
    .map(([state, count]) => `${count} ${(names[state] ?? state.replaceAll("_", " ")).toLowerCase()}`)
    .join(", ");
}

function FlowBoxes({ flow }: { flow: Flow }) {
  const boxes = [
    { label: text.boxes.cases, count: flow.cases, detail: "" },
    { label: text.boxes.practice, count: flow.practice_cases, detail: "" },
    { label: text.boxes.qualifying, count: flow.slices_qualifying, detail: "" },
    { label: text.boxes.items, count: flow.items, detail: "" },
    { label: text.boxes.slots, count: sum(flow.slots), detail: parts(flow.slots, {}) },
    { label: text.boxes.participants, count: sum(flow.participants), detail: parts(flow.participants, {}) },
    { label: text.boxes.readings, count: sum(flow.readings), detail: parts(flow.readings, admin.readingStates) },
  ];
  return (
    <div className="eq-flow">
      {boxes.map((box) => (
        <div key={box.label}>
          <span className="eq-dim">{box.label}</span>
          <strong>{box.count}</strong>
          <span className="eq-dim eq-small">{box.detail}</span>
        </div>
      ))}
    </div>
  );
}

export function ProgressMatrix({ rows }: { rows: readonly ProgressRow[] }) {
  if (rows.length === 0) return <Text c="dimmed">{text.progressEmpty}</Text>;
  return (
    <>
      <div className="eq-matrix">
        {rows.map((row) => {
          const counts: Record<string, number> = {};
          for (const state of row.states) counts[state] = (counts[state] ?? 0) + 1;
          const told = parts(counts, admin.readingStates);
          return (
            <div key={row.participant} style={{ display: "contents" }}>
              <span>{row.participant}</span>
              <div className="eq-cells" role="img" aria-label={told} title={told}>
                {row.states.map((state, index) => (
                  // biome-ignore lint/suspicious/noArrayIndexKey: a cell is its place in the row
                  <span key={index} className="eq-cell" data-state={state} />
                ))}
              </div>
            </div>
          );
        })}
      </div>
      <div className="eq-legend">
        {Object.entries(admin.readingStates).map(([state, label]) => (
          <span key={state}>
            <span className="eq-cell" data-state={state} />
            {label}
          </span>
        ))}
      </div>
      <Text size="sm" c="dimmed">
        {text.progressNote}
      </Text>
    </>
  );
}

function expectedFinish(monitor: Monitor): string | null {
  const days = monitor.pace.flatMap((row) => (row.expected_finish ? [row.expected_finish] : []));
  return days.length > 0 ? (days.sort().at(-1) ?? null) : null;
}

function Origin({ trial, imported }: { trial: Trial; imported: NonNullable<Trial["imported"]> }) {
  const counts = trial.counts;
  return (
    <Paper withBorder p="md">
      <Text fw={600}>{text.importedTitle}</Text>
      <Text size="sm">{text.importedText(day(imported.made_at), imported.slug)}</Text>
      <Text size="sm">
        {text.tables(counts.cases, counts.items, counts.participants, counts.readings_submitted, counts.readings_total)}
      </Text>
      <Text size="sm" className="eq-hash" c="dimmed">
        {admin.trials.importedHash(imported.manifest_sha256)}
      </Text>
    </Paper>
  );
}

export default function OverviewSection({ trial }: { trial: Trial }) {
  const monitor = useQuery({ ...monitorQuery(trial.id), enabled: !trial.imported });
  return (
    <Stack gap="lg">
      {trial.imported && <Origin trial={trial} imported={trial.imported} />}
      {!trial.imported && (
        <Loaded query={monitor}>
          {(body) => (
            <>
              <section>
                <Title order={2} size="h4" mb="xs">
                  {text.flow}
                </Title>
                <FlowBoxes flow={body.flow} />
              </section>
              <section>
                <Title order={2} size="h4" mb="xs">
                  {text.progress}
                </Title>
                <Stack gap="sm">
                  <ProgressMatrix rows={body.progress} />
                  {expectedFinish(body) && (
                    <Text>
                      {text.finish}: {day(expectedFinish(body))}
                    </Text>
                  )}
                </Stack>
              </section>
            </>
          )}
        </Loaded>
      )}
      <Paper withBorder p="md">
        <Text fw={600}>{text.protocol}</Text>
        <Text size="sm">{text.version(trial.protocol_version)}</Text>
        <Text size="sm" className="eq-hash" c="dimmed">
          {trial.protocol_sha256 ?? text.notLocked}
        </Text>
        {trial.seed_commitment && (
          <>
            <Text fw={600} mt="sm">
              {text.commitment}
            </Text>
            <Text size="sm" className="eq-hash" c="dimmed">
              {trial.seed_commitment}
            </Text>
          </>
        )}
      </Paper>
    </Stack>
  );
}
