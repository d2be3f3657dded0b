/** Images that may show who the patient is, to be looked at frame by frame before the protocol can be locked. */
import { Button, Group, Stack, Text, Textarea } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import type { Case, Trial } from "@/api/types";
import { Dialog } from "@/components/dialog";
import { admin } from "@/lib/messages-admin";
import { caseFrameAddress, pixelsReviewed } from "../api";
import { Problem } from "../shell/problem";
import { PanelTitle } from "./upload-panel";

const text = admin.look;

function LookDialog({ trial, shown, onClose }: { trial: Trial; shown: Case; onClose: () => void }) {
  const client = useQueryClient();
  const [frame, setFrame] = useState(0);
  const [reason, setReason] = useState("");
  const kept = useMutation({
    mutationFn: () => pixelsReviewed(trial.id, shown.id, reason),
    onSuccess: () => {
      void client.invalidateQueries({ queryKey: ["trial", trial.id] });
      onClose();
    },
  });
  const send = (event: FormEvent): void => {
    event.preventDefault();
    kept.mutate();
  };
  return (
    <Dialog title={text.dialog(shown.code)} wide onClose={onClose}>
      <form onSubmit={send}>
        <Stack>
          <Text>{text.question}</Text>
          <img
            className="eq-look"
            src={caseFrameAddress(trial.id, shown.id, frame)}
            alt={text.frame(frame + 1, shown.slices)}
          />
          {shown.slices > 1 && (
            <label className="eq-look-frames">
              {text.frame(frame + 1, shown.slices)}
              <input
                type="range"
                min={1}
                max={shown.slices}
                value={frame + 1}
                onChange={(event) => setFrame(Number(event.currentTarget.value) - 1)}
              />
            </label>
          )}
          <Textarea
            label={text.reason}
            description={text.reasonHint}
            rows={2}
            maxLength={500}
            required
            value={reason}
            onChange={(event) => setReason(event.currentTarget.value)}
          />
          <Problem error={kept.error} />
          <Group justify="flex-end">
            <Button variant="default" onClick={onClose}>
              {admin.common.cancel}
            </Button>
            <Button type="submit" disabled={reason.trim() === ""} loading={kept.isPending}>
              {text.confirm}
            </Button>
          </Group>
        </Stack>
      </form>
    </Dialog>
  );
}

export function LookPanel({ trial, cases }: { trial: Trial; cases: readonly Case[] }) {
  const [chosen, setChosen] = useState<Case | null>(null);
  const waiting = cases.filter((each) => each.waits_to_be_looked_at);
  if (waiting.length === 0) return null;
  return (
    <section aria-label={text.title}>
      <PanelTitle>{text.title}</PanelTitle>
      <Text c="dimmed" mb="sm" maw="75ch">
        {text.why}
      </Text>
      <Group gap="xs">
        {waiting.map((each) => (
          <Button key={each.id} variant="default" onClick={() => setChosen(each)}>
            {text.open(each.code)}
          </Button>
        ))}
      </Group>
      {chosen && <LookDialog trial={trial} shown={chosen} onClose={() => setChosen(null)} />}
    </section>
  );
}
