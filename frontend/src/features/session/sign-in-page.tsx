import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { providerAddress, sessionQuery, signIn } from "@/api/session";
import type { Session } from "@/api/types";
import { ActionForm } from "@/components/action-form";
import { Page } from "@/components/page";
import { SecondFactorForm } from "@/components/second-factor-form";
import { TextField } from "@/components/text-field";
import { messages } from "@/lib/messages";

const text = messages.session;

export function SignInPage(props: {
  to: string;
  problem?: string;
  onSignedIn: (session: Session) => Promise<void> | void;
}) {
  const { to, problem, onSignedIn } = props;
  const { data: now, refetch } = useQuery(sessionQuery);
  const [email, setEmail] = useState("");
  const [password, setPassword] = useState("");
  const [answered, setAwaited] = useState<Session | null>(null);
  // Whoever comes back from the identity provider may be asked for a second factor as well.
  const awaited = answered ?? (now && now.awaits.length > 0 ? now : null);
  if (awaited) {
    return (
      <Page narrow>
        <h1>{text.secondFactor}</h1>
        <SecondFactorForm
          awaits={awaited.awaits}
          onSignedIn={onSignedIn}
          onTooLate={async () => {
            setAwaited(null);
            await refetch();
          }}
        />
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
          <a className="eq-button" href={providerAddress(to)}>
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
