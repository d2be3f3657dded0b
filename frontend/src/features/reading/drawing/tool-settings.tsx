/** The settings of the tool in hand, in the row of the window controls. */
import { useSyncExternalStore } from "react";
import { contouringMessages as text } from "@/lib/messages-contouring";
import type { ContourSession, ToolName } from "@/viewer/contouring/session";
import frame from "../reading.module.css";
import css from "./drawing.module.css";

const ROUND: readonly ToolName[] = ["brush", "eraser", "threshold", "nudge"];
const LARGEST_SLIDER_MM = 60;

function NumberField(props: {
  label: string;
  name: string;
  value: number;
  disabled: boolean;
  onChange: (n: number) => void;
}) {
  return (
    <label className={css.settings}>
      <span className="eq-dim">{props.label}</span>
      <input
        type="number"
        aria-label={props.name}
        value={props.value}
        disabled={props.disabled}
        onChange={(event) => {
          const wanted = event.currentTarget.valueAsNumber;
          if (Number.isFinite(wanted)) props.onChange(Math.round(wanted));
        }}
      />
    </label>
  );
}

export function ToolSettings(props: { session: ContourSession; disabled: boolean; fused: boolean }) {
  const { session, disabled, fused } = props;
  useSyncExternalStore(session.subscribe, session.revision);
  const { settings } = session;
  const [lowest, highest] = settings.range;
  return (
    <>
      {ROUND.includes(settings.tool) && (
        <label className={css.settings}>
          <input
            type="range"
            aria-label={text.brushName}
            min={0.5}
            max={LARGEST_SLIDER_MM}
            step={0.5}
            value={settings.diameterMm}
            disabled={disabled}
            onChange={(event) => session.set({ diameterMm: Number(event.currentTarget.value) })}
            onPointerUp={(event) => event.currentTarget.blur()}
          />
          <span className={frame.number}>{text.brushSize(settings.diameterMm)}</span>
        </label>
      )}
      {settings.tool === "threshold" && (
        <>
          <NumberField
            label={text.lowest}
            name={text.lowestName}
            value={lowest}
            disabled={disabled}
            onChange={(n) => session.set({ range: [n, highest] })}
          />
          <NumberField
            label={text.highest}
            name={text.highestName}
            value={highest}
            disabled={disabled}
            onChange={(n) => session.set({ range: [lowest, n] })}
          />
        </>
      )}
      {settings.tool === "grow" && (
        <>
          <NumberField
            label={text.tolerance}
            name={text.toleranceName}
            value={settings.tolerance}
            disabled={disabled}
            onChange={(tolerance) => session.set({ tolerance: Math.max(0, tolerance) })}
          />
          <NumberField
            label={text.radius}
            name={text.radiusName}
            value={settings.growRadiusMm}
            disabled={disabled}
            onChange={(growRadiusMm) => session.set({ growRadiusMm: Math.min(200, Math.max(1, growRadiusMm)) })}
          />
          <button
            type="button"
            className={frame.tool}
            disabled={disabled}
            onClick={(event) => {
              event.currentTarget.blur();
              session.set({ growDimensions: settings.growDimensions === 2 ? 3 : 2 });
            }}
          >
            {settings.growDimensions === 2 ? text.inSlice : text.in3d} <span className={frame.key}>V</span>
          </button>
        </>
      )}
      {fused && (
        <label className={css.settings}>
          <span className="eq-dim">{text.fused}</span>
          <input
            type="range"
            aria-label={text.fusedName}
            min={0}
            max={1}
            step={0.1}
            value={settings.fusedOpacity}
            disabled={disabled}
            onChange={(event) => session.set({ fusedOpacity: Number(event.currentTarget.value), fusedShown: true })}
            onPointerUp={(event) => event.currentTarget.blur()}
          />
        </label>
      )}
    </>
  );
}
