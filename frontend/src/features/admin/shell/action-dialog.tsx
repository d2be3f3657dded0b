/** An act on the trial, with the password and the reason that it asks for. */
import { Anchor, Button, Group, PasswordInput, Stack, Text, Textarea } from "@mantine/core";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { ApiError } from "@/api/errors";
import type { Trial, TrialAction } from "@/api/types";
import { Dialog } from "@/components/dialog";
import { trialPath } from "@/config/paths";
import { admin } from "@/lib/messages-admin";
import { foreseenQuery, protocolQuery, takeAction } from "../api";
import { isComplete, NO_PROOF, waysQuery } from "../signatures/proof";
import { SigningFields } from "../signatures/signing-fields";
import { Problem } from "./problem";

const text = admin.action;
const FINAL: ReadonlySet<string> = new Set(["lock", "data-lock", "unblind", "archive", "abandon"]);

/** Signed on what can be hashed before it is done. */
const FORESEEN: ReadonlySet<string> = new Set(["data-lock", "unblind"]);

const isOutdated = (error: unknown): boolean => error instanceof ApiError && error.code === "version_conflict";

export function ActionDialog(props: {
  trialId: string;
  action: TrialAction;
  onDone: (trial: Trial) => void;
  onClose: () => void;
}) {
  const { trialId, action, onDone, onClose } = props;
  const [proof, setProof] = useState(NO_PROOF);
  const [reason, setReason] = useState("");
  const [waiver, setWaiver] = useState("");
  const client = useQueryClient();
  const locks = action.action === "lock";
  // The protocol as the pages have shown it: another one is not signed unseen.
  const seen = useQuery({ ...protocolQuery(trialId), enabled: locks, staleTime: Number.POSITIVE_INFINITY });
  const binds = FORESEEN.has(action.action);
  const foreseen = useQuery({
    ...foreseenQuery(trialId, action.action),
    enabled: binds,
    staleTime: Number.POSITIVE_INFINITY,
  });
  const act = useMutation({
    mutationFn: () =>
      takeAction(
        trialId,
        action.action,
        { ...proof, reason, waiver, record_sha256: binds ? (foreseen.data?.record_sha256 ?? "") : "" },
        locks ? (seen.data?.etag ?? null) : null,
      ),
    onSuccess: onDone,
    onError: (error) => {
      // A key's answer and a code are good once.
      setProof({ ...NO_PROOF, password: proof.password });
      if (isOutdated(error)) void client.invalidateQueries({ queryKey: protocolQuery(trialId).queryKey, exact: true });
    },
  });
  const ways = useQuery({ ...waysQuery, enabled: action.signs !== null || action.needs_password });
  // Whoever has no password here is asked by the page, for what they have, when the server wants it.
  const asksPassword = action.needs_password && action.signs === null && ways.data?.password !== false;
  const incomplete =
    isOutdated(act.error) ||
    (locks && !seen.data) ||
    (binds && !foreseen.data) ||
    (action.signs === null ? asksPassword && proof.password === "" : !isComplete(ways.data, proof)) ||
    (action.needs_reason && reason.trim() === "") ||
    (action.needs_waiver && waiver.trim() === "");
  const send = (event: FormEvent): void => {
    event.preventDefault();
    act.mutate();
  };
  return (
    <Dialog title={action.label} onClose={onClose}>
      <form onSubmit={send}>
        <Stack>
          {FINAL.has(action.action) && <Text>{text.undone}</Text>}
          {action.needs_waiver && (
            <Anchor href={trialPath(trialId, "rehearsal")} size="sm" underline="always">
              {text.toRehearsal}
            </Anchor>
          )}
          {action.needs_waiver && (
            <Textarea
              label={text.waiver}
              description={action.rehearsal_lacking}
              required
              autosize={false}
              rows={3}
              value={waiver}
              onChange={(event) => setWaiver(event.currentTarget.value)}
            />
          )}
          {action.needs_reason && (
            <Textarea
              label={text.reason}
              description={text.reasonHint}
              rows={3}
              required
              value={reason}
              onChange={(event) => setReason(event.currentTarget.value)}
            />
          )}
          {action.signs !== null && <SigningFields words={action.signs} proof={proof} onChange={setProof} />}
          {asksPassword && (
            <PasswordInput
              label={text.password}
              autoComplete="current-password"
              required
              value={proof.password}
              onChange={(event) => setProof({ ...proof, password: event.currentTarget.value })}
            />
          )}
          {binds && (
            <Text size="sm" role="status">
              {foreseen.data ? text.bound(foreseen.data.record) : foreseen.isPending && text.binding}{" "}
              <span className="eq-hash">{foreseen.data?.record_sha256}</span>
            </Text>
          )}
          <Problem error={act.error ?? foreseen.error} />
          <Group justify="flex-end">
            <Button variant="default" onClick={onClose}>
              {admin.common.cancel}
            </Button>
            <Button type="submit" disabled={incomplete} loading={act.isPending}>
              {text.confirm(action.label)}
            </Button>
          </Group>
        </Stack>
      </form>
    </Dialog>
  );
}
