import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { sessionQuery, showPasskey, showSecondFactor, signIn } from "@/api/session";
import type { Session } from "@/api/types";
import { ActionForm } from "@/components/action-form";
import { Page } from "@/components/page";
import { TextField } from "@/components/text-field";
import { messages } from "@/lib/messages";

const text = messages.session;

export function SignInPage(props: { problem?: string; onSignedIn: (session: Session) => Promise<void> | void }) {
  const { problem, onSignedIn } = props;
  const now = useQuery(sessionQuery).data;
  const [email, setEmail] = useState("");
  const [password, setPassword] = useState("");
  const [answered, setAwaited] = useState<Session | null>(null);
  // Whoever comes back from the identity provider may be asked for a second factor as well.
  const awaited = answered ?? (now && now.awaits.length > 0 ? now : null);
  if (awaited) {
    return (
      <Page narrow>
        <h1>{text.secondFactor}</h1>
        <SecondFactor awaits={awaited.awaits} onSignedIn={onSignedIn} />
      </Page>
    );
  }
  return (
    <Page narrow>
      <h1>{text.title}</h1>
      {problem && (
        <p className="eq-error" role="alert">
          {problem}
        </p>
      )}
      {now?.single_sign_on && (
        <p>
          <a className="eq-button" href="/api/v1/session/sso">
            {text.signOn(now.single_sign_on)}
          </a>
        </p>
      )}
      <ActionForm
        action={text.signIn}
        disabled={email === "" || password === ""}
        onSubmit={async () => {
          const session = await signIn(email, password);
          if (session.signed_in) await onSignedIn(session);
          else setAwaited(session);
        }}
      >
        <TextField label={text.email} type="email" autoComplete="username" value={email} onChange={setEmail} />
        <TextField
          label={text.password}
          type="password"
          autoComplete="current-password"
          value={password}
          onChange={setPassword}
        />
      </ActionForm>
    </Page>
  );
}

function SecondFactor(props: { awaits: Session["awaits"]; onSignedIn: (session: Session) => Promise<void> | void }) {
  const { awaits, onSignedIn } = props;
  const [byKey, setByKey] = useState(awaits[0] === "passkey");
  const [byRecovery, setByRecovery] = useState(!awaits.includes("totp"));
  const [code, setCode] = useState("");
  const other = (label: string, choose: () => void) => (
    <button type="button" className="eq-button" data-kind="quiet" onClick={choose}>
      {label}
    </button>
  );
  if (byKey) {
    return (
      <ActionForm
        action={text.useKey}
        onSubmit={async () => onSignedIn(await showPasskey())}
        secondary={other(text.useCode, () => setByKey(false))}
      >
        <p>{text.keyHint}</p>
      </ActionForm>
    );
  }
  return (
    <ActionForm
      action={text.signIn}
      disabled={code.trim() === ""}
      onSubmit={async () => onSignedIn(await showSecondFactor(byRecovery ? "recovery_code" : "totp", code))}
      secondary={
        awaits.includes("totp") && !byRecovery
          ? other(text.useRecoveryCode, () => setByRecovery(true))
          : awaits.includes("passkey") && other(text.useKey, () => setByKey(true))
      }
    >
      <TextField
        label={byRecovery ? text.recoveryCode : text.appCode}
        autoComplete="one-time-code"
        value={code}
        onChange={setCode}
      />
    </ActionForm>
  );
}
