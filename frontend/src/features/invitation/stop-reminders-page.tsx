/** Where the link of a reminder leads: nothing changes until the button is pressed, since mail scanners follow links. */
import { useState } from "react";
import { api, bodyOf } from "@/api/client";
import { ActionForm } from "@/components/action-form";
import { Page } from "@/components/page";
import { messages } from "@/lib/messages";

const text = messages.reminders;

export function StopRemindersPage({ token }: { token: string }) {
  const [trial, setTrial] = useState<string | null>(null);
  const stop = async (): Promise<void> => {
    setTrial((await bodyOf(api.POST("/api/v1/reminders/stop", { body: { token } }))).trial_title);
  };
  return (
    <Page narrow>
      <h1>{text.title}</h1>
      {trial === null ? (
        <ActionForm action={text.stop} onSubmit={stop}>
          <p>{text.ask}</p>
        </ActionForm>
      ) : (
        <p role="status">{text.stopped(trial)}</p>
      )}
    </Page>
  );
}
