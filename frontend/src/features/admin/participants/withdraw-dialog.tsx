import { NativeSelect, Text } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import type { Participant, WithdrawalReason } from "@/api/types";
import { admin } from "@/lib/messages-admin";
import { excludeData, withdrawParticipant } from "../api";
import { ReasonDialog } from "../shell/reason-dialog";

const text = admin.participants;

export function WithdrawDialog(props: { trialId: string; participant: Participant; onClose: () => void }) {
  const { trialId, participant, onClose } = props;
  const client = useQueryClient();
  const [code, setCode] = useState<WithdrawalReason>("own_wish");
  const withdraw = useMutation({
    mutationFn: (reason: string) => withdrawParticipant(trialId, participant.id, { reason_code: code, reason }),
    onSuccess: () => {
      void client.invalidateQueries({ queryKey: ["trial", trialId] });
      onClose();
    },
  });
  return (
    <ReasonDialog title={text.withdrawTitle(participant.code)} confirm={text.withdraw} act={withdraw} onClose={onClose}>
      <Text>{text.withdrawText}</Text>
      <NativeSelect
        label={text.reasonCode}
        data={[...text.reasons]}
        value={code}
        onChange={(event) => setCode(event.currentTarget.value as WithdrawalReason)}
      />
    </ReasonDialog>
  );
}

/** The reader asks that their readings not be used: apart from leaving, and after it. */
export function ExcludeDataDialog(props: { trialId: string; participant: Participant; onClose: () => void }) {
  const { trialId, participant, onClose } = props;
  const client = useQueryClient();
  const exclude = useMutation({
    mutationFn: (reason: string) => excludeData(trialId, participant.id, reason),
    onSuccess: () => {
      void client.invalidateQueries({ queryKey: ["trial", trialId] });
      onClose();
    },
  });
  return (
    <ReasonDialog title={text.excludeOf(participant.code)} confirm={text.exclude} act={exclude} onClose={onClose}>
      <Text>{text.excludeText}</Text>
      <Text>{admin.action.undone}</Text>
    </ReasonDialog>
  );
}
