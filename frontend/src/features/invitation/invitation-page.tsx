import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { api, bodyOf, fetchSession } from "@/api/client";
import { signIn } from "@/api/session";
import type { InvitationView, Session } from "@/api/types";
import { ActionForm } from "@/components/action-form";
import { Loading, Page } from "@/components/page";
import { SecondFactorForm } from "@/components/second-factor-form";
import { TextField } from "@/components/text-field";
import { messages } from "@/lib/messages";
import { dateTime } from "@/timing/formats";

const text = messages.invitation;
const SHORTEST_PASSWORD = 12;

export function InvitationPage(props: { token: string; onAccepted: (session: Session) => Promise<void> | void }) {
  const invitation = useQuery({
    queryKey: ["invitation", props.token],
    queryFn: () => bodyOf(api.GET("/api/v1/invitations/{token}", { params: { path: { token: props.token } } })),
    retry: false,
  });
  return (
    <Page narrow>
      <h1>{text.title}</h1>
      {invitation.isPending && <Loading />}
      {invitation.isError && <p role="alert">{text.wrongLink}</p>}
      {invitation.data && <Accept {...props} invitation={invitation.data} />}
    </Page>
  );
}

function Accept(props: {
  token: string;
  invitation: InvitationView;
  onAccepted: (session: Session) => Promise<void> | void;
}) {
  const { invitation } = props;
  const [name, setName] = useState("");
  const [password, setPassword] = useState("");
  const [awaits, setAwaits] = useState<Session["awaits"]>([]);
  const isNew = !invitation.account_exists;
  const take = async (): Promise<void> => {
    await api.POST("/api/v1/invitations/{token}/accept", {
      params: { path: { token: props.token } },
      body: { display_name: name, password },
    });
    await props.onAccepted(await fetchSession());
  };
  const accept = async (): Promise<void> => {
    const session = isNew ? null : await signIn(invitation.email, password);
    if (session && session.awaits.length > 0) setAwaits(session.awaits);
    else await take();
  };
  if (awaits.length > 0) {
    return <SecondFactorForm awaits={awaits} onSignedIn={take} onTooLate={() => setAwaits([])} />;
  }
  return (
    <>
      <p>{text.joins(invitation.role, invitation.trial_title)}</p>
      <p className="eq-dim">
        {text.forEmail(invitation.email)} {text.expires(dateTime(invitation.expires_at))}
      </p>
      <p>{isNew ? text.newAccount : text.knownAccount}</p>
      <ActionForm
        action={text.accept}
        disabled={isNew ? name.trim() === "" || password.length < SHORTEST_PASSWORD : password === ""}
        onSubmit={accept}
      >
        {isNew && <TextField label={text.name} autoComplete="name" value={name} onChange={setName} />}
        <TextField
          label={text.password}
          type="password"
          autoComplete={isNew ? "new-password" : "current-password"}
          value={password}
          onChange={setPassword}
          {...(isNew ? { hint: text.passwordHint } : {})}
        />
      </ActionForm>
    </>
  );
}
