/** What is kept of a bundle, or of its public form: when it was made, the file, its hash, what is not in it. */
import { Alert, Group, Text } from "@mantine/core";
import type { ReactNode } from "react";
import type { Bundle, PublicBundle } from "@/api/types";
import { admin } from "@/lib/messages-admin";
import { sizeText } from "@/lib/size-text";
import { dateTime } from "@/timing/formats";
import { exportAddress } from "../api";
import { ExportLink } from "../shell/export-link";

const text = admin.bundle;

export function KeptBundle(props: {
  trialId: string;
  file: "bundle.zip" | "public-bundle.zip";
  kept: Bundle | PublicBundle;
  none: string;
  outdated: string;
  hash: (sha256: string) => string;
  children?: ReactNode;
}) {
  const { kept } = props;
  if (!kept.made_at || kept.file_count === null || kept.size_bytes === null) return <Text>{props.none}</Text>;
  return (
    <>
      <Group>
        <Text>{text.made(dateTime(kept.made_at), kept.file_count, sizeText(kept.size_bytes))}</Text>
        <ExportLink href={exportAddress(props.trialId, props.file)}>{text.download}</ExportLink>
      </Group>
      {props.children}
      {!kept.current && <Alert data-tone="warn">{props.outdated}</Alert>}
      {kept.not_computed.map((each) => (
        <Text key={each.name} size="sm">
          {text.notComputed(each.name, each.why)}
        </Text>
      ))}
      <Text size="xs" c="dimmed" className="eq-hash">
        {props.hash(kept.manifest_sha256 ?? "")}
      </Text>
    </>
  );
}
