import { Button, Group, Paper, Progress, Stack, Text, Title } from "@mantine/core";
import { useQueryClient } from "@tanstack/react-query";
import { type DragEvent, useCallback, useRef, useState } from "react";
import type { Purpose, RoiRule, Trial } from "@/api/types";
import { admin } from "@/lib/messages-admin";
import { sizeText } from "@/lib/size-text";
import { JobProgress } from "../jobs/job-progress";
import { Problem } from "../shell/problem";
import { bytesOf, chosenFiles, droppedFiles, type FolderFile } from "./folder";
import { PurposeSelect } from "./purpose-select";
import { completeRules, RoiRules, rulesFor } from "./roi-rules";
import { useUpload } from "./use-upload";

const text = admin.cases;

function DropZone({ onFiles }: { onFiles: (files: readonly FolderFile[]) => void }) {
  const [over, setOver] = useState(false);
  const input = useRef<HTMLInputElement>(null);
  const drop = (event: DragEvent): void => {
    event.preventDefault();
    setOver(false);
    void droppedFiles(event.dataTransfer.items).then(onFiles);
  };
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: a place to drop on; the button inside does the same by keyboard
    <div
      className="eq-drop"
      data-over={over}
      onDragOver={(event) => {
        event.preventDefault();
        setOver(true);
      }}
      onDragLeave={() => setOver(false)}
      onDrop={drop}
    >
      <Text>{text.drop}</Text>
      <Button variant="default" onClick={() => input.current?.click()}>
        {text.choose}
      </Button>
      <input
        ref={(element) => {
          input.current = element;
          element?.setAttribute("webkitdirectory", "");
        }}
        type="file"
        multiple
        hidden
        aria-label={text.choose}
        onChange={(event) => {
          if (event.currentTarget.files) onFiles(chosenFiles(event.currentTarget.files));
        }}
      />
    </div>
  );
}

export function UploadPanel({ trial, sources }: { trial: Trial; sources: readonly string[] }) {
  const client = useQueryClient();
  const [files, setFiles] = useState<readonly FolderFile[]>([]);
  const [purpose, setPurpose] = useState<Purpose>("trial");
  const [jobId, setJobId] = useState<string | null>(null);
  const [rules, setRules] = useState<RoiRule[]>(() => rulesFor(sources));
  const { upload, sentBytes } = useUpload(trial.id);
  const total = bytesOf(files);
  const complete = completeRules(rules);
  const ended = useCallback(() => void client.invalidateQueries({ queryKey: ["trial", trial.id] }), [client, trial.id]);
  return (
    <Paper withBorder p="lg">
      <Stack>
        <DropZone onFiles={setFiles} />
        {files.length > 0 && (
          <>
            <Text>{text.chosen(files.length, sizeText(total))}</Text>
            <RoiRules rules={rules} onChange={setRules} />
            <Group align="flex-end">
              <PurposeSelect purpose={purpose} onChange={setPurpose} />
              <Button
                disabled={!complete}
                loading={upload.isPending}
                onClick={() => {
                  setJobId(null);
                  upload.mutate({ files, rules, purpose }, { onSuccess: setJobId });
                }}
              >
                {text.start}
              </Button>
            </Group>
          </>
        )}
        {upload.isPending && (
          <div>
            <Text size="sm" role="status">
              {text.uploading(sizeText(sentBytes), sizeText(total))}
            </Text>
            <Progress value={total > 0 ? (100 * sentBytes) / total : 0} aria-label={text.start} />
          </div>
        )}
        {upload.isError && <Text size="sm">{text.interrupted}</Text>}
        <Problem error={upload.error} />
        {jobId && <JobProgress jobId={jobId} onEnded={ended} />}
      </Stack>
    </Paper>
  );
}

export function PanelTitle({ children }: { children: string }) {
  return (
    <Title order={2} size="h4" mb="xs" mt="lg">
      {children}
    </Title>
  );
}
