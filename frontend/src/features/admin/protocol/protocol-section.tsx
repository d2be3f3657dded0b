import { Alert, Anchor, Button, FileButton, Group, SegmentedControl, Stack, Text } from "@mantine/core";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useBlocker } from "@tanstack/react-router";
import { useRef, useState } from "react";
import { ApiError } from "@/api/errors";
import type { ProtocolProblem, Trial } from "@/api/types";
import { admin } from "@/lib/messages-admin";
import { protocolQuery, protocolSchemaQuery, type TaggedProtocol } from "../api";
import { Loaded, Problem } from "../shell/problem";
import { useTellUnsaved } from "../shell/unsaved";
import { SignaturesPanel } from "../signatures/signatures-panel";
import { AmendmentDialog } from "./amendment-dialog";
import type { JsonSchema } from "./schema";
import { SchemaForm } from "./schema-form";
import { goToLine, TextEditor } from "./text-editor";
import { type Mode, useDraft } from "./use-draft";
import { Versions } from "./versions";

const text = admin.protocol;

function ProblemList(props: {
  title: string;
  colour: string;
  problems: readonly ProtocolProblem[];
  onGo: (problem: ProtocolProblem) => void;
}) {
  if (props.problems.length === 0) return null;
  return (
    <Alert data-tone={props.colour} title={props.title}>
      <Stack gap={6}>
        {props.problems.map((problem) => (
          <Text size="sm" key={`${problem.pointer}-${problem.code}-${problem.message}`}>
            {problem.line !== null && (
              <>
                <Anchor component="button" type="button" size="sm" onClick={() => props.onGo(problem)}>
                  {text.line(problem.line)}
                </Anchor>{" "}
              </>
            )}
            {problem.message}
          </Text>
        ))}
      </Stack>
    </Alert>
  );
}

function Editor(props: { trial: Trial; loaded: TaggedProtocol; schema: JsonSchema }) {
  const { trial, loaded, schema } = props;
  const { draft, save, checkError, setMode, changeText, changeField, reset, form } = useDraft(trial.id, loaded);
  const [amending, setAmending] = useState(false);
  const [reviewing, setReviewing] = useState(false);
  const client = useQueryClient();
  const area = useRef<HTMLTextAreaElement>(null);
  useTellUnsaved(draft.dirty);
  useBlocker({
    shouldBlockFn: () => draft.dirty && !window.confirm(text.leave),
    enableBeforeUnload: () => draft.dirty,
  });
  const mayAmend = trial.open_to.includes("amend") && trial.permissions.includes("trial:lock");
  const isDraft = !loaded.protocol.locked && trial.permissions.includes("protocol:edit");
  const readOnly = !isDraft && !amending;
  const stop = (): void => {
    setAmending(false);
    reset();
  };
  const amended = (made: TaggedProtocol): void => {
    client.setQueryData(protocolQuery(trial.id).queryKey, made);
    void client.invalidateQueries({ queryKey: ["trial", trial.id] });
  };
  const go = (problem: ProtocolProblem): void => {
    setMode("text");
    setTimeout(() => {
      if (area.current && problem.line !== null) goToLine(area.current, problem.line);
    });
  };
  const open = (words: string): void => {
    setMode("text");
    changeText(words);
  };
  const stale = save.error instanceof ApiError && save.error.code === "version_conflict";
  const lines = new Set(
    [...draft.problems, ...draft.lockProblems].flatMap((each) => (each.line === null ? [] : [each.line])),
  );
  return (
    <>
      {loaded.protocol.locked && <Alert mb="md">{text.locked(loaded.protocol.version)}</Alert>}
      {stale ? (
        <Alert data-tone="bad" mb="md">
          {text.stale}
        </Alert>
      ) : (
        <Problem error={save.error ?? checkError} />
      )}
      <Group justify="space-between" mb="xs" className="eq-editor-bar">
        <SegmentedControl
          value={draft.mode}
          onChange={(mode) => setMode(mode as Mode)}
          data={[
            { value: "form", label: text.form },
            { value: "text", label: text.text },
          ]}
        />
        {isDraft && (
          <Group>
            <Text size="sm" c="dimmed" role="status">
              {draft.dirty ? text.dirty : text.saved}
            </Text>
            <FileButton accept=".yaml,.yml" onChange={(file) => void file?.text().then(open)}>
              {(button) => (
                <Button variant="default" {...button}>
                  {text.openFile}
                </Button>
              )}
            </FileButton>
            <Button disabled={!draft.dirty} loading={save.isPending} onClick={() => save.mutate()}>
              {admin.common.save}
            </Button>
          </Group>
        )}
        {mayAmend && !amending && (
          <Button variant="default" onClick={() => setAmending(true)}>
            {text.amend}
          </Button>
        )}
        {amending && (
          <Group>
            <Button variant="default" onClick={stop}>
              {admin.common.cancel}
            </Button>
            <Button disabled={!draft.dirty} onClick={() => setReviewing(true)}>
              {text.amendReview}
            </Button>
          </Group>
        )}
      </Group>
      <div className="eq-split">
        <div>
          {draft.mode === "text" && (
            <TextEditor value={draft.text} readOnly={readOnly} problemLines={lines} area={area} onChange={changeText} />
          )}
          {draft.mode === "form" && draft.document && (
            <SchemaForm
              schema={schema}
              document={draft.document}
              problems={[...draft.problems, ...draft.lockProblems]}
              readOnly={readOnly}
              onChange={changeField}
            />
          )}
          {draft.mode === "form" && !draft.document && <Alert data-tone="warn">{text.broken}</Alert>}
        </div>
        <Stack className="eq-side">
          <ProblemList title={text.problems(draft.problems.length)} colour="bad" problems={draft.problems} onGo={go} />
          <ProblemList
            title={text.lockProblems(draft.lockProblems.length)}
            colour="warn"
            problems={draft.lockProblems}
            onGo={go}
          />
          {draft.problems.length === 0 && draft.lockProblems.length === 0 && (
            <Alert data-tone="good">{text.ready}</Alert>
          )}
          <Versions trial={trial} versions={loaded.protocol.versions} />
          {loaded.protocol.locked && !trial.imported && (
            <SignaturesPanel trial={trial} meanings={["protocol_approved"]} />
          )}
        </Stack>
      </div>
      {reviewing && (
        <AmendmentDialog
          trialId={trial.id}
          form={form}
          etag={loaded.etag}
          onDone={amended}
          onClose={() => setReviewing(false)}
        />
      )}
    </>
  );
}

export default function ProtocolSection({ trial }: { trial: Trial }) {
  const protocol = useQuery(protocolQuery(trial.id));
  const schema = useQuery(protocolSchemaQuery);
  return (
    <Loaded query={schema}>
      {(shape) => (
        <Loaded query={protocol}>
          {(loaded) => <Editor key={loaded.protocol.version} trial={trial} loaded={loaded} schema={shape} />}
        </Loaded>
      )}
    </Loaded>
  );
}
