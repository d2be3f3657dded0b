import { info as preferenceInfo } from "./preference/info";
import { PreferenceScreen } from "./preference/screen";
import type { Task } from "./task";

const preference: Task = { info: preferenceInfo, Screen: PreferenceScreen };

const tasks: ReadonlyMap<string, Task> = new Map([[preference.info.name, preference]]);

/** The task of that name; before the first reading has come, the layout of the preference task. */
export function taskOf(name: string | undefined): Task | null {
  return name === undefined ? preference : (tasks.get(name) ?? null);
}
