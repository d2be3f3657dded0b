import { Alert, Anchor, Badge, Button, Group, NativeSelect, Paper, Stack, Table, Text, Title } from "@mantine/core";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useCallback, useState } from "react";
import type { Analysis, AnalysisList, AnalysisRequest, AnalysisTable, ExternalTable, Trial } from "@/api/types";
import { admin } from "@/lib/messages-admin";
import { dateTime } from "@/timing/formats";
import { analysesQuery, exportAddress, externalTablesQuery, runAnalysis } from "../api";
import { JobProgress } from "../jobs/job-progress";
import { ExportLink } from "../shell/export-link";
import { Loaded, Problem } from "../shell/problem";
import { BundlePanel } from "./bundle-panel";
import { FigureBox } from "./figure-box";
import { ImportPanel } from "./import-panel";
import { analysesUnder, type Chosen, withChoice } from "./parts";

const text = admin.analyses;
const BLINDED: ReadonlySet<string> = new Set([
  "draft",
  "locked",
  "open",
  "paused",
  "closed",
  "data-locked",
  "abandoned",
]);
const EXPORTS = ["readings.csv", "readings.json", "readings.parquet", "tables.xlsx"];

function cellText(value: unknown): string {
  if (value === null || value === undefined) return "";
  return typeof value === "number" ? String(Math.round(value * 10_000) / 10_000) : String(value);
}

