/** What a reading task brings: its declaration and its screen. Another task is another folder beside `preference`. */
import type { ComponentType, ReactNode } from "react";
import type { ReadingController } from "../controller";
import type { ReadingState } from "../state";

export interface TaskInfo {
  readonly name: string;
  readonly version: string;
  readonly parameters: Readonly<Record<string, { readonly type: string; readonly says: string }>>;
  readonly data: Readonly<Record<string, { readonly type: string; readonly says: string }>>;
}

export interface TaskScreenProps {
  readonly state: ReadingState;
  readonly controller: ReadingController;
  /** Covers laid over the images: break, help, opening. */
  readonly children?: ReactNode;
}

export interface Task {
  readonly info: TaskInfo;
  readonly Screen: ComponentType<TaskScreenProps>;
}
