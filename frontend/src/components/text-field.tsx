import { type HTMLInputTypeAttribute, useId } from "react";

export function TextField(props: {
  label: string;
  value: string;
  onChange: (value: string) => void;
  type?: HTMLInputTypeAttribute;
  autoComplete?: string;
  hint?: string;
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
