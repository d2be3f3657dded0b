/** Pages that stand where the images are, with the images taken away. */
import { type ReactNode, useState } from "react";
import { errorText } from "@/api/errors";
import { messages } from "@/lib/messages";
import type { ReadingController } from "../controller";
import { taskTakes } from "../keyboard";
import css from "../reading.module.css";
import { frameTotal, type ReadingState } from "../state";

const text = messages.reading;

function Cover({ title, children }: { title: string; children: ReactNode }) {
  return (
    <section className={css.cover} aria-label={title}>
      <div className={css.coverBox}>
        <h2>{title}</h2>
        {children}
      </div>
    </section>
  );
}

function KeyList({ rows }: { rows: readonly { keys: string; does: string }[] }) {
  return (
    <dl className={css.helpList}>
      {rows.map((row) => (
        <div key={row.keys} style={{ display: "contents" }}>
          <dt>{row.keys}</dt>
          <dd>{row.does}</dd>
        </div>
      ))}
    </dl>
  );
}

export function HelpCover({ state, controller }: { state: ReadingState; controller: ReadingController }) {
  return (
    <Cover title={text.helpTitle}>
      <div className={css.helpColumns}>
        <div>
          <h3>{text.helpKeys}</h3>
          <KeyList
            rows={[...(state.task?.help ?? []), ...messages.keys.filter(({ keys }) => !taskTakes(state, keys))]}
          />
        </div>
        <div>
          <h3>{text.helpMouse}</h3>
          <KeyList rows={state.task?.mouse ?? messages.mouse} />
        </div>
      </div>
      <div className={`eq-row ${css.noPrint}`}>
        <button
          type="button"
          className="eq-button"
          data-kind="primary"
          onClick={(event) => controller.command({ type: "help" }, event.nativeEvent)}
        >
          {text.close} <span>Esc</span>
        </button>
        <button type="button" className="eq-button" onClick={() => window.print()}>
          {text.print}
        </button>
      </div>
    </Cover>
  );
}

export function BreakCover({ state, controller }: { state: ReadingState; controller: ReadingController }) {
  return (
    <Cover title={text.pausedTitle}>
      <p>{text.pausedText}</p>
      <p className="eq-dim">{state.presentation?.leave_note}</p>
      <button
        type="button"
        className="eq-button"
        data-kind="primary"
        // biome-ignore lint/a11y/noAutofocus: the page has just been covered; Enter must bring the images back
        autoFocus
        onClick={(event) => void controller.endBreak(event.nativeEvent)}
      >
        {text.resume}
      </button>
    </Cover>
  );
}

export function TakenOverCover({ controller }: { controller: ReadingController }) {
  return (
    <Cover title={text.takenOverTitle}>
      <p>{text.takenOverText}</p>
      <button
        type="button"
        className="eq-button"
        data-kind="primary"
        onClick={() => void controller.start({ steal: true })}
      >
        {text.takeBack}
      </button>
    </Cover>
  );
}

export function FailedCover({ state, controller }: { state: ReadingState; controller: ReadingController }) {
  return (
    <Cover title={text.failedTitle}>
      <p role="alert">{state.message}</p>
      <button type="button" className="eq-button" data-kind="primary" onClick={() => controller.retry()}>
        {messages.common.tryAgain}
      </button>
    </Cover>
  );
}

/** The window is not as the protocol asks; nothing is to be clicked, it goes on when the window is right. */
export function UnfitCover({ state }: { state: ReadingState }) {
  return (
    <Cover title={text.unfitTitle}>
      <p role="alert">{state.message}</p>
      <p className="eq-dim">{text.unfitText}</p>
    </Cover>
  );
}

export function OpeningCover({ state }: { state: ReadingState }) {
  const count = state.presentation ? frameTotal(state.presentation) : 0;
  return (
    <section className={css.cover}>
      <p className={`eq-dim ${css.opening}`}>{count > 0 ? text.loading(state.framesLoaded, count) : text.opening}</p>
    </section>
  );
}

/** After the last reading of a block, where the protocol lets the reader correct the last answer. */
export function CorrectionCover(props: { state: ReadingState; controller: ReadingController; onGoOn: () => void }) {
  const { state, controller, onGoOn } = props;
  const [notice, setNotice] = useState("");
  const change = (value: unknown): void => {
    controller.amend(value).then(
      () => setNotice(text.changed),
      (error: unknown) => setNotice(errorText(error)),
    );
  };
  const Correction = state.task?.Correction;
  return (
    <Cover title={text.blockDone}>
      <p>{state.presentation?.question}</p>
      <p className="eq-dim">{text.changeLast}</p>
      {Correction && <Correction state={state} onChange={change} />}
      <p role="status" className="eq-dim">
        {notice}
      </p>
      <button
        type="button"
        className="eq-button"
        data-kind="primary"
        // biome-ignore lint/a11y/noAutofocus: Enter goes on, as between two cases
        autoFocus
        onClick={onGoOn}
      >
        {text.goOn}
      </button>
    </Cover>
  );
}
