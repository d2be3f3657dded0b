/** Whose contour a region or mask file is: asked wherever material comes in. */
import { Button, Group, NativeSelect, Stack, Text, TextInput } from "@mantine/core";
import type { RoiRule } from "@/api/types";
import { admin } from "@/lib/messages-admin";

const text = admin.cases;

/** One empty rule for each source that the protocol compares. */
export function rulesFor(sources: readonly string[]): RoiRule[] {
  return sources.map((source) => ({ source, pattern: "", applies_to: "region", required: true }));
}

export function completeRules(rules: readonly RoiRule[]): boolean {
  return rules.every((rule) => rule.source !== "" && rule.pattern !== "");
}

export function RoiRules({ rules, onChange }: { rules: readonly RoiRule[]; onChange: (rules: RoiRule[]) => void }) {
  const change = (index: number, part: Partial<RoiRule>): void =>
    onChange(rules.map((rule, at) => (at === index ? { ...rule, ...part } : rule)));
  return (
    <div>
      <Text fw={600}>{text.rois}</Text>
      <Text size="sm" c="dimmed" mb="xs">
        {text.roisHint}
      </Text>
      <Stack gap="xs">
        {rules.map((rule, index) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: rules have no name of their own; their place is their key
          <Group key={index} align="flex-end" gap="xs">
            <TextInput
              label={text.source}
              value={rule.source}
              onChange={(event) => change(index, { source: event.currentTarget.value })}
            />
            <NativeSelect
              label={text.appliesTo}
              data={[
                { value: "region", label: text.region },
                { value: "file", label: text.maskFile },
              ]}
              value={rule.applies_to}
              onChange={(event) => change(index, { applies_to: event.currentTarget.value as "region" | "file" })}
            />
            <TextInput
              label={text.pattern}
              value={rule.pattern}
              onChange={(event) => change(index, { pattern: event.currentTarget.value })}
            />
            <Button variant="subtle" color="gray" onClick={() => onChange(rules.filter((_, at) => at !== index))}>
              {admin.common.remove}
            </Button>
          </Group>
        ))}
        <Button
          variant="default"
          size="compact-sm"
          w="fit-content"
          onClick={() => onChange([...rules, { source: "", pattern: "", applies_to: "region", required: true }])}
        >
          {admin.common.add}
        </Button>
      </Stack>
    </div>
  );
}
