import { Badge, Text, TextInput } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import type { Case, Protocol, Trial } from "@/api/types";
import { admin } from "@/lib/messages-admin";
import { casesQuery, protocolQuery } from "../api";
import { Loaded } from "../shell/problem";
import { InboxPanel } from "./inbox-panel";
import { IngestReports } from "./ingest-reports";
import { ItemsPanel } from "./items-panel";
import { LookPanel } from "./look-panel";
import { PacsPanel } from "./pacs-panel";
import { QualityPanel } from "./quality-panel";
import { PanelTitle, UploadPanel } from "./upload-panel";

const text = admin.cases;
const FILTER_FROM = 12;

/** Sources that the protocol's tasks compare: each needs a rule when files are read in. */
function sourcesOf(protocol: Protocol | undefined): string[] {
  const tasks = protocol?.document.tasks;
  if (!Array.isArray(tasks)) return [];
  const candidates = tasks.flatMap((task: { candidates?: Record<string, { source?: string }> | null }) =>
    Object.values(task.candidates ?? {}),
  );
  return [...new Set(candidates.flatMap((candidate) => (candidate.source ? [candidate.source] : [])))];
}

function CaseGrid({ cases }: { cases: readonly Case[] }) {
  const [filter, setFilter] = useState("");
  if (cases.length === 0) return <Text c="dimmed">{text.empty}</Text>;
  const shown = cases.filter((each) => each.code.toLowerCase().includes(filter.toLowerCase()));
  return (
    <>
      {cases.length >= FILTER_FROM && (
        <TextInput
          placeholder={text.filter}
          aria-label={text.filter}
          mb="sm"
          maw={260}
          value={filter}
          onChange={(event) => setFilter(event.currentTarget.value)}
        />
      )}
      <div className="eq-thumbs">
        {shown.map((each) => (
          <figure key={each.id} className="eq-thumb">
            <img src={each.thumbnail_url} alt={each.code} loading="lazy" />
            <figcaption>
              {each.code}{" "}
              {each.purpose === "practice" && (
                <Badge size="xs" variant="light">
                  {text.practiceBadge}
                </Badge>
              )}
              <br />
              <span className="eq-dim">
                {text.slices(each.slices)}, {each.spacing_mm.map((mm) => mm.toFixed(2)).join(" × ")} mm
              </span>
              {each.contours.map((contour) => (
                <div key={contour.id} className="eq-dim">
                  {contour.source ?? "–"} {contour.volume_ml.toFixed(1)} ml
                </div>
              ))}
              {each.flags.map((flag) => (
                <Badge key={flag} size="xs" color="yellow" variant="light">
                  {flag.replaceAll("_", " ")}
                </Badge>
              ))}
            </figcaption>
          </figure>
        ))}
      </div>
    </>
  );
}

export default function CasesSection({ trial }: { trial: Trial }) {
  const cases = useQuery(casesQuery(trial.id));
  const protocol = useQuery(protocolQuery(trial.id));
  const mayUpload = trial.open_to.includes("ingest") && trial.permissions.includes("case:ingest");
  return (
    <>
      {mayUpload && !protocol.isPending && <UploadPanel trial={trial} sources={sourcesOf(protocol.data?.protocol)} />}
      {mayUpload && !protocol.isPending && <PacsPanel trial={trial} sources={sourcesOf(protocol.data?.protocol)} />}
      {mayUpload && !protocol.isPending && <InboxPanel trial={trial} sources={sourcesOf(protocol.data?.protocol)} />}
      {mayUpload && <LookPanel trial={trial} cases={cases.data ?? []} />}
      {mayUpload && <IngestReports trial={trial} />}
      <PanelTitle>{text.title}</PanelTitle>
      <Loaded query={cases}>{(body) => <CaseGrid cases={body} />}</Loaded>
      <QualityPanel trial={trial} />
      <ItemsPanel trial={trial} />
    </>
  );
}
