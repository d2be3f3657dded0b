/** Erasing a person's data, for the site's administrators. */
import { Alert, Button, Stack, Text, TextInput } from "@mantine/core";
import { useMutation, useQuery } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { sessionQuery } from "@/api/session";
import { admin } from "@/lib/messages-admin";
import { erasePerson } from "../api";
import { ReasonDialog } from "../shell/reason-dialog";

const text = admin.erase;

export function ErasePerson() {
  const session = useQuery(sessionQuery);
  const [email, setEmail] = useState("");
  const [asked, setAsked] = useState(false);
  const erase = useMutation({
    mutationFn: (reason: string) => erasePerson({ email: email.trim(), reason }),
    onSuccess: () => {
      setAsked(false);
      setEmail("");
    },
  });
  const ask = (event: FormEvent): void => {
    event.preventDefault();
    erase.reset();
    setAsked(true);
  };
  if (!session.data?.account?.is_site_administrator) return null;
  return (
    <details className="eq-form-section">
      <summary>{text.title}</summary>
      <form className="eq-form-body" onSubmit={ask}>
        <Stack maw={560}>
          <Text size="sm" c="dimmed">
            {text.about}
          </Text>
          <TextInput
            label={text.email}
            type="email"
            value={email}
            onChange={(event) => setEmail(event.currentTarget.value)}
          />
          {erase.data && (
            <Alert data-tone="good" role="status">
              {text.done(erase.data.accounts, erase.data.invitations, erase.data.words)}
              {erase.data.bundled.length > 0 && ` ${text.bundled(erase.data.bundled.join(", "))}`}
            </Alert>
          )}
          <Button type="submit" variant="default" w="fit-content" disabled={!email.includes("@")}>
            {text.begin}
          </Button>
        </Stack>
      </form>
      {asked && (
        <ReasonDialog title={text.of(email.trim())} confirm={text.confirm} act={erase} onClose={() => setAsked(false)}>
          <Text>{admin.action.undone}</Text>
          <Text>{text.reasonStays}</Text>
        </ReasonDialog>
      )}
    </details>
  );
}
