/** The versions of the protocol: in what each differs from the one before, as a file, as the start of another trial. */
import { Anchor, Button, Group, List, Stack, Text, TextInput } from "@mantine/core";
import { useMutation, useQuery } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import type { ProtocolChange, ProtocolVersion, Trial } from "@/api/types";
import { trialPath } from "@/config/paths";
import { admin } from "@/lib/messages-admin";
import { dateTime } from "@/timing/formats";
import { copyTrial, protocolChangesQuery, protocolVersion } from "../api";
import { Loaded, Problem } from "../shell/problem";
import { slugOf } from "../trials/slug";

const text = admin.protocol;

export function ChangeList({ changes }: { changes: readonly ProtocolChange[] }) {
  if (changes.length === 0) return <Text size="sm">{text.noChanges}</Text>;
  return (
    <List size="sm">
      {changes.map((change) => (
        <List.Item key={`${change.kind} ${change.pointer}`}>{change.words}</List.Item>
      ))}
    </List>
  );
}

function Changes({ trialId, version }: { trialId: string; version: number }) {
  const changes = useQuery(protocolChangesQuery(trialId, version - 1, version));
  return <Loaded query={changes}>{(body) => <ChangeList changes={body.changes} />}</Loaded>;
}

async function download(trial: Trial, version: number): Promise<void> {
  const { text: words } = await protocolVersion(trial.id, version);
  const address = URL.createObjectURL(new Blob([words], { type: "application/yaml" }));
  const link = document.createElement("a");
  link.href = address;
  link.download = `${trial.slug}-protocol-${version}.yaml`;
  link.click();
  URL.revokeObjectURL(address);
}

function Version({ trial, version }: { trial: Trial; version: ProtocolVersion }) {
  const [open, setOpen] = useState(false);
  return (
    <div>
      <Text size="sm">
        {admin.overview.version(version.version)} ·{" "}
        {version.locked_at ? dateTime(version.locked_at) : admin.overview.notLocked}
        {version.reason && ` · ${version.reason}`}
      </Text>
      {version.sha256 && (
        <Text size="sm" className="eq-hash eq-dim">
          {text.hash} {version.sha256}
        </Text>
      )}
      <Group gap="sm">
        <Anchor component="button" type="button" size="sm" onClick={() => void download(trial, version.version)}>
          {text.download}
        </Anchor>
        {version.version > 1 && (
          <Anchor component="button" type="button" size="sm" aria-expanded={open} onClick={() => setOpen(!open)}>
            {text.changes}
          </Anchor>
        )}
      </Group>
      {open && <Changes trialId={trial.id} version={version.version} />}
    </div>
  );
}

function CopyTrial({ trial }: { trial: Trial }) {
  const [title, setTitle] = useState("");
  const [slug, setSlug] = useState<string | null>(null);
  const shortName = slug ?? slugOf(title);
  const copy = useMutation({
    mutationFn: () => copyTrial(trial.id, { title, slug: shortName }),
    onSuccess: (made) => window.location.assign(trialPath(made.id, "protocol")),
  });
  const send = (event: FormEvent): void => {
    event.preventDefault();
    copy.mutate();
  };
  return (
    <details className="eq-form-section">
      <summary>{text.copy}</summary>
      <form className="eq-form-body" onSubmit={send}>
        <Stack>
          <Text size="sm" c="dimmed">
            {text.copyText}
          </Text>
          <TextInput
            label={admin.trials.name}
            required
            value={title}
            onChange={(event) => setTitle(event.currentTarget.value)}
          />
          <TextInput
            label={admin.trials.slug}
            description={admin.trials.slugHint}
            required
            value={shortName}
            onChange={(event) => setSlug(event.currentTarget.value)}
          />
          <Problem error={copy.error} />
          <Button
            type="submit"
            variant="default"
            w="fit-content"
            disabled={title.trim() === ""}
            loading={copy.isPending}
          >
            {text.copySend}
          </Button>
        </Stack>
      </form>
    </details>
  );
}

export function Versions({ trial, versions }: { trial: Trial; versions: readonly ProtocolVersion[] }) {
  return (
    <Stack gap="xs">
      <Text fw={600}>{text.versions}</Text>
      {versions.map((version) => (
        <Version key={version.version} trial={trial} version={version} />
      ))}
      <CopyTrial trial={trial} />
    </Stack>
  );
}
