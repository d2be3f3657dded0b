import { Button, Group, Table, Text } from "@mantine/core";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import type { ItemDraw, Trial } from "@/api/types";
import { admin } from "@/lib/messages-admin";
import { drawItems, itemsQuery } from "../api";
import { Loaded, Problem } from "../shell/problem";
import { PanelTitle } from "./upload-panel";

const text = admin.cases;

function Why({ draw }: { draw: ItemDraw }) {
  if (draw.not_qualifying.length === 0) return null;
  return (
    <Table maw={560} mb="md">
      <Table.Thead>
        <Table.Tr>
          <Table.Th>{text.notQualifying}</Table.Th>
          <Table.Th ta="right">{text.count}</Table.Th>
        </Table.Tr>
      </Table.Thead>
      <Table.Tbody>
        {draw.not_qualifying.map((row) => (
          <Table.Tr key={row.reason}>
            <Table.Td>{row.message}</Table.Td>
            <Table.Td ta="right">{row.count}</Table.Td>
          </Table.Tr>
        ))}
      </Table.Tbody>
    </Table>
  );
}

function Items({ draw }: { draw: ItemDraw }) {
  return (
    <div className="eq-thumbs">
      {draw.drawn.map((item) => (
        <figure key={item.id} className="eq-thumb">
          <img src={item.thumbnail_url} alt={`${item.case}, ${text.slice(item.slice_index)}`} loading="lazy" />
          <figcaption>
            {item.case} · {text.slice(item.slice_index)}
            <br />
            <span className="eq-dim">
              {item.dice !== null && text.dice(item.dice.toFixed(3))} {item.practice && text.practiceBadge}
            </span>
          </figcaption>
        </figure>
      ))}
    </div>
  );
}

export function ItemsPanel({ trial }: { trial: Trial }) {
  const client = useQueryClient();
  const items = useQuery(itemsQuery(trial.id));
  const draw = useMutation({
    mutationFn: () => drawItems(trial.id),
    onSuccess: (drawn) => {
      client.setQueryData(itemsQuery(trial.id).queryKey, drawn);
      void client.invalidateQueries({ queryKey: ["trial", trial.id], exact: true });
    },
  });
  const mayDraw = trial.state === "draft" && trial.permissions.includes("protocol:edit");
  return (
    <section>
      <PanelTitle>{text.items}</PanelTitle>
      <Problem error={draw.error} />
      <Loaded query={items}>
        {(body) => {
          const main = body.drawn.filter((item) => !item.practice).length;
          return (
            <>
              <Group mb="sm">
                <Text {...(main === 0 ? { c: "dimmed" } : {})}>
                  {main === 0
                    ? text.itemsNone
                    : `${text.drawn(main, body.requested)}; ${text.qualifying(body.qualifying)}.`}
                </Text>
                {mayDraw && (
                  <Button variant="default" loading={draw.isPending} onClick={() => draw.mutate()}>
                    {main === 0 ? text.draw : text.drawAgain}
                  </Button>
                )}
              </Group>
              {body.seed !== null && main > 0 && (
                <Text size="sm" c="dimmed" mb="sm">
                  {text.seed(body.seed)}
                </Text>
              )}
              <Why draw={body} />
              <Items draw={body} />
            </>
          );
        }}
      </Loaded>
    </section>
  );
}
