export interface PreferenceValue {
  readonly choice: string | null;
}

export interface PreferenceAction {
  readonly type: "choose";
  readonly choice: string | null;
}

export const choose = (choice: string | null): PreferenceAction => ({ type: "choose", choice });

const ARROWS: Readonly<Record<string, string>> = {
  "←": "ArrowLeft",
  "→": "ArrowRight",
  "↓": "ArrowDown",
  "↑": "ArrowUp",
};

/** Whether a pressed key is the one the protocol names, however it is written. */
export function sameKey(named: string, pressed: string): boolean {
  return (ARROWS[named] ?? named).toLowerCase() === pressed.toLowerCase();
}
