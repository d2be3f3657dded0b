/** The contouring task's answer: a mask on the image's voxels, and how it came about. */
import { contouringMessages } from "@/lib/messages-contouring";
import { Desk, volumeGrid } from "../../drawing/desk";
import {
  begun,
  type DrawingAction,
  type Drawn,
  drawingKey,
  isFinished,
  recordDrawing,
  reduceDrawing,
} from "../../drawing/progress";
import { defineTask, setupOf } from "../task";
import { info } from "./info";
import { ContouringScreen } from "./screen";

export const task = defineTask<Drawn, DrawingAction>({
  info,
  begin(presentation, draft) {
    const [grid] = setupOf(presentation, "contouring").grids;
    if (!grid) throw new Error("A contouring reading came without a grid.");
    return begun(new Desk(presentation, volumeGrid(grid), draft));
  },
  reduce: reduceDrawing,
  record: recordDrawing,
  isAnswer: (action) => action.type === "drew",
  clear: () => null,
  isComplete: isFinished,
  answer: (value) => value.desk.answer(),
  cannotAssess: {},
  draft: (value) => ({ drawing: value.desk.drawing() }),
  key: (value, press) => drawingKey(value, press, true),
  help: contouringMessages.keys,
  mouse: contouringMessages.mouse,
  immediate: false,
  Screen: ContouringScreen,
});
