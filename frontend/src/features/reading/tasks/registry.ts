/** The one list of tasks on this side. Each is fetched when it is first needed. */
import type { Task } from "./task";

const tasks: Readonly<Record<string, () => Promise<{ readonly task: Task }>>> = {
  preference: () => import("./preference/task"),
  contouring: () => import("./contouring/task"),
  "contour-review": () => import("./contour-review/task"),
  classification: () => import("./classification/task"),
  "rating-form": () => import("./rating-form/task"),
};

/** The task of that name; null if this page knows none. */
export async function loadTask(name: string): Promise<Task | null> {
  const load = tasks[name];
  return load ? (await load()).task : null;
}
