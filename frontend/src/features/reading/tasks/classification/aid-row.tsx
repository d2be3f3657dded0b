/**
 * Where the aid stands: the same place and height in every reading of a trial that has one, empty where the reading is
 * unaided, so that nothing jumps. The model's name is shown nowhere.
 */
import type { Presentation } from "@/api/types";
import { messages } from "@/lib/messages";
import { heatGradient } from "@/viewer/heat-colours";
import shared from "../../reading.module.css";
import { canAnswer } from "../../state";
import { setupOf, type TaskScreenProps } from "../task";
import css from "./classification.module.css";
import type { ClassificationAction, ClassificationValue } from "./value";

const text = messages.classification;
const PERCENT = 100;

/** The committed answer of a sequential pair, in words. */
function firstAnswerText({ state }: TaskScreenProps): string | null {
  const { presentation } = state;
  const first = presentation?.first_answer;
  if (!presentation || !first) return null;
  if (first.reason_code) return text.firstCannotAssess;
  const { decision, rating } = setupOf(presentation, "classification");
  const label = decision?.options.find((option) => option.value === first.decision)?.label;
  const rated = typeof first.rating !== "number" ? null : rating?.points[first.rating - 1];
  const number = rating?.scale === "slider" ? String(first.rating) : rated;
  return text.firstAnswer([label, number].filter(Boolean).join(", "));
}

function Gauge({ probability }: { probability: number }) {
  const percent = Math.round(probability * PERCENT);
  return (
    <span className={css.gauge}>
      <span className="eq-dim">{text.probability}</span>
      {/* biome-ignore lint/a11y/useSemanticElements: browsers draw a meter of their own, each another one */}
      <span
        className={css.gaugeTrack}
        role="meter"
        aria-label={text.probability}
        aria-valuemin={0}
        aria-valuemax={PERCENT}
        aria-valuenow={percent}
      >
        <span className={css.gaugeFill} style={{ width: `${percent}%` }} />
      </span>
      <strong className={css.number}>{percent} %</strong>
    </span>
  );
}

function Overlay({ state, controller }: TaskScreenProps) {
  const { overlay, opacity } = state.value as ClassificationValue;
  const disabled = !canAnswer(state);
  const act = (action: ClassificationAction, event: Event): void => controller.task(action, event);
  return (
    <span className={css.overlay}>
      <span className="eq-dim">{text.heatMap}</span>
      <span className={css.legend}>
        <span>0</span>
        <span
          className={css.legendBar}
          style={{ backgroundImage: heatGradient() }}
          role="img"
          aria-label={text.legend}
        />
        <span>1</span>
      </span>
      <button
        type="button"
        className={shared.tool}
        aria-pressed={overlay}
        disabled={disabled}
        onClick={(event) => {
          event.currentTarget.blur();
          act({ type: "overlay", on: !overlay }, event.nativeEvent);
        }}
      >
        {text.overlay} <span className={shared.key}>O</span>
      </button>
      <label className={css.opacity}>
        <span className="eq-dim">{text.opacity}</span>
        <input
          type="range"
          min={0}
          max={10}
          value={Math.round(opacity * 10)}
          disabled={disabled}
          aria-label={text.opacity}
          onChange={(event) =>
            act({ type: "opacity", opacity: Number(event.currentTarget.value) / 10 }, event.nativeEvent)
          }
          onPointerUp={(event) => event.currentTarget.blur()}
        />
        <span className={shared.key}>[ ]</span>
      </label>
    </span>
  );
}

/** Whether the trial has an aid in any condition, or pairs whose first answer stands above the second. */
export function hasAidRow(presentation: Presentation): boolean {
  return presentation.has_aid || presentation.stage !== 0;
}

export function AidRow(props: TaskScreenProps) {
  const { presentation } = props.state;
  if (!presentation || !hasAidRow(presentation)) return null;
  const { aid } = presentation;
  return (
    <div className={shared.row} data-testid="aid">
      <span className={css.first}>{firstAnswerText(props)}</span>
      <span className={shared.grow} />
      {aid && !aid.available && <span className={shared.notice}>{text.notAvailable}</span>}
      {aid?.available && typeof aid.probability === "number" && <Gauge probability={aid.probability} />}
      {aid?.heat_map && <Overlay {...props} />}
    </div>
  );
}
