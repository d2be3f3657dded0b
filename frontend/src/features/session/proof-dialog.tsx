/** Asks the person again, over whatever page is open, and lets the request that needed it go on. */
import { useQueryClient } from "@tanstack/react-query";
import { useEffect, useRef, useState } from "react";
import { fetchSession, type Need, proveBy } from "@/api/client";
import { askKey } from "@/api/passkeys";
import { confirm, providerAddress, sessionQuery, signIn } from "@/api/session";
import type { Session } from "@/api/types";
import { ActionForm } from "@/components/action-form";
import { Dialog } from "@/components/dialog";
import { Loading } from "@/components/page";
import { SecondFactorForm } from "@/components/second-factor-form";
import { TextField } from "@/components/text-field";
import { messages } from "@/lib/messages";
import { useKnownAccount } from "./known-account";

const text = messages.session;

interface Asked {
  readonly need: Need;
  readonly email: string;
  readonly answer: (proven: boolean) => void;
}

export function ProofDialogs() {
  const client = useQueryClient();
  const email = useRef<string | undefined>(undefined);
  email.current = useKnownAccount()?.email;
  const [asked, setAsked] = useState<Asked | null>(null);
  const waiting = useRef<Promise<boolean> | null>(null);
  useEffect(
    () =>
      // However many requests wait, the person is asked once.
      proveBy((need) => {
        const of = email.current;
        if (!of) return Promise.resolve(false);
        waiting.current ??= new Promise<boolean>((resolve) => {
          setAsked({ need, email: of, answer: resolve });
        }).finally(() => {
          waiting.current = null;
          setAsked(null);
        });
        return waiting.current;
      }),
    [],
  );
  if (!asked) return null;
  const done = (session: Session): void => {
    client.setQueryData(sessionQuery.queryKey, session);
    asked.answer(true);
  };
  return <ProofDialog asked={asked} onDone={done} />;
}

function ProofDialog({ asked, onDone }: { asked: Asked; onDone: (session: Session) => void }) {
  const [now, setNow] = useState<Session | null>(null);
  useEffect(() => {
    let open = true;
    const look = (): void => {
      fetchSession().then(
        (session) => open && setNow(session),
        () => undefined,
      );
    };
    look();
    // Whoever signed in elsewhere, in another tab or at the identity provider, comes back to this one.
    window.addEventListener("focus", look);
    return () => {
      open = false;
      window.removeEventListener("focus", look);
    };
  }, []);
  const isHere = now?.signed_in === true && now.account?.email === asked.email;
  const isDone = isHere && (asked.need === "sign-in" || now.confirmed);
  useEffect(() => {
    if (isDone && now) onDone(now);
  }, [isDone, now, onDone]);
  return (
    <Dialog title={isHere || now === null ? text.againTitle : text.endedTitle} onClose={() => asked.answer(false)}>
      {now === null && <Loading />}
      {now !== null &&
        !isDone &&
        (isHere ? <Confirm now={now} onProven={setNow} /> : <Again asked={asked} now={now} onProven={setNow} />)}
      <p className="eq-dialog-end">
        <button type="button" className="eq-button" data-kind="quiet" onClick={() => asked.answer(false)}>
          {text.cancel}
        </button>
      </p>
    </Dialog>
  );
}

interface Step {
  readonly now: Session;
  readonly onProven: (session: Session) => void;
}

function Provider({ now, again }: { now: Session; again: boolean }) {
  if (!now.single_sign_on) return null;
  return (
    <p>
      <a
        className="eq-button"
        href={providerAddress("/account", again ? { confirm: true } : {})}
        target="_blank"
        rel="noreferrer"
      >
        {text.inNewTab(now.single_sign_on)}
      </a>{" "}
      <span className="eq-dim">{text.thenBack}</span>
    </p>
  );
}

function PasswordForm(props: { action: string; onSubmit: (password: string) => Promise<void> }) {
  const [password, setPassword] = useState("");
  return (
    <ActionForm action={props.action} disabled={password === ""} onSubmit={() => props.onSubmit(password)}>
      <TextField
        label={text.password}
        type="password"
        autoComplete="current-password"
        focus
        value={password}
        onChange={setPassword}
      />
    </ActionForm>
  );
}

function Confirm({ now, onProven }: Step) {
  const ways = now.confirm_by;
  return (
    <>
      <p>{text.againText}</p>
      {ways.includes("password") && (
        <PasswordForm action={text.goOn} onSubmit={async (password) => onProven(await confirm({ password }))} />
      )}
      {ways.includes("passkey") && (
        <ActionForm
          action={text.useKey}
          quiet={ways.includes("password")}
          onSubmit={async () => onProven(await confirm({ credential: await askKey() }))}
        />
      )}
      {ways.includes("single_sign_on") && <Provider now={now} again />}
    </>
  );
}

/** The session has ended, or somebody else has signed in in another tab. */
function Again({ asked, now, onProven }: Step & { asked: Asked }) {
  if (now.awaits.length > 0)
    return (
      <SecondFactorForm
        awaits={now.awaits}
        onSignedIn={onProven}
        onTooLate={async () => onProven(await fetchSession())}
      />
    );
  return (
    <>
      <p>{text.endedText(asked.email)}</p>
      <PasswordForm action={text.signIn} onSubmit={async (password) => onProven(await signIn(asked.email, password))} />
      <Provider now={now} again={false} />
    </>
  );
}
