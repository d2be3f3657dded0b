/** The bundle of an unblinded trial: made by a worker, kept with its hash, taken away as one file. */
import { Anchor, Button, Group, Paper, Stack, Text, TextInput, Title } from "@mantine/core";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useCallback, useState } from "react";
import type { Bundle, Trial } from "@/api/types";
import { admin } from "@/lib/messages-admin";
import { bundleQuery, exportAddress, makeBundle, publicBundleQuery, signaturesQuery, trialQuery } from "../api";
import { JobProgress } from "../jobs/job-progress";
import { Loaded, Problem } from "../shell/problem";
import { SignaturesPanel } from "../signatures/signatures-panel";
import { KeptBundle } from "./kept-bundle";
import { PublicBundle } from "./public-bundle";

const text = admin.bundle;
const MIN_REASON = 3;

/** The report is a page of the bundle; that of an archived trial stays whatever is analysed later. */
function Report({ trial, bundle }: { trial: Trial; bundle: Bundle }) {
  const isKept = bundle.made_at !== null && (bundle.report_current || trial.state === "archived");
  if (!isKept) return <Text>{bundle.made_at === null ? text.reportNone : text.reportOutdated}</Text>;
  return (
    <Anchor href={exportAddress(trial.id, "report.html")} target="_blank" rel="noreferrer">
      report.html
    </Anchor>
  );
}

function MakeForm({ trialId, again }: { trialId: string; again: boolean }) {
  const client = useQueryClient();
  const [reason, setReason] = useState("");
  const making = useMutation({
    mutationFn: () => makeBundle(trialId, reason),
    onSuccess: (body) => {
      setReason("");
      client.setQueryData(bundleQuery(trialId).queryKey, body);
    },
  });
  const send = (event: FormEvent): void => {
    event.preventDefault();
    making.mutate();
  };
  return (
    <form onSubmit={send}>
      <Problem error={making.error} />
      <Group align="flex-end">
        <TextInput label={text.reason} value={reason} onChange={(event) => setReason(event.currentTarget.value)} />
        <Button
          type="submit"
          variant={again ? "default" : "filled"}
          disabled={reason.trim().length < MIN_REASON}
          loading={making.isPending}
        >
          {again ? text.again : text.make}
        </Button>
      </Group>
    </form>
  );
}

export function BundlePanel({ trial }: { trial: Trial }) {
  const client = useQueryClient();
  const bundle = useQuery(bundleQuery(trial.id));
  const ended = useCallback(() => {
    void client.invalidateQueries({ queryKey: bundleQuery(trial.id).queryKey });
    void client.invalidateQueries({ queryKey: publicBundleQuery(trial.id).queryKey });
    void client.invalidateQueries({ queryKey: signaturesQuery(trial.id).queryKey });
    void client.invalidateQueries({ queryKey: trialQuery(trial.id).queryKey, exact: true });
  }, [client, trial.id]);
  return (
    <Paper withBorder p="lg">
      <Stack gap="xs">
        <Title order={2} size="h4">
          {text.report}
        </Title>
        <Text size="sm" c="dimmed">
          {text.reportText}
        </Text>
        {bundle.data && <Report trial={trial} bundle={bundle.data} />}
        {!trial.imported && <SignaturesPanel trial={trial} meanings={["report_approved"]} />}
        <Title order={2} size="h4" mt="md">
          {text.title}
        </Title>
        <Text size="sm" c="dimmed">
          {text.text}
        </Text>
        <Loaded query={bundle}>
          {(body) => (
            <>
              <KeptBundle
                trialId={trial.id}
                file="bundle.zip"
                kept={body}
                none={text.none}
                outdated={text.outdated}
                hash={text.hash}
              />
              {body.job_id && <JobProgress jobId={body.job_id} onEnded={ended} />}
              {trial.open_to.includes("bundle") && <MakeForm trialId={trial.id} again={body.made_at !== null} />}
            </>
          )}
        </Loaded>
        <PublicBundle trialId={trial.id} />
      </Stack>
    </Paper>
  );
}
