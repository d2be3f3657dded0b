import { Alert, Button, Group, Progress, Stack, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useEffect } from "react";
import { admin } from "@/lib/messages-admin";
import { cancelJob, failedItemsQuery, jobHasEnded, jobQuery } from "./job-query";

const text = admin.job;

const COLOURS: Readonly<Record<string, string>> = {
  failed: "red",
  partial: "yellow",
  cancelled: "gray",
  succeeded: "teal",
};

/** So many reasons are shown at once; more of them are opened by whoever wants to read them. */
const FEW = 5;

function FailedItems({ jobId }: { jobId: string }) {
  const { data: items = [] } = useQuery(failedItemsQuery(jobId));
  if (items.length === 0) return null;
  return (
    <details open={items.length <= FEW}>
      <summary>{text.errors(items.length)}</summary>
      <ul>
        {items.map((item) => (
          <li key={item.id}>
            {item.key}: {item.error_detail}
          </li>
        ))}
      </ul>
    </details>
  );
}

export function JobProgress({ jobId, onEnded }: { jobId: string; onEnded?: () => void }) {
  const { data: job } = useQuery(jobQuery(jobId));
  const ended = jobHasEnded(job);
  useEffect(() => {
    if (ended) onEnded?.();
  }, [ended, onEnded]);
  if (!job) return null;
  const percent = 100 * job.progress;
  return (
    <Stack gap="xs">
      <Group justify="space-between">
        <Text size="sm" role="status">
          {text.states[job.state] ?? job.state}
          {job.total > 0 && ` · ${admin.common.of(job.done, job.total)} ${job.unit}`}
        </Text>
        {!ended && (
          <Button
            size="compact-sm"
            variant="default"
            disabled={job.state === "cancelling"}
            onClick={() => void cancelJob(jobId)}
          >
            {text.cancel}
          </Button>
        )}
      </Group>
      <Progress value={percent} color={COLOURS[job.state] ?? "blue"} aria-label={text.states[job.state] ?? job.state} />
      {job.stalled && !ended && <Alert data-tone="warn">{text.stalled}</Alert>}
      {job.failed > 0 && ended && <FailedItems jobId={jobId} />}
    </Stack>
  );
}
