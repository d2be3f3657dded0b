/** Who signed what, when and with what meaning; and the signing of what one may sign. */
import { Badge, Button, Group, Paper, Stack, Table, Text, Title } from "@mantine/core";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import type { Meaning, Signable, Signature, Trial } from "@/api/types";
import { Dialog } from "@/components/dialog";
import { admin } from "@/lib/messages-admin";
import { utcSecond } from "@/timing/formats";
import { signaturesQuery, signRecord } from "../api";
import { Loaded, Problem } from "../shell/problem";
import { isComplete, NO_PROOF, waysQuery } from "./proof";
import { SigningFields } from "./signing-fields";

const text = admin.signatures;

function SignDialog(props: { trialId: string; thing: Signable; onClose: () => void }) {
  const { trialId, thing, onClose } = props;
  const client = useQueryClient();
  const [proof, setProof] = useState(NO_PROOF);
  const ways = useQuery(waysQuery);
  const sign = useMutation({
    mutationFn: () => signRecord(trialId, { meaning: thing.meaning, record_sha256: thing.record_sha256, ...proof }),
    onSuccess: (body) => {
      client.setQueryData(signaturesQuery(trialId).queryKey, body);
      void client.invalidateQueries({ queryKey: ["trial", trialId, "bundle"] });
      onClose();
    },
    // A key's answer and a code are good once.
    onError: () => setProof({ ...NO_PROOF, password: proof.password }),
  });
  const send = (event: FormEvent): void => {
    event.preventDefault();
    sign.mutate();
  };
  return (
    <Dialog title={text.title} onClose={onClose}>
      <form onSubmit={send}>
        <Stack>
          <div>
            <Text>{thing.record}</Text>
            <Text size="xs" c="dimmed" className="eq-hash">
              SHA-256 {thing.record_sha256}
            </Text>
          </div>
          <SigningFields words={thing.words} proof={proof} onChange={setProof} />
          <Problem error={sign.error} />
          <Group justify="flex-end">
            <Button variant="default" onClick={onClose}>
              {admin.common.cancel}
            </Button>
            <Button type="submit" disabled={!isComplete(ways.data, proof)} loading={sign.isPending}>
              {text.sign}
            </Button>
          </Group>
        </Stack>
      </form>
    </Dialog>
  );
}

function Signed({ signatures }: { signatures: readonly Signature[] }) {
  return (
    <div className="eq-scroll">
      <Table>
        <Table.Thead>
          <Table.Tr>
            <Table.Th>{text.name}</Table.Th>
            <Table.Th>{text.when}</Table.Th>
            <Table.Th>{text.meaning}</Table.Th>
            <Table.Th>{text.record}</Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {signatures.map((one) => (
            <Table.Tr key={one.id}>
              <Table.Td>{one.name}</Table.Td>
              <Table.Td>{utcSecond(one.signed_at)}</Table.Td>
              <Table.Td>{one.words}</Table.Td>
              <Table.Td>
                {one.record}{" "}
                {!one.current && (
                  <Badge variant="light" color="gray" tt="none">
                    {text.replaced}
                  </Badge>
                )}
                <Text size="xs" c="dimmed" className="eq-hash">
                  SHA-256 {one.record_sha256}
                </Text>
              </Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </div>
  );
}

/** The signatures of some meanings, on the page of what they sign. */
export function SignaturesPanel({ trial, meanings }: { trial: Trial; meanings: readonly Meaning[] }) {
  const query = useQuery(signaturesQuery(trial.id));
  const [asked, setAsked] = useState<Signable | null>(null);
  return (
    <Paper withBorder p="md" component="section" aria-label={text.panel} my="md">
      <Title order={2} size="h4" mb="xs">
        {text.panel}
      </Title>
      <Loaded query={query}>
        {(body) => {
          const signed = body.results.filter((one) => meanings.includes(one.meaning));
          const open = body.signable.filter((one) => meanings.includes(one.meaning));
          return (
            <Stack gap="xs">
              {signed.length === 0 ? <Text c="dimmed">{text.none}</Text> : <Signed signatures={signed} />}
              {open.length > 0 && (
                <Group>
                  {open.map((one) => (
                    <Button key={one.meaning} variant="default" onClick={() => setAsked(one)}>
                      {text.signThis(one.words)}
                    </Button>
                  ))}
                </Group>
              )}
            </Stack>
          );
        }}
      </Loaded>
      {asked && <SignDialog trialId={trial.id} thing={asked} onClose={() => setAsked(null)} />}
    </Paper>
  );
}
