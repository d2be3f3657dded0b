/** One submit at a time, with the server's refusal said beside the button. */
import { type FormEvent, type ReactNode, useState } from "react";
import { errorText } from "@/api/errors";

export function ActionForm(props: {
  children?: ReactNode;
  action: string;
  /** There is another way that is asked for first. */
  quiet?: boolean;
  disabled?: boolean;
  onSubmit: () => Promise<void>;
  secondary?: ReactNode;
}) {
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState("");
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    if (busy) return;
    setBusy(true);
    setProblem("");
    props
      .onSubmit()
      .catch((error: unknown) => setProblem(errorText(error)))
      .finally(() => setBusy(false));
  };
  return (
    <form className="eq-stack" onSubmit={submit} noValidate>
      {props.children}
      {problem && (
        <p className="eq-error" role="alert">
          {problem}
        </p>
      )}
      <div className="eq-row">
        <button
          type="submit"
          className="eq-button"
          data-kind={props.quiet ? undefined : "primary"}
          disabled={busy || props.disabled === true}
        >
          {props.action}
        </button>
        {props.secondary}
      </div>
    </form>
  );
}
