/** The second step of signing in: a code, a key, or a recovery code, whichever the person has. */
import { useState } from "react";
import { needsSignIn } from "@/api/errors";
import { showPasskey, showSecondFactor } from "@/api/session";
import type { Session } from "@/api/types";
import { messages } from "@/lib/messages";
import { ActionForm } from "./action-form";
import { TextField } from "./text-field";

const text = messages.session;
type Factor = Session["awaits"][number];

const OTHER: Record<Factor, string> = {
  totp: text.useCode,
  passkey: text.useKey,
  recovery_code: text.useRecoveryCode,
};

export function SecondFactorForm(props: {
  awaits: Session["awaits"];
  onSignedIn: (session: Session) => Promise<void> | void;
  /** The password was given too long ago: it comes first again. */
  onTooLate: () => Promise<void> | void;
}) {
  const { awaits, onSignedIn, onTooLate } = props;
  const [factor, setFactor] = useState<Factor>(awaits[0] ?? "totp");
  const [code, setCode] = useState("");
  const show = async (showing: () => Promise<Session>): Promise<void> => {
    try {
      await onSignedIn(await showing());
    } catch (error) {
      if (needsSignIn(error)) await onTooLate();
      throw error;
    }
  };
  const others = awaits
    .filter((each) => each !== factor)
    .map((each) => (
      <button key={each} type="button" className="eq-button" data-kind="quiet" onClick={() => setFactor(each)}>
        {OTHER[each]}
      </button>
    ));
  if (factor === "passkey") {
    return (
      <ActionForm key={factor} action={text.useKey} onSubmit={() => show(showPasskey)} secondary={others}>
        <p>{text.keyHint}</p>
      </ActionForm>
    );
  }
  return (
    <ActionForm
      key={factor}
      action={text.signIn}
      disabled={code.trim() === ""}
      onSubmit={() => show(() => showSecondFactor(factor, code))}
      secondary={others}
    >
      <TextField
        label={factor === "totp" ? text.appCode : text.recoveryCode}
        autoComplete="one-time-code"
        focus
        value={code}
        onChange={setCode}
      />
    </ActionForm>
  );
}
