import { Button, Table, Text, Title } from "@mantine/core";
import { useInfiniteQuery } from "@tanstack/react-query";
import type { AuditEntry, Trial } from "@/api/types";
import { admin } from "@/lib/messages-admin";
import { dateTime } from "@/timing/formats";
import { auditPage } from "../api";
import { Problem } from "../shell/problem";
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

export default function AuditSection({ trial }: { trial: Trial }) {
  const pages = useInfiniteQuery({
    queryKey: ["trial", trial.id, "audit"],
    queryFn: ({ pageParam }) => auditPage(trial.id, pageParam),
    initialPageParam: null as number | null,
    getNextPageParam: (page) => page.next,
  });
  const entries = pages.data?.pages.flatMap((page) => page.results) ?? [];
  return (
    <>
      <Title order={2} size="h4" mb="xs">
        {text.title}
      </Title>
      <Problem error={pages.error} />
      {pages.isSuccess && entries.length === 0 && <Text c="dimmed">{text.empty}</Text>}
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
                  <Table.Td>{dateTime(entry.at)}</Table.Td>
                  <Table.Td>{entry.kind.replaceAll("_", " ")}</Table.Td>
                  <Table.Td>
                    {entry.actor} <span className="eq-dim">({entry.origin})</span>
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
      {trial.permissions.includes("token:manage") && !trial.imported && <WebhooksPanel trial={trial} />}
    </>
  );
}
