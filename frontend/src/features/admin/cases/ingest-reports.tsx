import { Badge, Table } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import type { IngestRun, Trial } from "@/api/types";
import { admin } from "@/lib/messages-admin";
import { dateTime } from "@/timing/formats";
import { ingestQuery, ingestsQuery } from "../api";
import { Loaded } from "../shell/problem";
import { RemovedList } from "./removed-list";
import { PanelTitle } from "./upload-panel";

const text = admin.cases;
const COLOURS: Readonly<Record<string, string>> = { used: "teal", ignored: "gray", failed: "red" };

function FileTable({ trialId, runId }: { trialId: string; runId: string }) {
  const run = useQuery(ingestQuery(trialId, runId));
  return (
    <Loaded query={run}>
      {(body) => (
        <div className="eq-scroll">
          <Table>
            <Table.Thead>
              <Table.Tr>
                <Table.Th>{text.file}</Table.Th>
                <Table.Th>{text.what}</Table.Th>
                <Table.Th>{text.why}</Table.Th>
              </Table.Tr>
            </Table.Thead>
            <Table.Tbody>
              {body.files.map((file) => (
                <Table.Tr key={file.number}>
                  <Table.Td>{file.path ?? `${file.number}`}</Table.Td>
                  <Table.Td>
                    <Badge variant="light" color={COLOURS[file.outcome] ?? "gray"}>
                      {text.outcome[file.outcome] ?? file.outcome}
                    </Badge>
                  </Table.Td>
                  <Table.Td>{file.message ?? file.kind}</Table.Td>
                </Table.Tr>
              ))}
            </Table.Tbody>
          </Table>
        </div>
      )}
    </Loaded>
  );
}

function Removed({ trialId, runId }: { trialId: string; runId: string }) {
  const [open, setOpen] = useState(false);
  return (
    <details onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>{admin.removed.title}</summary>
      {open && <RemovedList trialId={trialId} runId={runId} />}
    </details>
  );
}

function Report({ trial, run }: { trial: Trial; run: IngestRun }) {
  const [open, setOpen] = useState(false);
  const seesLog = trial.permissions.includes("ingest_log:view");
  return (
    <details
      className="eq-form-section"
      onToggle={(event) => event.target === event.currentTarget && setOpen(event.currentTarget.open)}
    >
      <summary>
        {dateTime(run.started_at)} · {run.used} {text.outcome.used}, {run.ignored} {text.outcome.ignored}, {run.failed}{" "}
        {text.outcome.failed}
      </summary>
      <div className="eq-form-body">
        {open && <FileTable trialId={trial.id} runId={run.id} />}
        {open && seesLog && <Removed trialId={trial.id} runId={run.id} />}
      </div>
    </details>
  );
}

export function IngestReports({ trial }: { trial: Trial }) {
  const { data: runs = [] } = useQuery(ingestsQuery(trial.id));
  if (runs.length === 0) return null;
  return (
    <section aria-label={text.report}>
      <PanelTitle>{text.report}</PanelTitle>
      {runs.map((run) => (
        <Report key={run.id} trial={trial} run={run} />
      ))}
    </section>
  );
}
