/** The suspicion of disease: a slider that has no position until it is given one, or the points of a scale. */
import { type KeyboardEvent, type PointerEvent, useRef } from "react";
import { messages } from "@/lib/messages";
import shared from "../../reading.module.css";
import css from "./classification.module.css";
import { HIGHEST_RATING } from "./value";

const text = messages.classification;

interface RatingProps {
  readonly value: number | null;
  readonly disabled: boolean;
  readonly lowest: string;
  readonly highest: string;
  /** `done` is false while the pointer still moves. */
  readonly onRate: (value: number, done: boolean, event?: Event) => void;
}

export function RatingSlider({ value, disabled, lowest, highest, onRate }: RatingProps) {
  const track = useRef<HTMLDivElement>(null);
  const at = (event: PointerEvent): number => {
    const box = track.current?.getBoundingClientRect();
    if (!box || box.width === 0) return 0;
    return Math.round(Math.min(1, Math.max(0, (event.clientX - box.left) / box.width)) * HIGHEST_RATING);
  };
  const move = (event: PointerEvent, done: boolean): void => {
    if (!disabled) onRate(at(event), done, event.nativeEvent);
  };
  // The keys are the screen's, wherever the focus is; here they only must not scroll the page.
  const key = (event: KeyboardEvent): void => {
    if (event.key.startsWith("Arrow")) event.preventDefault();
  };
  return (
    <div className={css.rating} data-disabled={disabled}>
      <div
        ref={track}
        className={css.track}
        role="slider"
        tabIndex={disabled ? -1 : 0}
        aria-label={text.rating}
        aria-disabled={disabled}
        aria-valuemin={0}
        aria-valuemax={HIGHEST_RATING}
        aria-valuenow={value ?? 0}
        aria-valuetext={value === null ? text.notRated : text.ratedAs(value, HIGHEST_RATING)}
        onKeyDown={key}
        onPointerDown={(event) => {
          event.currentTarget.setPointerCapture(event.pointerId);
          move(event, false);
        }}
        onPointerMove={(event) => {
          if (event.buttons === 1) move(event, false);
        }}
        onPointerUp={(event) => move(event, true)}
      >
        {value !== null && <span className={css.thumb} style={{ left: `${value}%` }} />}
      </div>
      <span className={css.end}>{lowest}</span>
      <span className={css.end}>{highest}</span>
      <output className={css.number}>{value ?? "–"}</output>
    </div>
  );
}

export function RatingPoints(props: RatingProps & { readonly points: readonly string[] }) {
  return (
    <div className={css.points}>
      {props.points.map((label, index) => (
        <button
          type="button"
          key={label}
          className={shared.tool}
          aria-pressed={props.value === index + 1}
          disabled={props.disabled}
          onClick={(event) => {
            event.currentTarget.blur();
            props.onRate(index + 1, true, event.nativeEvent);
          }}
        >
          {label} <span className={shared.key}>{index + 1}</span>
        </button>
      ))}
    </div>
  );
}
