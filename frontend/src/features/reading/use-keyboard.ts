/** Keys of the reading screen, wherever the focus is, except while the reader writes. */
import { type RefObject, useEffect } from "react";
import type { ReadingController } from "./controller";
import { commandOf } from "./keyboard";
import type { ViewerHandle } from "./use-viewer";

/** A focused control keeps the keys that work it. */
function belongsToControl(event: KeyboardEvent): boolean {
  const target = event.target;
  if (target instanceof HTMLTextAreaElement) return true;
  if (target instanceof HTMLInputElement) return target.type !== "range" || event.key.startsWith("Arrow");
  return target instanceof HTMLButtonElement && (event.key === "Enter" || event.key === " ");
}

export function useKeyboard(controller: ReadingController, viewer: RefObject<ViewerHandle | null>): void {
  useEffect(() => {
    const down = (event: KeyboardEvent): void => {
      if (belongsToControl(event)) return;
      const command = commandOf(controller.getState(), event);
      if (!command) return;
      event.preventDefault();
      if (command.type === "reset") viewer.current?.resetView();
      if (command.type === "zoom") viewer.current?.zoom?.(command.factor);
      if (command.type === "pan") viewer.current?.pan?.(command.dx, command.dy);
      controller.command(command, event);
    };
    const showAgain = (event: Event): void => {
      if (controller.getState().outlinesHidden) controller.command({ type: "hide_outlines", on: false }, event);
    };
    const up = (event: KeyboardEvent): void => {
      if (event.key.toLowerCase() === "h") showAgain(event);
    };
    window.addEventListener("keydown", down);
    window.addEventListener("keyup", up);
    window.addEventListener("blur", showAgain);
    return () => {
      window.removeEventListener("keydown", down);
      window.removeEventListener("keyup", up);
      window.removeEventListener("blur", showAgain);
    };
  }, [controller, viewer]);
}
