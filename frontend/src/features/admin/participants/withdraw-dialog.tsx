import { Button, Group, NativeSelect, Stack, Text, Textarea } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import type { Participant, WithdrawalReason } from "@/api/types";
import { admin } from "@/lib/messages-admin";
import { withdrawParticipant } from "../api";
import { Dialog } from "../shell/dialog";
import { Problem } from "../shell/problem";

const text = admin.participants;

export function WithdrawDialog(props: { trialId: string; participant: Participant; onClose: () => void }) {
  const { trialId, participant, onClose } = props;
  const client = useQueryClient();
  const [code, setCode] = useState<WithdrawalReason>("own_wish");
  const [reason, setReason] = useState("");
  const withdraw = useMutation({
    mutationFn: () => withdrawParticipant(trialId, participant.id, { reason_code: code, reason }),
    onSuccess: () => {
      void client.invalidateQueries({ queryKey: ["trial", trialId] });
      onClose();
    },
  });
  const send = (event: FormEvent): void => {
    event.preventDefault();
    withdraw.mutate();
  };
  return (
    <Dialog title={text.withdrawTitle(participant.code)} onClose={onClose}>
      <form onSubmit={send}>
        <Stack>
          <Text>{text.withdrawText}</Text>
          <NativeSelect
            label={text.reasonCode}
            data={[...text.reasons]}
            value={code}
            onChange={(event) => setCode(event.currentTarget.value as WithdrawalReason)}
          />
          <Textarea
            label={admin.action.reason}
            description={admin.action.reasonHint}
            rows={3}
            value={reason}
            onChange={(event) => setReason(event.currentTarget.value)}
          />
          <Problem error={withdraw.error} />
          <Group justify="flex-end">
            <Button variant="default" onClick={onClose}>
              {admin.common.cancel}
            </Button>
            <Button type="submit" disabled={reason.trim() === ""} loading={withdraw.isPending}>
              {text.withdraw}
            </Button>
          </Group>
        </Stack>
      </form>
    </Dialog>
  );
}
