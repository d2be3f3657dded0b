import { Button, Group, NativeSelect, Table, Text, TextInput, Title } from "@mantine/core";
import { keepPreviousData, useInfiniteQuery } from "@tanstack/react-query";
import { useState } from "react";
import type { AuditEntry, Trial } from "@/api/types";
import { admin } from "@/lib/messages-admin";
import { utcSecond } from "@/timing/formats";
import { auditFileAddress, auditPage } from "../api";
import { ExportLink } from "../shell/export-link";
import { Problem } from "../shell/problem";
import { type Asked, filterOf, kindChoices, NOTHING_ASKED } from "./filter";
import { TokensPanel } from "./tokens-panel";
import { WebhooksPanel } from "./webhooks-panel";

const text = admin.audit;

function Change({ entry }: { entry: AuditEntry }) {
  if (!entry.before && !entry.after) return null;
  return (
    <details>
      <summary>{text.change}</summary>
      <pre className="eq-hash">
        {entry.before ? `${text.before} ${JSON.stringify(entry.before, null, 1)}\n` : ""}
        {entry.after ? `${text.after} ${JSON.stringify(entry.after, null, 1)}` : ""}
      </pre>
    </details>
  );
}

function Filters(props: {
  asked: Asked;
  people: readonly string[];
  kinds: readonly string[];
  onAsk: (asked: Asked) => void;
}) {
  const { asked, onAsk } = props;
  return (
    <Group component="section" aria-label={text.filter} mb="md" align="flex-end">
      <NativeSelect
        label={text.who}
        data={[{ value: "", label: text.anybody }, ...props.people]}
        value={asked.who}
        onChange={(event) => onAsk({ ...asked, who: event.currentTarget.value })}
      />
      <NativeSelect
        label={text.what}
        data={[{ value: "", label: text.anything }, ...kindChoices(props.kinds)]}
        value={asked.what}
        onChange={(event) => onAsk({ ...asked, what: event.currentTarget.value })}
      />
      <TextInput
        type="date"
        label={text.since}
        value={asked.from}
        onChange={(event) => onAsk({ ...asked, from: event.currentTarget.value })}
      />
      <TextInput
        type="date"
        label={text.until}
        value={asked.to}
        onChange={(event) => onAsk({ ...asked, to: event.currentTarget.value })}
      />
    </Group>
  );
}

export default function AuditSection({ trial }: { trial: Trial }) {
  const [asked, setAsked] = useState(NOTHING_ASKED);
  const filter = filterOf(asked);
  const pages = useInfiniteQuery({
    queryKey: ["trial", trial.id, "audit", filter],
    queryFn: ({ pageParam }) => auditPage(trial.id, pageParam, filter),
    initialPageParam: null as number | null,
    getNextPageParam: (page) => page.next,
    placeholderData: keepPreviousData,
  });
  const first = pages.data?.pages[0];
  const entries = pages.data?.pages.flatMap((page) => page.results) ?? [];
  return (
    <>
      <Title order={2} size="h4" mb="xs">
        {text.title}
      </Title>
      <Filters asked={asked} people={first?.people ?? []} kinds={first?.kinds ?? []} onAsk={setAsked} />
      <Group gap="sm" mb="md">
        <Text size="sm" c="dimmed">
          {text.files}
        </Text>
        {["audit.csv", "audit.json"].map((file) => (
          <ExportLink key={file} href={auditFileAddress(trial.id, file, filter)} size="sm">
            {file}
          </ExportLink>
        ))}
      </Group>
      <Problem error={pages.error} />
      {pages.isSuccess && entries.length === 0 && (
        <Text c="dimmed">{asked === NOTHING_ASKED ? text.empty : text.none}</Text>
      )}
      {entries.length > 0 && (
        <div className="eq-scroll">
          <Table>
            <Table.Thead>
              <Table.Tr>
                <Table.Th ta="right">{text.number}</Table.Th>
                <Table.Th>{text.at}</Table.Th>
                <Table.Th>{text.what}</Table.Th>
                <Table.Th>{text.who}</Table.Th>
                <Table.Th>{text.subject}</Table.Th>
                <Table.Th>{text.reason}</Table.Th>
              </Table.Tr>
            </Table.Thead>
            <Table.Tbody>
              {entries.map((entry) => (
                <Table.Tr key={entry.sequence}>
                  <Table.Td ta="right">{entry.sequence}</Table.Td>
                  <Table.Td>{utcSecond(entry.at)}</Table.Td>
                  <Table.Td>{entry.kind.replaceAll("_", " ")}</Table.Td>
                  <Table.Td>
                    {entry.actor}{" "}
                    <span className="eq-dim">
                      ({entry.origin}
                      {entry.address && `, ${entry.address}`})
                    </span>
                  </Table.Td>
                  <Table.Td>
                    <span className="eq-hash">{entry.subject}</span>
                    <Change entry={entry} />
                  </Table.Td>
                  <Table.Td>{entry.reason}</Table.Td>
                </Table.Tr>
              ))}
            </Table.Tbody>
          </Table>
        </div>
      )}
      {pages.hasNextPage && (
        <Button variant="default" mt="md" loading={pages.isFetchingNextPage} onClick={() => void pages.fetchNextPage()}>
          {admin.common.more}
        </Button>
      )}
      {trial.permissions.includes("token:manage") && !trial.imported && (
        <>
          <TokensPanel trial={trial} />
          <WebhooksPanel trial={trial} />
        </>
      )}
    </>
  );
}
