/** Where the trial stands, the one next step, and what is missing for it. */
import { Alert, Anchor, Button, Group, List, Menu, Text } from "@mantine/core";
import { useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import type { MissingThing, Trial, TrialAction } from "@/api/types";
import { trialPath } from "@/config/paths";
import { admin } from "@/lib/messages-admin";
import { trialQuery } from "../api";
import { ActionDialog } from "./action-dialog";
import { useUnsaved } from "./unsaved";

const ORDER = ["draft", "locked", "open", "closed", "data-locked", "unblinded", "archived"];

function States({ state }: { state: string }) {
  const shown = state === "paused" ? "open" : state;
  const now = ORDER.indexOf(shown);
  return (
    <ol className="eq-stateline" aria-label={admin.states[state]}>
      {ORDER.map((each, index) => (
        <li
          key={each}
          data-now={index === now}
          data-past={index < now}
          aria-current={index === now ? "step" : undefined}
        >
          {each === "open" && state === "paused" ? admin.states.paused : admin.states[each]}
        </li>
      ))}
      {state === "abandoned" && <li data-now="true">{admin.states.abandoned}</li>}
    </ol>
  );
}

function Missing({ trial, missing }: { trial: Trial; missing: readonly MissingThing[] }) {
  return (
    <Alert data-tone="warn" title={admin.action.missingTitle} mb="md">
      <List size="sm">
        {missing.map((thing) => (
          <List.Item key={thing.code}>
            <Anchor href={trialPath(trial.id, thing.link)}>{thing.message}</Anchor>
          </List.Item>
        ))}
      </List>
    </Alert>
  );
}

export function StateLine({ trial }: { trial: Trial }) {
  const client = useQueryClient();
  const [asked, setAsked] = useState<TrialAction | null>(null);
  const unsaved = useUnsaved();
  const primary = trial.actions.find((action) => action.action === trial.primary_action);
  const mustSave = unsaved && primary?.action === "lock";
  const others = trial.actions.filter((action) => action !== primary);
  const done = (changed: Trial): void => {
    setAsked(null);
    client.setQueryData(trialQuery(trial.id).queryKey, changed);
    void client.invalidateQueries({ queryKey: ["trial", trial.id] });
  };
  return (
    <>
      <Group justify="space-between" mb="md" wrap="wrap">
        <States state={trial.state} />
        <Group gap="xs">
          {others.length > 0 && (
            <Menu shadow="md" withinPortal={false}>
              <Menu.Target>
                <Button variant="default">{admin.action.others}</Button>
              </Menu.Target>
              <Menu.Dropdown>
                {others.map((action) => (
                  <Menu.Item key={action.action} disabled={!action.allowed} onClick={() => setAsked(action)}>
                    {action.label}
                  </Menu.Item>
                ))}
              </Menu.Dropdown>
            </Menu>
          )}
          {primary && (
            <Button disabled={!primary.allowed || mustSave} onClick={() => setAsked(primary)}>
              {primary.label}
            </Button>
          )}
        </Group>
      </Group>
      {mustSave && (
        <Alert data-tone="warn" role="status" mb="md">
          {admin.action.saveFirst}
        </Alert>
      )}
      {primary && primary.missing.length > 0 && <Missing trial={trial} missing={primary.missing} />}
      {!primary && trial.actions.length === 0 && <Text size="sm" c="dimmed" />}
      {asked && <ActionDialog trialId={trial.id} action={asked} onDone={done} onClose={() => setAsked(null)} />}
    </>
  );
}
