import { Paper, Stack, Table, Text, Title } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import type { ReactNode } from "react";
import type { Allocation, Balance, ConditionBalance, SetBalance, SideCount, Slot, Trial } from "@/api/types";
import { admin } from "@/lib/messages-admin";
import { allocationQuery } from "../api";
import { Loaded } from "../shell/problem";
import { SignaturesPanel } from "../signatures/signatures-panel";

const text = admin.allocation;

function BalanceBar({ count }: { count: SideCount }) {
  const total = count.left + count.right;
  const share = total > 0 ? (100 * count.left) / total : 50;
  return (
    <div className="eq-bar">
      <span>{count.key}</span>
      <div className="eq-track" aria-hidden="true">
        <span style={{ width: `${share}%` }} />
      </div>
      <span>
        {count.left} / {count.right}
      </span>
    </div>
  );
}

function Bars({ title, counts }: { title: string; counts: readonly SideCount[] }) {
  if (counts.length === 0) return null;
  return (
    <details>
      <summary>
        {title} ({counts.length})
      </summary>
      <Stack gap={4} mt="xs">
        {counts.map((count) => (
          <BalanceBar key={count.key} count={count} />
        ))}
      </Stack>
    </details>
  );
}

function SentencePanel(props: {
  title: string;
  balance: Pick<ConditionBalance, "sentences" | "balanced">;
  children: ReactNode;
}) {
  const { sentences, balanced } = props.balance;
  return (
    <Paper withBorder p="md">
      <Title order={2} size="h4" mb="xs">
        {props.title}
      </Title>
      {sentences.map((sentence) => (
        <Text key={sentence} {...(balanced ? {} : { c: "yellow" })}>
          {sentence}
        </Text>
      ))}
      <Stack gap="xs" mt="xs">
        {props.children}
      </Stack>
    </Paper>
  );
}

function BalancePanel({ title, perReader, balance }: { title: string; perReader: string; balance: Balance }) {
  return (
    <SentencePanel title={title} balance={balance}>
      <Text size="sm" c="dimmed">
        {text.legend}
      </Text>
      <Bars title={perReader} counts={balance.per_reader} />
      <Bars title={text.perItem} counts={balance.per_item} />
    </SentencePanel>
  );
}

