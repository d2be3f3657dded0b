/** The preference task's answer: which side, or none. */
import { messages } from "@/lib/messages";
import { defineTask, setupOf } from "../task";
import { PreferenceCorrection } from "./correction";
import { info } from "./info";
import { PreferenceScreen } from "./screen";
import { choose, type PreferenceAction, type PreferenceValue, sameKey } from "./value";

export const task = defineTask<PreferenceValue, PreferenceAction>({
  info,
  begin: (_presentation, draft) => ({
    choice: typeof draft?.choice === "string" && draft.choice !== "cannot_assess" ? draft.choice : null,
  }),
  reduce: (value, action) => (value.choice === action.choice ? value : { choice: action.choice }),
  record: (_action, value) => ({ kind: "answer_change", data: { choice: value.choice, reason_code: null } }),
  isAnswer: () => true,
  clear: (value) => (value.choice === null ? null : choose(null)),
  isComplete: (value) => value.choice !== null,
  answer: (value) => ({ choice: value.choice }),
  cannotAssess: { choice: "cannot_assess" },
  draft: (value) => ({ choice: value.choice }),
  key(_value, press, presentation) {
    const option = setupOf(presentation, "preference").options.find((each) => sameKey(each.key, press.key));
    if (!option || press.shiftKey) return null;
    return press.repeat ? { type: "none" } : { type: "task", action: choose(option.value) };
  },
  help: messages.preferenceKeys,
  immediate: true,
  Screen: PreferenceScreen,
  Correction: PreferenceCorrection,
});
