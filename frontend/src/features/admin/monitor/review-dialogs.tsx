/** A new query or deviation, and a further act on one. */
import { Button, Checkbox, Group, NativeSelect, NumberInput, Stack, Textarea, TextInput } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, type ReactNode, useState } from "react";
import type { ReviewOpen, ReviewRecord } from "@/api/types";
import { Dialog } from "@/components/dialog";
import { admin } from "@/lib/messages-admin";
import { openReview, stepReview } from "../api";
import { Problem } from "../shell/problem";

const text = admin.review;
type Kind = "query" | "deviation";
type Severity = "" | "minor" | "major";

function Form(props: {
  title: string;
  send: () => Promise<unknown>;
  words: string;
  setWords: (words: string) => void;
  label: string;
  trialId: string;
  onClose: () => void;
  children: ReactNode;
}) {
  const client = useQueryClient();
  const act = useMutation({
    mutationFn: props.send,
    onSuccess: () => {
      void client.invalidateQueries({ queryKey: ["trial", props.trialId] });
      props.onClose();
    },
  });
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    act.mutate();
  };
  return (
    <Dialog title={props.title} onClose={props.onClose}>
      <form onSubmit={submit}>
        <Stack>
          {props.children}
          <Textarea
            label={text.words}
            rows={4}
            required
            value={props.words}
            onChange={(event) => props.setWords(event.currentTarget.value)}
          />
          <Problem error={act.error} />
          <Group justify="flex-end">
            <Button variant="default" onClick={props.onClose}>
              {admin.common.cancel}
            </Button>
            <Button type="submit" disabled={props.words.trim() === ""} loading={act.isPending}>
              {props.label}
            </Button>
          </Group>
        </Stack>
      </form>
    </Dialog>
  );
}

function SeveritySelect({ value, onChange }: { value: Severity; onChange: (value: Severity) => void }) {
  return (
    <NativeSelect
      label={text.severity}
      data={[{ value: "", label: text.undecided }, ...text.severities]}
      value={value}
      onChange={(event) => onChange(event.currentTarget.value as Severity)}
    />
  );
}

export function OpenDialog({ trialId, onClose }: { trialId: string; onClose: () => void }) {
  const [kind, setKind] = useState<Kind>("query");
  const [topic, setTopic] = useState<string>(text.topics.query[0]?.value ?? "");
  const [participant, setParticipant] = useState("");
  const [n, setN] = useState<number | null>(null);
  const [oneCase, setOneCase] = useState("");
  const [severity, setSeverity] = useState<Severity>("");
  const [words, setWords] = useState("");
  const send = () =>
    openReview(trialId, {
      kind,
      topic: topic as ReviewOpen["topic"],
      participant: participant.trim(),
      n,
      case: oneCase.trim(),
      ...(kind === "deviation" && severity !== "" ? { severity } : {}),
      text: words,
    });
  const choose = (next: Kind): void => {
    setKind(next);
    setTopic(text.topics[next][0]?.value ?? "");
  };
  return (
    <Form title={text.newTitle} label={text.record} {...{ send, words, setWords, trialId, onClose }}>
      <NativeSelect
        label={text.kind}
        data={Object.entries(text.kinds).map(([value, label]) => ({ value, label }))}
        value={kind}
        onChange={(event) => choose(event.currentTarget.value as Kind)}
      />
      <NativeSelect
        label={text.topic}
        data={text.topics[kind]}
        value={topic}
        onChange={(event) => setTopic(event.currentTarget.value)}
      />
      <TextInput
        label={text.participant}
        value={participant}
        onChange={(event) => setParticipant(event.currentTarget.value)}
      />
      <NumberInput
        label={text.n}
        min={1}
        value={n ?? ""}
        onChange={(value) => setN(typeof value === "number" ? value : null)}
      />
      <TextInput label={text.oneCase} value={oneCase} onChange={(event) => setOneCase(event.currentTarget.value)} />
      {kind === "deviation" && <SeveritySelect value={severity} onChange={setSeverity} />}
    </Form>
  );
}

export function StepDialog(props: {
  trialId: string;
  record: ReviewRecord;
  act: "answer" | "close" | "reopen";
  onClose: () => void;
}) {
  const { trialId, record, act, onClose } = props;
  const [severity, setSeverity] = useState<Severity>(record.severity ?? "");
  const [excludes, setExcludes] = useState(false);
  const [words, setWords] = useState("");
  const decides = record.kind === "deviation" && act === "close";
  const send = () =>
    stepReview(trialId, record.id, {
      act,
      text: words,
      ...(decides && severity !== "" ? { severity } : {}),
      excludes: decides ? excludes : null,
    });
  return (
    <Form
      title={`${text.doActs[act]}: ${record.code}`}
      label={text.doActs[act] ?? act}
      {...{ send, words, setWords, trialId, onClose }}
    >
      {decides && (
        <>
          <SeveritySelect value={severity} onChange={setSeverity} />
          <Checkbox
            label={text.excludes}
            checked={excludes}
            onChange={(event) => setExcludes(event.currentTarget.checked)}
          />
        </>
      )}
    </Form>
  );
}
