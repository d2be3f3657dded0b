import { Alert, Anchor, Button, Group, SegmentedControl, Stack, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useBlocker } from "@tanstack/react-router";
import { useRef } from "react";
import { ApiError } from "@/api/errors";
import type { ProtocolProblem, Trial } from "@/api/types";
import { admin } from "@/lib/messages-admin";
import { dateTime } from "@/timing/formats";
import { protocolQuery, protocolSchemaQuery, type TaggedProtocol } from "../api";
import { Loaded, Problem } from "../shell/problem";
import type { JsonSchema } from "./schema";
import { SchemaForm } from "./schema-form";
import { goToLine, TextEditor } from "./text-editor";
import { type Mode, useDraft } from "./use-draft";

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

function Versions({ loaded }: { loaded: TaggedProtocol }) {
  const { versions } = loaded.protocol;
  return (
    <div>
      <Text fw={600} mb={4}>
        {text.versions}
      </Text>
      {versions.map((version) => (
        <Text size="sm" key={version.version} mb={6}>
          {admin.overview.version(version.version)} ·{" "}
          {version.locked_at ? dateTime(version.locked_at) : admin.overview.notLocked}
          {version.reason && ` · ${version.reason}`}
          {version.sha256 && (
            <>
              <br />
              <span className="eq-hash eq-dim">
                {text.hash} {version.sha256}
              </span>
            </>
          )}
        </Text>
      ))}
    </div>
  );
}

function Editor(props: { trial: Trial; loaded: TaggedProtocol; schema: JsonSchema }) {
  const { trial, loaded, schema } = props;
  const { draft, save, checkError, setMode, changeText, changeField } = useDraft(trial.id, loaded);
  const area = useRef<HTMLTextAreaElement>(null);
  useBlocker({
    shouldBlockFn: () => draft.dirty && !window.confirm(text.leave),
    enableBeforeUnload: () => draft.dirty,
  });
  const readOnly = loaded.protocol.locked || !trial.permissions.includes("protocol:edit");
  const go = (problem: ProtocolProblem): void => {
    setMode("text");
    setTimeout(() => {
      if (area.current && problem.line !== null) goToLine(area.current, problem.line);
    });
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
        {!readOnly && (
          <Group>
            <Text size="sm" c="dimmed" role="status">
              {draft.dirty ? text.dirty : text.saved}
            </Text>
            <Button disabled={!draft.dirty} loading={save.isPending} onClick={() => save.mutate()}>
              {admin.common.save}
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
          <Versions loaded={loaded} />
        </Stack>
      </div>
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
