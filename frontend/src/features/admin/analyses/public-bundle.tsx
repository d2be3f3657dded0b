/** The public form of the bundle: made by a worker of the kept bundle, taken away as one file. */
import { Button, Checkbox, Group, Stack, Text, TextInput, Title } from "@mantine/core";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useCallback, useState } from "react";
import { admin } from "@/lib/messages-admin";
import { makePublicBundle, publicBundleQuery } from "../api";
import { JobProgress } from "../jobs/job-progress";
import { Loaded, Problem } from "../shell/problem";
import { KeptBundle } from "./kept-bundle";

const text = admin.bundle;
const MIN_REASON = 3;

function MakeForm({ trialId }: { trialId: string }) {
  const client = useQueryClient();
  const [reason, setReason] = useState("");
  const [reviewed, setReviewed] = useState(false);
  const making = useMutation({
    mutationFn: () => makePublicBundle(trialId, reason, reviewed),
    onSuccess: (body) => {
      setReason("");
      client.setQueryData(publicBundleQuery(trialId).queryKey, body);
    },
  });
  const send = (event: FormEvent): void => {
    event.preventDefault();
    making.mutate();
  };
  return (
    <form onSubmit={send}>
      <Stack gap="xs">
        <Problem error={making.error} />
        <Checkbox
          label={text.publicReviewed}
          description={text.publicUnreviewed}
          checked={reviewed}
          onChange={(event) => setReviewed(event.currentTarget.checked)}
        />
        <Group align="flex-end">
          <TextInput
            label={text.publicReason}
            value={reason}
            onChange={(event) => setReason(event.currentTarget.value)}
          />
          <Button
            type="submit"
            variant="default"
            disabled={reason.trim().length < MIN_REASON}
            loading={making.isPending}
          >
            {text.publicMake}
          </Button>
        </Group>
      </Stack>
    </form>
  );
}

export function PublicBundle({ trialId }: { trialId: string }) {
  const client = useQueryClient();
  const form = useQuery(publicBundleQuery(trialId));
  const ended = useCallback(() => {
    void client.invalidateQueries({ queryKey: publicBundleQuery(trialId).queryKey });
  }, [client, trialId]);
  return (
    <>
      <Title order={2} size="h4" mt="md">
        {text.publicTitle}
      </Title>
      <Text size="sm" c="dimmed">
        {text.publicText}
      </Text>
      <Loaded query={form}>
        {(kept) => (
          <>
            <KeptBundle
              trialId={trialId}
              file="public-bundle.zip"
              kept={kept}
              none={text.publicNone}
              outdated={text.publicOutdated}
              hash={text.publicHash}
            >
              {kept.has_words && <Text size="sm">{text.publicWords}</Text>}
            </KeptBundle>
            {kept.job_id && <JobProgress jobId={kept.job_id} onEnded={ended} />}
            {kept.can_be_made ? <MakeForm trialId={trialId} /> : <Text size="sm">{text.publicNeedsBundle}</Text>}
          </>
        )}
      </Loaded>
    </>
  );
}
