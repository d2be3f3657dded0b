/** The test of the display before a session: look at the ramp, find six patches, go on. Keyboard alone is enough. */
import { useCallback, useEffect, useRef, useState } from "react";
import { errorText } from "@/api/errors";
import type { ReaderState } from "@/api/types";
import { messages } from "@/lib/messages";
import { sendDisplayCheck } from "./api";
import { type EnvironmentAccount, readingEnvironment } from "./environment";
import {
  answerOfKey,
  drawField,
  drawPatches,
  drawRamp,
  missed,
  type Patch,
  type PatchAnswer,
  QUARTERS,
} from "./grey-steps";
import css from "./grey-steps.module.css";
import { type EnvironmentRule, needsGreySteps } from "./minimum";

const text = messages.greySteps;
const RAMP_SIZE = [1080, 60] as const;
const FIELD_SIZE = [480, 360] as const;

interface Progress {
  readonly stage: "begin" | "fields" | "sending" | "failed";
  readonly patches: readonly Patch[];
  readonly answers: readonly PatchAnswer[];
}

const BEGIN: Progress = { stage: "begin", patches: [], answers: [] };

export interface GreyStepsScreenProps {
  readonly trial: string;
  readonly rule: EnvironmentRule;
  readonly onState: (state: ReaderState) => void;
}

function Ramp() {
  const ref = useRef<HTMLCanvasElement>(null);
  useEffect(() => {
    const context = ref.current?.getContext("2d");
    if (context) drawRamp(context, ...RAMP_SIZE);
  }, []);
  const [width, height] = RAMP_SIZE;
  return <canvas ref={ref} className={css.ramp} width={width} height={height} role="img" aria-label={text.ramp} />;
}

function Field({ patch }: { patch: Patch }) {
  const ref = useRef<HTMLCanvasElement>(null);
  const [width, height] = FIELD_SIZE;
  useEffect(() => {
    const context = ref.current?.getContext("2d");
    if (context) drawField(context, patch, ...FIELD_SIZE);
  }, [patch]);
  // No attribute of the page says where the patch is.
  return (
    <canvas
      ref={ref}
      className={css.field}
      width={width}
      height={height}
      role="img"
      aria-label={text.field[patch.field]}
    />
  );
}

function Asked({ progress, onAnswer }: { progress: Progress; onAnswer: (chosen: number | null) => void }) {
  const n = progress.answers.length;
  const patch = progress.patches[n];
  useEffect(() => {
    const pressed = (event: KeyboardEvent): void => {
      if (event.repeat || event.ctrlKey || event.metaKey || event.altKey) return;
      const chosen = answerOfKey(event.key);
      if (chosen !== undefined) onAnswer(chosen);
    };
    window.addEventListener("keydown", pressed);
    return () => window.removeEventListener("keydown", pressed);
  }, [onAnswer]);
  if (!patch) return null;
  return (
    <>
      <h2 aria-live="polite">
        {text.question[patch.field]} <span className="eq-dim">{text.nth(n + 1, progress.patches.length)}</span>
      </h2>
      <Field patch={patch} />
      <fieldset className={css.answers}>
        <legend className="eq-visually-hidden">{text.question[patch.field]}</legend>
        {QUARTERS.map((quarter) => (
          <button type="button" className="eq-button" key={quarter} onClick={() => onAnswer(quarter)}>
            {text.quarters[quarter]} <kbd>{quarter}</kbd>
          </button>
        ))}
        <button type="button" className="eq-button" data-kind="quiet" onClick={() => onAnswer(null)}>
          {text.none} <kbd>0</kbd>
        </button>
      </fieldset>
    </>
  );
}

function Failed(props: { progress: Progress; blocks: boolean; onAgain: () => void; onGoOn: () => void }) {
  const { answers } = props.progress;
  const lost = (["dark", "bright"] as const).filter((field) => missed(answers, field) > 0);
  return (
    <>
      <h2>{text.failedTitle}</h2>
      <div role="alert" className={`eq-note ${css.note}`} data-kind={props.blocks ? "bad" : "warn"}>
        {lost.map((field) => (
          <p key={field}>{text.lost[field](missed(answers, field), answers.length / 2)}</p>
        ))}
        <p>{text.remedy}</p>
        <p>{props.blocks ? text.blocked : text.warned}</p>
      </div>
      <div className="eq-row">
        {/* biome-ignore lint/a11y/noAutofocus: what is to be done next; Enter begins again */}
        <button type="button" className="eq-button" data-kind="primary" autoFocus onClick={props.onAgain}>
          {text.again}
        </button>
        {!props.blocks && (
          <button type="button" className="eq-button" onClick={props.onGoOn}>
            {text.goOn}
          </button>
        )}
      </div>
    </>
  );
}

export default function GreyStepsScreen({ trial, rule, onState }: GreyStepsScreenProps) {
  const [progress, setProgress] = useState<Progress>(BEGIN);
  const [problem, setProblem] = useState("");
  const kept = useRef<ReaderState | null>(null);
  const send = useCallback(
    async (answers: readonly PatchAnswer[] | null) => {
      const account: EnvironmentAccount = readingEnvironment();
      setProblem("");
      try {
        const state = await sendDisplayCheck(trial, account, answers);
        const allFound = answers === null || (missed(answers, "dark") === 0 && missed(answers, "bright") === 0);
        kept.current = state;
        // Failed and yet fit, as the protocol warns only: the reader is told before going on.
        if (allFound && !needsGreySteps(account.display, state.environment)) onState(state);
        else setProgress({ stage: "failed", patches: [], answers: answers ?? [] });
      } catch (error) {
        setProblem(errorText(error));
        setProgress(BEGIN);
      }
    },
    [trial, onState],
  );
  const answer = useCallback(
    (chosen: number | null) =>
      setProgress((now) => {
        const patch = now.patches[now.answers.length];
        if (now.stage !== "fields" || !patch) return now;
        const answers = [...now.answers, { ...patch, chosen }];
        return { ...now, answers, stage: answers.length === now.patches.length ? "sending" : "fields" };
      }),
    [],
  );
  const { stage, answers } = progress;
  useEffect(() => {
    if (stage === "sending") void send(answers);
  }, [stage, answers, send]);
  const begin = (): void => setProgress({ stage: "fields", patches: drawPatches(), answers: [] });
  const blocks = rule.grey_steps_failing === "block";
  return (
    <>
      <h1>{text.title}</h1>
      {problem && (
        <p className="eq-error" role="alert">
          {problem}
        </p>
      )}
      <Ramp />
      {stage === "begin" && (
        <>
          <p>{text.rampText}</p>
          <p>{text.introduction}</p>
          <p className="eq-dim">{rule.grey_steps === "required" ? text.required : text.offered}</p>
          <div className="eq-row">
            {/* biome-ignore lint/a11y/noAutofocus: the one thing to do here; Enter begins */}
            <button type="button" className="eq-button" data-kind="primary" autoFocus onClick={begin}>
              {text.begin}
            </button>
            {rule.grey_steps === "offered" && (
              <button type="button" className="eq-button" data-kind="quiet" onClick={() => void send(null)}>
                {text.skip}
              </button>
            )}
          </div>
        </>
      )}
      {stage === "fields" && <Asked progress={progress} onAnswer={answer} />}
      {stage === "failed" && (
        <Failed
          progress={progress}
          blocks={blocks}
          onAgain={begin}
          onGoOn={() => kept.current !== null && onState(kept.current)}
        />
      )}
    </>
  );
}
