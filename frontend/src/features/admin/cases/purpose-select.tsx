/** What cases that come in are for: asked wherever material comes in. */
import { NativeSelect } from "@mantine/core";
import type { Purpose } from "@/api/types";
import { admin } from "@/lib/messages-admin";

const text = admin.cases;

export function PurposeSelect(props: { purpose: Purpose; onChange: (purpose: Purpose) => void }) {
  return (
    <NativeSelect
      label={text.purpose}
      data={[
        { value: "trial", label: text.trial },
        { value: "practice", label: text.practice },
      ]}
      value={props.purpose}
      onChange={(event) => props.onChange(event.currentTarget.value as Purpose)}
    />
  );
}
