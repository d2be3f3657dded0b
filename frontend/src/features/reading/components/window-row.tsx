import type { ReactNode, RefObject } from "react";
import { messages } from "@/lib/messages";
import type { ReadingController } from "../controller";
import css from "../reading.module.css";
import { canAnswer, NARROWEST_WINDOW, type ReadingState, windowRange } from "../state";
import type { ViewerHandle } from "../use-viewer";

const text = messages.reading;

function Slider(props: {
  label: string;
  name: string;
  value: number;
  low: number;
  high: number;
  disabled: boolean;
  onDrag: (value: number) => void;
  onDone: () => void;
}) {
  return (
    <label className={css.slider}>
      <span className="eq-dim">{props.label}</span>
      <input
        type="range"
        aria-label={props.name}
        min={props.low}
        max={props.high}
        value={props.value}
        disabled={props.disabled}
        onChange={(event) => props.onDrag(Number(event.currentTarget.value))}
        onPointerUp={(event) => {
          event.currentTarget.blur();
          props.onDone();
        }}
        onKeyUp={(event) => {
          if (event.key.startsWith("Arrow")) props.onDone();
        }}
      />
      <span className={css.number}>{props.value}</span>
    </label>
  );
}

export function WindowRow(props: {
  state: ReadingState;
  controller: ReadingController;
  viewer: RefObject<ViewerHandle | null>;
  /** A task's own tools, before the sliders. */
  children?: ReactNode;
  /** Without the sliders the window is changed by its presets and with the mouse. */
  sliders?: boolean;
}) {
  const { state, controller, viewer } = props;
  const { presentation, voi } = state;
  const sliders = props.sliders ?? true;
  const disabled = !canAnswer(state);
  const range = windowRange(presentation);
  const done = (): void => controller.act({ type: "set_window", voi: controller.getState().voi, by: "slider" });
  return (
    <div className={css.row}>
      <span className="eq-dim">{text.window}</span>
      {presentation?.windows.map((preset, index) => (
        <button
          type="button"
          key={preset.label}
          className={css.tool}
          aria-pressed={preset.width === voi.width && preset.level === voi.level}
          disabled={disabled}
          onClick={(event) => {
            event.currentTarget.blur();
            controller.command({ type: "preset", index }, event.nativeEvent);
          }}
        >
          {preset.label} {preset.key && <span className={css.key}>{preset.key}</span>}
        </button>
      ))}
      {props.children}
      <span className={css.grow} />
      {sliders && (
        <>
          <Slider
            label={text.width}
            name={text.widthName}
            low={NARROWEST_WINDOW}
            high={range.widest}
            value={voi.width}
            disabled={disabled}
            onDrag={(width) => controller.act({ type: "drag_window", voi: { ...controller.getState().voi, width } })}
            onDone={done}
          />
          <Slider
            label={text.level}
            name={text.levelName}
            low={range.lowest}
            high={range.highest}
            value={voi.level}
            disabled={disabled}
            onDrag={(level) => controller.act({ type: "drag_window", voi: { ...controller.getState().voi, level } })}
            onDone={done}
          />
        </>
      )}
      <button
        type="button"
        className={css.tool}
        aria-pressed={voi.invert}
        disabled={disabled}
        onClick={(event) => {
          event.currentTarget.blur();
          controller.command({ type: "invert" }, event.nativeEvent);
        }}
      >
        {text.invert} <span className={css.key}>I</span>
      </button>
      <button
        type="button"
        className={css.tool}
        disabled={disabled}
        onClick={(event) => {
          event.currentTarget.blur();
          viewer.current?.resetView();
          controller.command({ type: "reset" }, event.nativeEvent);
        }}
      >
        {text.reset} <span className={css.key}>R</span>
      </button>
    </div>
  );
}
