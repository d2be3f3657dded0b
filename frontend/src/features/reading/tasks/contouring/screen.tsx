import { contouringMessages as text } from "@/lib/messages-contouring";
import { AnswerRow } from "../../components/answer-row";
import { SecondRow } from "../../components/second-row";
import { WindowRow } from "../../components/window-row";
import css from "../../drawing/drawing.module.css";
import type { Drawn } from "../../drawing/progress";
import { asksGaps, Gaps, Hand, useWork } from "../../drawing/work";
import frame from "../../reading.module.css";
import { canAnswer } from "../../state";
import { setupOf, type TaskScreenProps } from "../task";

export function ContouringScreen(props: TaskScreenProps) {
  const { state, controller } = props;
  const { presentation } = state;
  const value = state.value as Drawn | null;
  const setup = presentation && setupOf(presentation, "contouring");
  const { images, viewer } = useWork(props, setup, { mayDraw: true });
  return (
    <>
      {images}
      <footer className={frame.bottom} data-low="true">
        <AnswerRow state={state} controller={controller} confirmLabel={text.finish}>
          {value && setup && (
            <div className={css.hand}>
              <Hand desk={value.desk} setup={setup} disabled={!canAnswer(state)} mayDraw />
            </div>
          )}
        </AnswerRow>
        <SecondRow state={state} controller={controller}>
          {asksGaps(value) ? (
            <Gaps state={state} controller={controller} />
          ) : (
            <WindowRow state={state} controller={controller} viewer={viewer} />
          )}
        </SecondRow>
      </footer>
    </>
  );
}
