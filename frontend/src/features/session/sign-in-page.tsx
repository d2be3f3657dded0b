import { useState } from "react";
import type { Session } from "@/api/types";
import { ActionForm } from "@/components/action-form";
import { Page } from "@/components/page";
import { TextField } from "@/components/text-field";
import { messages } from "@/lib/messages";
import { signIn } from "./session-query";

const text = messages.session;

export function SignInPage({ onSignedIn }: { onSignedIn: (session: Session) => Promise<void> | void }) {
  const [email, setEmail] = useState("");
  const [password, setPassword] = useState("");
  return (
    <Page narrow>
      <h1>{text.title}</h1>
      <ActionForm
        action={text.signIn}
        disabled={email === "" || password === ""}
        onSubmit={async () => {
          await onSignedIn(await signIn(email, password));
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
