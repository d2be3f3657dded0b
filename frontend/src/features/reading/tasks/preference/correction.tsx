import css from "../../reading.module.css";
import { type CorrectionProps, setupOf } from "../task";
import type { PreferenceValue } from "./value";

export function PreferenceCorrection({ state, onChange }: CorrectionProps) {
  const { presentation } = state;
  if (!presentation) return null;
  const { choice } = state.value as PreferenceValue;
  return (
    <div className="eq-row">
      {setupOf(presentation, "preference").options.map((option) => (
        <button
          type="button"
          key={option.value}
          className={css.answer}
          aria-pressed={choice === option.value}
          disabled={choice === option.value}
          onClick={() => onChange({ choice: option.value } satisfies PreferenceValue)}
        >
          {option.label}
        </button>
      ))}
    </div>
  );
}
