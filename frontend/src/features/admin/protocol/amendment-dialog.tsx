/** An amendment before it is made: what it changes, what of it is refused, and the reason and password it asks for. */
import { Alert, Button, Group, List, Stack, Text, Textarea } from "@mantine/core";
import { useMutation, useQuery } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { Dialog } from "@/components/dialog";
import { admin } from "@/lib/messages-admin";
import { amendmentQuery, amendProtocol, type ProtocolForm, type TaggedProtocol } from "../api";
import { Loaded, Problem } from "../shell/problem";
import { isComplete, NO_PROOF, waysQuery } from "../signatures/proof";
import { SigningFields } from "../signatures/signing-fields";
import { ChangeList } from "./versions";

const text = admin.protocol;

export function AmendmentDialog(props: {
  trialId: string;
  form: ProtocolForm;
  etag: string | null;
  onDone: (made: TaggedProtocol) => void;
  onClose: () => void;
}) {
  const { trialId, form, etag, onDone, onClose } = props;
  const checked = useQuery(amendmentQuery(trialId, form));
  const [reason, setReason] = useState("");
  const [proof, setProof] = useState(NO_PROOF);
  const ways = useQuery(waysQuery);
  const amend = useMutation({
    mutationFn: () => amendProtocol(trialId, form, { reason, ...proof }, etag),
    onSuccess: onDone,
    // A key's answer and a code are good once.
    onError: () => setProof({ ...NO_PROOF, password: proof.password }),
  });
  const send = (event: FormEvent): void => {
    event.preventDefault();
    amend.mutate();
  };
  return (
    <Dialog title={text.amendTitle} onClose={onClose}>
      <Loaded query={checked}>
        {(found) => (
          <form onSubmit={send}>
            <Stack>
              <ChangeList changes={found.changes} />
              {found.refusals.length + found.problems.length > 0 && (
                <Alert data-tone="bad" title={text.amendRefused}>
                  <List size="sm">
                    {[...found.refusals, ...found.problems].map((one) => (
                      <List.Item key={`${one.pointer} ${one.message}`}>{one.message}</List.Item>
                    ))}
                  </List>
                </Alert>
              )}
              {found.allowed && (
                <>
                  <Text size="sm">{text.amendText}</Text>
                  <Textarea
                    label={admin.action.reason}
                    description={text.amendReasonHint}
                    rows={3}
                    required
                    value={reason}
                    onChange={(event) => setReason(event.currentTarget.value)}
                  />
                  <SigningFields words={text.amendSigns} proof={proof} onChange={setProof} />
                </>
              )}
              <Problem error={amend.error} />
              <Group justify="flex-end">
                <Button variant="default" onClick={onClose}>
                  {admin.common.cancel}
                </Button>
                {found.allowed && (
                  <Button
                    type="submit"
                    disabled={reason.trim() === "" || !isComplete(ways.data, proof)}
                    loading={amend.isPending}
                  >
                    {text.amendSend(found.version + 1)}
                  </Button>
                )}
              </Group>
            </Stack>
          </form>
        )}
      </Loaded>
    </Dialog>
  );
}
