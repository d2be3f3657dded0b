/** Fetches a list of studies from an archive that the site names. The list is sent, and kept nowhere. */
import { Button, Group, NativeSelect, Paper, Stack, Text, Textarea, TextInput } from "@mantine/core";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useCallback, useState } from "react";
import type { PullRequest, Purpose, RoiRule, Trial } from "@/api/types";
import { admin } from "@/lib/messages-admin";
import { beginPull, pacsQuery } from "../api";
import { JobProgress } from "../jobs/job-progress";
import { Problem } from "../shell/problem";
import { PurposeSelect } from "./purpose-select";
import { completeRules, RoiRules, rulesFor } from "./roi-rules";
import { PanelTitle } from "./upload-panel";
import { wordsOf } from "./words";

const text = admin.pacs;

function Form({ trial, sources, archives }: { trial: Trial; sources: readonly string[]; archives: readonly string[] }) {
  const client = useQueryClient();
  const [pacs, setPacs] = useState(archives[0] ?? "");
  const [by, setBy] = useState<PullRequest["by"]>("StudyInstanceUID");
  const [list, setList] = useState("");
  const [modalities, setModalities] = useState("");
  const [purpose, setPurpose] = useState<Purpose>("trial");
  const [rules, setRules] = useState<RoiRule[]>(() => rulesFor(sources));
  const pull = useMutation({
    mutationFn: (body: PullRequest) => beginPull(trial.id, body),
    onSuccess: () => setList(""),
  });
  const ended = useCallback(() => void client.invalidateQueries({ queryKey: ["trial", trial.id] }), [client, trial.id]);
  const values = list
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "");
  return (
    <Paper withBorder p="lg">
      <Stack>
        <Text size="sm" c="dimmed">
          {text.hint}
        </Text>
        <Group align="flex-end">
          <NativeSelect
            label={text.archive}
            data={[...archives]}
            value={pacs}
            onChange={(event) => setPacs(event.currentTarget.value)}
          />
          <NativeSelect
            label={text.by}
            data={[
              { value: "StudyInstanceUID", label: text.study },
              { value: "PatientID", label: text.patient },
              { value: "AccessionNumber", label: text.accession },
            ]}
            value={by}
            onChange={(event) => setBy(event.currentTarget.value as PullRequest["by"])}
          />
          <TextInput
            label={text.modalities}
            placeholder="CT RTSTRUCT"
            value={modalities}
            onChange={(event) => setModalities(event.currentTarget.value)}
          />
        </Group>
        <Textarea
          label={text.list}
          autosize
          minRows={3}
          maxRows={12}
          autoComplete="off"
          spellCheck={false}
          value={list}
          onChange={(event) => setList(event.currentTarget.value)}
        />
        <RoiRules rules={rules} onChange={setRules} />
        <Group align="flex-end">
          <PurposeSelect purpose={purpose} onChange={setPurpose} />
          <Button
            disabled={values.length === 0 || !completeRules(rules)}
            loading={pull.isPending}
            onClick={() => pull.mutate({ pacs, by, values, modalities: wordsOf(modalities), rules, purpose })}
          >
            {text.start(values.length)}
          </Button>
        </Group>
        <Problem error={pull.error} />
        {pull.data && <JobProgress jobId={pull.data} onEnded={ended} />}
      </Stack>
    </Paper>
  );
}

/** Shown where the site names an archive; without one there is nothing to fetch from. */
export function PacsPanel({ trial, sources }: { trial: Trial; sources: readonly string[] }) {
  const { data: archives = [] } = useQuery(pacsQuery(trial.id));
  if (archives.length === 0) return null;
  return (
    <>
      <PanelTitle>{text.title}</PanelTitle>
      <Form trial={trial} sources={sources} archives={archives} />
    </>
  );
}
