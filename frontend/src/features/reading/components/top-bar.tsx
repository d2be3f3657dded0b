import { messages } from "@/lib/messages";
import { timeLeft } from "@/timing/formats";
import type { ReadingController } from "../controller";
import { taskTakes } from "../keyboard";
import css from "../reading.module.css";
import { canAnswer, type ReadingState, type SaveState } from "../state";

const text = messages.reading;

const saveTexts: Readonly<Record<SaveState, string>> = {
  saved: text.saved,
  saving: text.saving,
  waiting: text.waiting,
  "sign-in": text.signedOut,
  "other-account": text.signedOut,
  refused: text.notTaken,
};

const phaseLabels: Readonly<Record<string, string>> = { practice: text.practice, "blinding-check": text.blindingCheck };

export function TopBar(props: { title: string; state: ReadingState; controller: ReadingController }) {
  const { title, state, controller } = props;
  const { presentation } = state;
  const phase = presentation ? phaseLabels[presentation.phase] : undefined;
  const seconds = presentation?.seconds_left_estimate ?? null;
  return (
    <header className={css.top}>
      <strong className={css.brand}>{messages.product}</strong>
      <h1 className={`${css.title} eq-small`} style={{ margin: 0, fontWeight: 400 }}>
        {title}
      </h1>
      {phase && <span className={css.phase}>{phase}</span>}
      {presentation?.condition && <span className={css.phase}>{presentation.condition}</span>}
      <span className={css.grow} />
      {presentation && <span>{text.ofTotal(presentation.n, presentation.total)}</span>}
      {seconds !== null && <span className="eq-dim">{timeLeft(seconds)}</span>}
      <span className={css.grow} />
      <output className={css.save}>
        <span className={css.dot} data-save={state.save} aria-hidden="true" />
        {saveTexts[state.save]}
      </output>
      <button
        type="button"
        className={css.tool}
        data-suggested={state.breakSuggested}
        disabled={!canAnswer(state)}
        onClick={(event) => controller.command({ type: "break" }, event.nativeEvent)}
      >
        {state.breakSuggested ? text.breakSuggested : text.break}{" "}
        {!taskTakes(state, text.breakKey) && <span className={css.key}>{text.breakKey}</span>}
      </button>
      <button
        type="button"
        className={css.tool}
        aria-label={text.help}
        disabled={state.stage !== "reading"}
        onClick={(event) => controller.command({ type: "help" }, event.nativeEvent)}
      >
        ?
      </button>
    </header>
  );
}
