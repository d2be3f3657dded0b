/** What takes the place of the window controls for a moment: reasons, comment, sign-in, notices. Never over an image. */
import { type FormEvent, useEffect, useRef, useState } from "react";
import { errorText, needsSignIn } from "@/api/errors";
import { showPasskey, showSecondFactor } from "@/api/session";
import type { Session } from "@/api/types";
import { messages } from "@/lib/messages";
import type { ReadingController } from "../controller";
import css from "../reading.module.css";
import type { ReadingState } from "../state";

const text = messages.reading;

interface DrawerProps {
  readonly state: ReadingState;
  readonly controller: ReadingController;
}

export function ReasonsDrawer({ state, controller }: DrawerProps) {
  return (
    // biome-ignore lint/a11y/useSemanticElements: a fieldset cannot be laid out in this row
    <div className={css.row} role="group" aria-label={text.whyNot}>
      <span className="eq-dim">{text.whyNot}</span>
      {state.presentation?.cannot_assess.map((reason, index) => (
        <button
          type="button"
          key={reason.code}
          className={css.tool}
          aria-pressed={state.reasonCode === reason.code}
          onClick={(event) => controller.cannotAssess(reason.code, event.nativeEvent)}
        >
          {reason.label} <span className={css.key}>{index + 1}</span>
        </button>
      ))}
      <span className={css.grow} />
      <button
        type="button"
        className={css.tool}
        onClick={(event) => controller.command({ type: "close_drawer" }, event.nativeEvent)}
      >
        {text.cancel} <span className={css.key}>Esc</span>
      </button>
    </div>
  );
}

const COMMENT_MAX_CHARACTERS = 2000;

export function CommentDrawer({ state, controller }: DrawerProps) {
  const field = useRef<HTMLTextAreaElement>(null);
  useEffect(() => field.current?.focus(), []);
  return (
    <div className={css.row}>
      <label className="eq-dim" htmlFor="comment">
        {text.commentLabel}
      </label>
      <textarea
        id="comment"
        ref={field}
        className={css.commentBox}
        rows={1}
        maxLength={COMMENT_MAX_CHARACTERS}
        value={state.comment}
        onFocus={(event) => controller.act({ type: "focus_comment" }, event.nativeEvent)}
        onBlur={(event) => controller.act({ type: "blur_comment" }, event.nativeEvent)}
        onChange={(event) => controller.act({ type: "write_comment", comment: event.currentTarget.value })}
        onKeyDown={(event) => {
          if (event.key !== "Enter" && event.key !== "Escape") return;
          event.preventDefault();
          event.currentTarget.blur();
        }}
      />
      <span className="eq-dim eq-small">{text.commentHint}</span>
    </div>
  );
}

export function SignInDrawer({ state, controller }: DrawerProps) {
  const [password, setPassword] = useState("");
  const [problem, setProblem] = useState("");
  const [awaits, setAwaits] = useState<Session["awaits"]>([]);
  const notice = state.save === "other-account" ? text.otherAccount(state.message) : text.signInToSend;
  const send = (event: FormEvent): void => {
    event.preventDefault();
    setProblem("");
    controller.signIn(password).then(setAwaits, (error: unknown) => setProblem(errorText(error)));
    setPassword("");
  };
  if (awaits.length > 0) {
    return <SecondStepDrawer controller={controller} awaits={awaits} onTooLate={() => setAwaits([])} />;
  }
  return (
    <form className={css.row} onSubmit={send}>
      <span className={css.notice} role="alert">
        {problem || notice}
      </span>
      <input
        type="password"
        className={css.password}
        aria-label={messages.session.password}
        autoComplete="current-password"
        value={password}
        onChange={(event) => setPassword(event.currentTarget.value)}
      />
      <button type="submit" className={css.tool} disabled={password === ""}>
        {text.signIn}
      </button>
    </form>
  );
}

const APP_CODE = /^[\d\s]+$/;

/** The second factor, in one row: a code of either kind, or a key. */
function SecondStepDrawer(props: { controller: ReadingController; awaits: Session["awaits"]; onTooLate: () => void }) {
  const { controller, awaits, onTooLate } = props;
  const [code, setCode] = useState("");
  const [problem, setProblem] = useState("");
  const show = (showing: Promise<Session>): void => {
    setProblem("");
    showing
      .then((session) => controller.signedIn(session))
      .catch((error: unknown) => {
        if (needsSignIn(error)) onTooLate();
        else setProblem(errorText(error));
      });
  };
  const send = (event: FormEvent): void => {
    event.preventDefault();
    show(showSecondFactor(APP_CODE.test(code) ? "totp" : "recovery_code", code));
    setCode("");
  };
  return (
    <form className={css.row} onSubmit={send}>
      <span className={css.notice} role="alert">
        {problem || text.secondStep}
      </span>
      <input
        className={css.password}
        aria-label={text.anyCode}
        placeholder={text.anyCode}
        autoComplete="one-time-code"
        // biome-ignore lint/a11y/noAutofocus: the row has just changed under the reader's hands
        autoFocus
        value={code}
        onChange={(event) => setCode(event.currentTarget.value)}
      />
      <button type="submit" className={css.tool} disabled={code.trim() === ""}>
        {text.signIn}
      </button>
      {awaits.includes("passkey") && (
        <button type="button" className={css.tool} onClick={() => show(showPasskey())}>
          {messages.session.useKey}
        </button>
      )}
    </form>
  );
}

/** Practice only: how the answer stands to the reference standard. The images stay where they are. */
export function FeedbackDrawer({ state, controller }: DrawerProps) {
  const { feedback } = state;
  const verdict = feedback?.correct === true ? text.right : feedback?.correct === false ? text.wrong : "";
  return (
    <div className={css.row}>
      <span className={css.feedback} role="status" data-correct={feedback?.correct}>
        <strong>{verdict}</strong> {feedback?.text}
      </span>
      <span className={css.grow} />
      <button
        type="button"
        className={css.confirm}
        // biome-ignore lint/a11y/noAutofocus: Enter goes on, as between two cases
        autoFocus
        onClick={() => controller.endFeedback()}
      >
        {text.goOn} <span className={css.key}>Enter</span>
      </button>
    </div>
  );
}

export function NoticeDrawer({ notice, onRetry }: { notice: string; onRetry?: () => void }) {
  return (
    <div className={css.row}>
      <span className={css.notice} role="alert" title={notice}>
        {notice}
      </span>
      {onRetry && (
        <button type="button" className={css.tool} onClick={onRetry}>
          {messages.common.tryAgain}
        </button>
      )}
    </div>
  );
}
