/** What a signature says, and the password and second factor that it takes each time. */
import { Anchor, Button, Group, PasswordInput, Stack, Text, TextInput } from "@mantine/core";
import { useMutation, useQuery } from "@tanstack/react-query";
import { askKey } from "@/api/passkeys";
import { providerAddress } from "@/api/session";
import { admin } from "@/lib/messages-admin";
import { Loaded, Problem } from "../shell/problem";
import { type Proof, waysQuery } from "./proof";

const text = admin.signatures;

export function SigningFields(props: { words: string; proof: Proof; onChange: (proof: Proof) => void }) {
  const { words, proof, onChange } = props;
  const ways = useQuery(waysQuery);
  const key = useMutation({
    mutationFn: askKey,
    onSuccess: (credential) => onChange({ ...proof, credential }),
  });
  return (
    <Loaded query={ways}>
      {(known) => (
        <Stack component="section" aria-label={text.yours}>
          <Text>{text.says(known.name, words)}</Text>
          {known.password ? (
            <PasswordInput
              label={admin.action.password}
              description={text.eachTime}
              autoComplete="current-password"
              required
              value={proof.password}
              onChange={(event) => onChange({ ...proof, password: event.currentTarget.value })}
            />
          ) : (
            <Text size="sm">
              {text.byProvider}{" "}
              <Anchor
                href={providerAddress("/account", { confirm: true })}
                target="_blank"
                rel="noreferrer"
                underline="always"
              >
                {text.toProvider}
              </Anchor>
            </Text>
          )}
          {(known.totp || known.keys) && (
            <Group align="flex-end">
              <TextInput
                label={text.code}
                autoComplete="one-time-code"
                required={proof.credential === undefined}
                disabled={proof.credential !== undefined}
                value={proof.code}
                onChange={(event) => onChange({ ...proof, code: event.currentTarget.value })}
              />
              {known.keys && (
                <Button variant="default" loading={key.isPending} onClick={() => key.mutate()}>
                  {proof.credential ? text.keyShown : text.key}
                </Button>
              )}
            </Group>
          )}
          <Problem error={key.error} />
        </Stack>
      )}
    </Loaded>
  );
}
