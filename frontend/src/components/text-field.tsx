import { type HTMLInputTypeAttribute, useId } from "react";

export function TextField(props: {
  label: string;
  value: string;
  onChange: (value: string) => void;
  type?: HTMLInputTypeAttribute;
  autoComplete?: string;
  hint?: string;
  /** Takes the focus when it appears: the one thing that is asked next. */
  focus?: boolean;
}) {
  const id = useId();
  return (
    <div className="eq-field">
      <label htmlFor={id}>{props.label}</label>
      <input
        id={id}
        className="eq-input"
        type={props.type ?? "text"}
        autoComplete={props.autoComplete}
        // biome-ignore lint/a11y/noAutofocus: only where the field has just been asked for
        autoFocus={props.focus === true}
        value={props.value}
        aria-describedby={props.hint ? `${id}-hint` : undefined}
        onChange={(event) => props.onChange(event.currentTarget.value)}
      />
      {props.hint && (
        <span id={`${id}-hint`} className="eq-dim eq-small">
          {props.hint}
        </span>
      )}
    </div>
  );
}
