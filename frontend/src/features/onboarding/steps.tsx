/** Consent, questionnaire, instructions, break, closing questions, end. */
import { lazy, Suspense, useState } from "react";
import { errorText } from "@/api/errors";
import type { OnReturn, Question, ReaderState } from "@/api/types";
import { ActionForm } from "@/components/action-form";
import { Loading } from "@/components/page";
import { messages } from "@/lib/messages";
import { dateTime } from "@/timing/formats";
import { sendClosing, sendConsent, sendInstructionsRead, sendQuestionnaire, sendResume } from "./api";
import { type Answers, QuestionList, unanswered } from "./questions";

const Prose = lazy(() => import("./prose"));
const text = messages.onboarding;

export interface StepProps {
  readonly state: ReaderState;
  readonly onState: (state: ReaderState) => void;
}

function Markdown({ source }: { source: string }) {
  return (
    <Suspense fallback={<Loading />}>
      <Prose source={source} />
    </Suspense>
  );
}

function ConsentStep({ state, onState }: StepProps) {
  const [agreed, setAgreed] = useState(false);
  const [declined, setDeclined] = useState(false);
  const { consent } = state;
  if (!consent) return null;
  const decline = (): void => {
    sendConsent(state.trial, consent.version, false).then(
      () => setDeclined(true),
      () => setDeclined(true),
    );
  };
  return (
    <>
      <h1>{text.consentTitle}</h1>
      <p className="eq-dim">{text.consentVersion(consent.version)}</p>
      <div className="eq-panel">
        <Markdown source={consent.text} />
      </div>
      <br />
      {declined && <p className="eq-note">{text.consentDeclined}</p>}
      <ActionForm
        action={text.send}
        disabled={!agreed}
        onSubmit={async () => onState(await sendConsent(state.trial, consent.version, true))}
        secondary={
          <button type="button" className="eq-button" data-kind="quiet" onClick={decline}>
            {text.consentDecline}
          </button>
        }
      >
        <label className="eq-choice">
          <input type="checkbox" checked={agreed} onChange={(event) => setAgreed(event.currentTarget.checked)} />
          {text.consentAgree}
        </label>
      </ActionForm>
    </>
  );
}

function Questions(props: {
  title: string;
  introduction?: string | null | undefined;
  questions: readonly Question[];
  send: (answers: Answers) => Promise<void>;
}) {
  const [answers, setAnswers] = useState<Answers>({});
  const [tried, setTried] = useState(false);
  const missing = unanswered(props.questions, answers);
  return (
    <>
      <h1>{props.title}</h1>
      {props.introduction && <p>{props.introduction}</p>}
      <ActionForm
        action={text.send}
        onSubmit={async () => {
          setTried(true);
          if (missing.length === 0) await props.send(answers);
        }}
      >
        <QuestionList
          questions={props.questions}
          answers={answers}
          missing={tried ? missing : []}
          onChange={setAnswers}
        />
      </ActionForm>
    </>
  );
}

/** The one closing question as a form of its own. */
function closingQuestions(state: ReaderState): Question[] {
  const label = state.closing?.question;
  if (!label) return [];
  return [
    {
      key: "general",
      kind: "text",
      label,
      help: null,
      required: false,
      options: [],
      minimum: null,
      maximum: null,
      unit: null,
      max_length: 2000,
    },
  ];
}

function InstructionsStep({ state, onState }: StepProps) {
  return (
    <>
      <h1>{text.instructionsTitle}</h1>
      <Markdown source={state.instructions?.text ?? ""} />
      {state.instructions?.disclosure && <p className="eq-note">{state.instructions.disclosure}</p>}
      <ActionForm action={text.startPractice} onSubmit={async () => onState(await sendInstructionsRead(state.trial))}>
        {null}
      </ActionForm>
    </>
  );
}

