/** An act that asks why: its own text and fields, the reason, and a button that waits for one. */
import { Button, Group, Stack, Textarea } from "@mantine/core";
import type { UseMutationResult } from "@tanstack/react-query";
import { type FormEvent, type ReactNode, useState } from "react";
import { Dialog } from "@/components/dialog";
import { admin } from "@/lib/messages-admin";
import { Problem } from "./problem";

export function ReasonDialog(props: {
  title: string;
  confirm: string;
  act: UseMutationResult<unknown, Error, string>;
  onClose: () => void;
  children: ReactNode;
}) {
  const { act, onClose } = props;
  const [reason, setReason] = useState("");
  const send = (event: FormEvent): void => {
    event.preventDefault();
    act.mutate(reason);
  };
  return (
    <Dialog title={props.title} onClose={onClose}>
      <form onSubmit={send}>
        <Stack>
          {props.children}
          <Textarea
            label={admin.action.reason}
            description={admin.action.reasonHint}
            rows={3}
            value={reason}
            onChange={(event) => setReason(event.currentTarget.value)}
          />
          <Problem error={act.error} />
          <Group justify="flex-end">
            <Button variant="default" onClick={onClose}>
              {admin.common.cancel}
            </Button>
            <Button type="submit" disabled={reason.trim() === ""} loading={act.isPending}>
              {props.confirm}
            </Button>
          </Group>
        </Stack>
      </form>
    </Dialog>
  );
}