function FoldedTable({ table }: { table: AnalysisTable }) {
  return (
    <details className="eq-form-section">
      <summary>
        {table.name.replaceAll("_", " ")} ({table.rows.length})
      </summary>
      <div className="eq-form-body eq-scroll">
        <Group gap="sm">
          <Anchor href={table.csv_url} download size="sm">
            CSV
          </Anchor>
          <Anchor href={table.xlsx_url} download size="sm">
            XLSX
          </Anchor>
          <Anchor href={table.latex_url} download size="sm">
            LaTeX
          </Anchor>
        </Group>
        <Table>
          <Table.Thead>
            <Table.Tr>
              {table.columns.map((column) => (
                <Table.Th key={column}>{column}</Table.Th>
              ))}
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {table.rows.map((row, index) => (
              // biome-ignore lint/suspicious/noArrayIndexKey: a row of a result has no name; it never moves
              <Table.Tr key={index}>
                {row.map((value, column) => (
                  <Table.Td key={table.columns[column]}>{cellText(value)}</Table.Td>
                ))}
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      </div>
    </details>
  );
}

function Parts({
  parts,
  chosen,
  onChoose,
}: {
  parts: AnalysisList["parts"];
  chosen: Chosen;
  onChoose: (chosen: Chosen) => void;
}) {
  return (
    <Group component="section" aria-label={text.parts}>
      {parts.map(({ column, values }) => (
        <NativeSelect
          key={column}
          label={text.partNames[column] ?? column}
          data={[{ value: "", label: text.partAll }, ...values]}
          value={chosen[column] ?? ""}
          onChange={(event) => onChoose(withChoice(chosen, column, event.currentTarget.value))}
        />
      ))}
    </Group>
  );
}

/** What is to be known of a part, and the way to compute what was not computed of it yet. */
function PartNote({
  trial,
  chosen,
  lacking,
  external,
}: {
  trial: Trial;
  chosen: Chosen;
  lacking: readonly Analysis["name"][];
  external: number;
}) {
  const client = useQueryClient();
  const compute = useMutation({
    mutationFn: async () => {
      for (const name of lacking) {
        await runAnalysis(trial.id, { name: name as AnalysisRequest["name"], options: {}, where: chosen });
      }
    },
    onSettled: () => client.invalidateQueries({ queryKey: analysesQuery(trial.id).queryKey }),
  });
  return (
    <Stack gap="xs" align="flex-start">
      <Problem error={compute.error} />
      <Text>{text.partText}</Text>
      {external > 0 && <Text>{text.partExternal(external)}</Text>}
      {lacking.length > 0 && <Text>{text.partLacking(lacking)}</Text>}
      {lacking.length > 0 && trial.permissions.includes("analysis:run") && (
        <Button variant="default" loading={compute.isPending} onClick={() => compute.mutate()}>
          {text.partCompute}
        </Button>
      )}
    </Stack>
  );
}

function Analyses({ trial, list }: { trial: Trial; list: AnalysisList }) {
  const [chosen, setChosen] = useState<Chosen>({});
  const { shown, lacking, external } = analysesUnder(list.results, chosen);
  if (list.results.length === 0) return <Text c="dimmed">{text.empty}</Text>;
  return (
    <Stack>
      {list.parts.length > 0 && <Parts parts={list.parts} chosen={chosen} onChoose={setChosen} />}
      {Object.keys(chosen).length > 0 && (
        <PartNote trial={trial} chosen={chosen} lacking={lacking} external={external} />
      )}
      {shown.map((analysis) => (
        <AnalysisCard key={analysis.id} trialId={trial.id} analysis={analysis} />
      ))}
    </Stack>
  );
}

function AnalysisCard({ trialId, analysis }: { trialId: string; analysis: Analysis }) {
  const client = useQueryClient();
  const running = analysis.state === "queued" || analysis.state === "running";
  const ended = useCallback(
    () => void client.invalidateQueries({ queryKey: analysesQuery(trialId).queryKey }),
    [client, trialId],
  );
  return (
    <article className="eq-analysis" data-exploratory={analysis.exploratory}>
      <Group justify="space-between" mb="xs">
        <Title order={2} size="h4">
          {analysis.title}
        </Title>
        <Group gap="xs">
          {analysis.external_table && (
            <Badge variant="light" color="gray" tt="none">
              {text.external(analysis.data_key)}
            </Badge>
          )}
          {analysis.analysis_set === "per_protocol" && (
            <Badge variant="light" color="gray" tt="none">
              {text.perProtocol}
            </Badge>
          )}
          {Object.keys(analysis.where).length > 0 && (
            <Badge variant="light" color="gray" tt="none">
              {text.partOf(analysis.where)}
            </Badge>
          )}
          <Badge variant="light" color={analysis.exploratory ? "yellow" : "blue"}>
            {analysis.exploratory ? text.exploratory : text.planned}
          </Badge>
        </Group>
      </Group>
      {analysis.findings.map((finding, index) => (
        <p key={finding} className={index === 0 ? "eq-finding" : "eq-further"}>
          {finding}
        </p>
      ))}
      {analysis.message && <Alert data-tone="bad">{analysis.message}</Alert>}
      {running && analysis.job_id && <JobProgress jobId={analysis.job_id} onEnded={ended} />}
      <Stack>
        {analysis.figures.map((figure) => (
          <FigureBox key={figure.name} figure={figure} />
        ))}
        {analysis.tables.map((table) => (
          <FoldedTable key={table.name} table={table} />
        ))}
      </Stack>
      {analysis.notes.map((note) => (
        <Text key={note} size="sm" c="dimmed">
          {note}
        </Text>
      ))}
      <Text size="sm" c="dimmed" mt="sm">
        {analysis.method && `${text.method}: ${analysis.method.replace(/\.$/, "")}. `}
        {analysis.finished_at && dateTime(analysis.finished_at)}
        {analysis.results_url && (
          <>
            {" · "}
            <Anchor href={analysis.results_url} download size="sm" underline="always">
              results.json
            </Anchor>
          </>
        )}
      </Text>
      {analysis.data_sha256 && (
        <Text size="xs" c="dimmed" className="eq-hash">
          {text.dataHash(analysis.data_sha256)}
        </Text>
      )}
    </article>
  );
}

/** Of the data of one name the highest version alone counts; tables without a name all do. */
function newestOf(tables: readonly ExternalTable[]): readonly ExternalTable[] {
  const highest = new Map<string, number>();
  for (const { key, version } of tables) if (key) highest.set(key, Math.max(version, highest.get(key) ?? 0));
  return tables.filter(({ key, version }) => !key || highest.get(key) === version);
}

function RunForm({ trial }: { trial: Trial }) {
  const client = useQueryClient();
  const tables = useQuery(externalTablesQuery(trial.id));
  const [name, setName] = useState<AnalysisRequest["name"]>("preference");
  const [table, setTable] = useState("");
  const run = useMutation({
    mutationFn: () => runAnalysis(trial.id, { name, options: {}, ...(table ? { external_table: table } : {}) }),
    onSuccess: () => client.invalidateQueries({ queryKey: analysesQuery(trial.id).queryKey }),
  });
  const send = (event: FormEvent): void => {
    event.preventDefault();
    run.mutate();
  };
  const ownAnalysed = trial.open_to.includes("analyse");
  const data = [
    { value: "", label: ownAnalysed ? text.own : text.ownBlinded, disabled: !ownAnalysed },
    ...newestOf(tables.data?.results ?? []).map((each) => ({
      value: each.id,
      label: text.tableLabel(each.key, each.imported, dateTime(each.imported_at)),
    })),
  ];
  return (
    <form onSubmit={send}>
      <Problem error={run.error} />
      <Group align="flex-end">
        <NativeSelect
          label={text.name}
          data={[...text.names]}
          value={name}
          onChange={(event) => setName(event.currentTarget.value as AnalysisRequest["name"])}
        />
        <NativeSelect
          label={text.table}
          data={data}
          value={table}
          onChange={(event) => setTable(event.currentTarget.value)}
        />
        <Button type="submit" disabled={!ownAnalysed && table === ""} loading={run.isPending}>
          {text.run}
        </Button>
      </Group>
    </form>
  );
}

export default function AnalysesSection({ trial }: { trial: Trial }) {
  const analyses = useQuery(analysesQuery(trial.id));
  const mayRun = trial.permissions.includes("analysis:run");
  const mayExport = trial.permissions.includes("export:create") && trial.state !== "draft" && trial.state !== "locked";
  return (
    <Stack gap="lg">
      {BLINDED.has(trial.state) && <Text c="dimmed">{text.blinded}</Text>}
      {mayRun && (
        <Paper withBorder p="lg">
          <Stack>
            <RunForm trial={trial} />
            {trial.open_to.includes("import-table") && <ImportPanel trialId={trial.id} />}
          </Stack>
        </Paper>
      )}
      {mayExport && (
        <Group>
          <Text>{text.export}</Text>
          {EXPORTS.map((file) => (
            <ExportLink key={file} href={exportAddress(trial.id, file)}>
              {file}
            </ExportLink>
          ))}
        </Group>
      )}
      {trial.permissions.includes("analysis:view") && mayExport && !BLINDED.has(trial.state) && (
        <BundlePanel trial={trial} />
      )}
      <Loaded query={analyses}>{(list) => <Analyses trial={trial} list={list} />}</Loaded>
    </Stack>
  );
}