function ConditionTable({
  title,
  balance,
  rows,
}: {
  title: string;
  balance: ConditionBalance;
  rows: "per_reader" | "per_item";
}) {
  if (balance[rows].length === 0) return null;
  return (
    <details>
      <summary>
        {title} ({balance[rows].length})
      </summary>
      <div className="eq-scroll">
        <Table maw={560}>
          <Table.Thead>
            <Table.Tr>
              <Table.Th>{title}</Table.Th>
              <Table.Th>{text.period}</Table.Th>
              {balance.conditions.map((condition) => (
                <Table.Th key={condition}>{condition}</Table.Th>
              ))}
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {balance[rows].map((row) => (
              <Table.Tr key={`${row.key}-${row.period}`}>
                <Table.Td>{row.key}</Table.Td>
                <Table.Td>{row.period}</Table.Td>
                {balance.conditions.map((condition, index) => (
                  <Table.Td key={condition}>{row.counts[index] ?? 0}</Table.Td>
                ))}
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      </div>
    </details>
  );
}

function ConditionPanel(props: { title: string; perReader: string; balance: ConditionBalance }) {
  const { balance } = props;
  return (
    <SentencePanel title={props.title} balance={balance}>
      <ConditionTable title={props.perReader} balance={balance} rows="per_reader" />
      <ConditionTable title={text.perItem} balance={balance} rows="per_item" />
    </SentencePanel>
  );
}

function SetTable({ title, counts }: { title: string; counts: SetBalance["per_item"] }) {
  if (counts.length === 0) return null;
  return (
    <details>
      <summary>
        {title} ({counts.length})
      </summary>
      <div className="eq-scroll">
        <Table maw={560}>
          <Table.Tbody>
            {counts.map((count) => (
              <Table.Tr key={`${count.stratum}-${count.key}`}>
                <Table.Td>{count.key}</Table.Td>
                <Table.Td>{count.stratum}</Table.Td>
                <Table.Td>{count.count}</Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      </div>
    </details>
  );
}

function SetPanel(props: { title: string; perReader: string; balance: SetBalance }) {
  const { balance } = props;
  return (
    <SentencePanel title={props.title} balance={balance}>
      <SetTable title={props.perReader} counts={balance.per_reader} />
      <SetTable title={text.readersPerItem} counts={balance.per_item} />
    </SentencePanel>
  );
}

function Slots({ slots }: { slots: readonly Slot[] }) {
  return (
    <details>
      <summary>
        {text.slots} ({slots.length})
      </summary>
      <div className="eq-scroll">
        <Table maw={560}>
          <Table.Tbody>
            {slots.map((slot) => (
              <Table.Tr key={`${slot.stratum}-${slot.number}`}>
                <Table.Td>{slot.number}</Table.Td>
                <Table.Td>{slot.stratum}</Table.Td>
                <Table.Td>
                  {slot.state} {slot.reserve && `(${text.reserve})`}
                </Table.Td>
                <Table.Td>{slot.participant ?? "–"}</Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      </div>
    </details>
  );
}

function Fact({ label, value }: { label: string; value: string }) {
  return (
    <div>
      <Text size="sm" c="dimmed">
        {label}
      </Text>
      <span className="eq-hash">{value}</span>
    </div>
  );
}

function Body({ allocation }: { allocation: Allocation }) {
  if (allocation.commitment === null) return <Text c="dimmed">{text.empty}</Text>;
  return (
    <Stack>
      <Paper withBorder p="md">
        <Stack gap="xs">
          <Fact label={text.commitment} value={allocation.commitment} />
          <Fact label={text.seed} value={allocation.seed ?? text.sealed} />
          <Fact label={text.algorithm} value={allocation.algorithm ?? "–"} />
          <Fact label={text.hash} value={allocation.sha256 ?? "–"} />
        </Stack>
      </Paper>
      {allocation.allocated && (
        <BalancePanel title={text.allocated} perReader={text.perReader} balance={allocation.allocated} />
      )}
      {allocation.read && <BalancePanel title={text.read} perReader={text.perReaderRead} balance={allocation.read} />}
      {allocation.conditions_allocated && (
        <ConditionPanel
          title={text.conditionsAllocated}
          perReader={text.perReader}
          balance={allocation.conditions_allocated}
        />
      )}
      {allocation.conditions_read && (
        <ConditionPanel
          title={text.conditionsRead}
          perReader={text.perReaderRead}
          balance={allocation.conditions_read}
        />
      )}
      {allocation.sets_allocated && (
        <SetPanel title={text.setsAllocated} perReader={text.itemsPerSlot} balance={allocation.sets_allocated} />
      )}
      {allocation.sets_read && (
        <SetPanel title={text.setsRead} perReader={text.itemsPerReader} balance={allocation.sets_read} />
      )}
      {allocation.positions_allocated.length > 0 && (
        <SentencePanel title={text.positions} balance={{ sentences: allocation.positions_allocated, balanced: true }}>
          {text.positionsDrawn}
        </SentencePanel>
      )}
      <Slots slots={allocation.slots} />
    </Stack>
  );
}

export default function AllocationSection({ trial }: { trial: Trial }) {
  const allocation = useQuery(allocationQuery(trial.id));
  return (
    <Loaded query={allocation}>
      {(body) => (
        <>
          <Body allocation={body} />
          {body.commitment !== null && (
            <SignaturesPanel trial={trial} meanings={["data_approved", "allocation_released"]} />
          )}
        </>
      )}
    </Loaded>
  );
}
