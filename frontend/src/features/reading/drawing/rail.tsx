/** The tool rail at the left: names and keys. */
import { useSyncExternalStore } from "react";
import { contouringMessages as text } from "@/lib/messages-contouring";
import { TOOL_KEYS } from "@/viewer/contouring/keys";
import { type ContourSession, TOOLS } from "@/viewer/contouring/session";
import css from "./drawing.module.css";

export function ToolRail({ session, disabled }: { session: ContourSession; disabled: boolean }) {
  useSyncExternalStore(session.subscribe, session.revision);
  const { settings, engine } = session;
  const act = (name: string, key: string, run: () => void, more: { pressed?: boolean; off?: boolean } = {}) => (
    <button
      type="button"
      key={name}
      className={css.tool}
      disabled={disabled || more.off === true}
      aria-pressed={more.pressed}
      onClick={(event) => {
        event.currentTarget.blur();
        run();
      }}
    >
      {name} <span className={css.key}>{key}</span>
    </button>
  );
  return (
    <div className={css.rail} role="toolbar" aria-label={text.rail} aria-orientation="vertical">
      {TOOLS.map((tool) =>
        act(text.tools[tool], TOOL_KEYS[tool], () => session.set({ tool }), { pressed: settings.tool === tool }),
      )}
      <hr className={css.rule} />
      {act(text.subtract, "A", () => session.set({ mode: settings.mode === "add" ? "subtract" : "add" }), {
        pressed: settings.mode === "subtract",
      })}
      {act(text.interpolate, "N", () => session.interpolate())}
      {act(text.fill, "K", () => session.fillHoles(false))}
      {act(text.smooth, "M", () => session.smooth())}
      {act(text.copy, "D", () => session.copyTo(1))}
      <hr className={css.rule} />
      {act(text.undo, "^Z", () => void session.undo(), { off: engine.undoable === 0 && !session.pending })}
      {act(text.redo, "^\u21e7Z", () => void session.redo(), { off: engine.redoable === 0 })}
    </div>
  );
}