function BreakStep({ state, onState }: StepProps) {
  const [problem, setProblem] = useState("");
  const resume = (): void => {
    sendResume(state.trial).then(onState, (error: unknown) => setProblem(errorText(error)));
  };
  return (
    <>
      <h1>{messages.steps.breakTitle}</h1>
      <p>{state.break_text ?? messages.steps.breakText}</p>
      {state.leave_note && <p>{state.leave_note}</p>}
      <p className="eq-dim">{messages.reading.ofTotal(Math.max(0, state.n - 1), state.total)}</p>
      {problem && (
        <p className="eq-error" role="alert">
          {problem}
        </p>
      )}
      {/* biome-ignore lint/a11y/noAutofocus: the one thing to do here; Enter goes on reading */}
      <button type="button" className="eq-button" data-kind="primary" autoFocus onClick={resume}>
        {messages.steps.breakEnd}
      </button>
    </>
  );
}

/** Before the open reading comes back: what happens to it, now that its reader was away. */
export function ReturnPage({ back, onContinue }: { back: OnReturn; onContinue: () => void }) {
  const { title, action } = messages.onReturn[back.what];
  return (
    <>
      <h1>{title}</h1>
      <p>{back.message}</p>
      <p className="eq-dim">{messages.onReturn.lastSeen(dateTime(back.left_at))}</p>
      {/* biome-ignore lint/a11y/noAutofocus: the one thing to do here; Enter goes on reading */}
      <button type="button" className="eq-button" data-kind="primary" autoFocus onClick={onContinue}>
        {action}
      </button>
    </>
  );
}

function Standstill(props: { title: string; message: string }) {
  return (
    <>
      <h1>{props.title}</h1>
      <p>{props.message}</p>
      <a className="eq-button" href="/">
        {messages.steps.toInbox}
      </a>
    </>
  );
}

/** Why the reader waits, and from when the next part can be read, in the reader's own time zone. */
function waitingMessage(state: ReaderState): string {
  const why = state.message ?? messages.steps.waitingText;
  if (!state.opens_at) return why;
  return `${why} ${messages.steps.waitingAgain(dateTime(state.opens_at))}`;
}

/** What there is to do before the first reading, in its order. */
const PREPARATION: readonly ReaderState["step"][] = ["consent", "questionnaire", "instructions"];

/** How far the reader is before the first reading, and what follows. */
function Ahead({ state }: { state: ReaderState }) {
  const place = PREPARATION.indexOf(state.step);
  if (place < 0) return null;
  const minutes = state.seconds_left_estimate === null ? null : Math.ceil(state.seconds_left_estimate / 60);
  return <p className="eq-dim">{text.ahead(place + 1, PREPARATION.length, state.total, minutes)}</p>;
}

/** The page of any step but reading itself. */
export function StepPage(props: StepProps) {
  return (
    <>
      <Ahead state={props.state} />
      <StepBody {...props} />
    </>
  );
}

function StepBody({ state, onState }: StepProps) {
  const { trial } = state;
  switch (state.step) {
    case "consent":
      return <ConsentStep state={state} onState={onState} />;
    case "questionnaire":
      return (
        <Questions
          key="questionnaire"
          title={text.questionnaireTitle}
          introduction={state.questionnaire?.introduction}
          questions={state.questionnaire?.questions ?? []}
          send={async (answers) => onState(await sendQuestionnaire(trial, answers))}
        />
      );
    case "closing":
      return (
        <Questions
          key="closing"
          title={state.closing?.question ? text.closingTitle : text.lastRead}
          questions={closingQuestions(state)}
          send={async (answers) => onState(await sendClosing(trial, answers))}
        />
      );
    case "instructions":
      return <InstructionsStep state={state} onState={onState} />;
    case "break":
      return <BreakStep state={state} onState={onState} />;
    case "done":
      return <Standstill title={messages.steps.doneTitle} message={state.message ?? messages.steps.doneText} />;
    case "closed":
      return <Standstill title={messages.steps.closedTitle} message={state.message ?? messages.steps.closedText} />;
    case "waiting":
      return <Standstill title={messages.steps.waitingTitle} message={waitingMessage(state)} />;
    case "practice-failed":
      return (
        <Standstill
          title={messages.steps.practiceFailedTitle}
          message={state.message ?? messages.steps.practiceFailedText}
        />
      );
    default:
      return <Standstill title={messages.steps.pausedTitle} message={state.message ?? messages.steps.pausedText} />;
  }
}
