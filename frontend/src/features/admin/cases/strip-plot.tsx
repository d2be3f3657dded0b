/** One number over all cases: a dot each on a common axis, the accepted range shaded, what lies outside marked. */
import { admin } from "@/lib/messages-admin";
import { number } from "./numbers";

export interface Dot {
  readonly case: string;
  readonly value: number;
}

export interface StripPlotProps {
  readonly label: string;
  readonly unit: string;
  readonly low: number | null;
  readonly high: number | null;
  readonly values: readonly Dot[];
}

const WIDTH = 320;
const HEIGHT = 76;
const SIDE = 12;
const AXIS_Y = 54;
const RADIUS = 3.5;
const text = admin.quality;

/** Places dots of (nearly) the same value above each other; returns how many lie under each. */
export function stacked(xs: readonly number[], width: number): number[] {
  const levels: number[] = [];
  const taken: { x: number; level: number }[] = [];
  for (const x of xs) {
    let level = 0;
    while (taken.some((other) => other.level === level && Math.abs(other.x - x) < width)) level += 1;
    taken.push({ x, level });
    levels.push(level);
  }
  return levels;
}

export function StripPlot({ label, unit, low, high, values }: StripPlotProps) {
  const measured = values.map((dot) => dot.value);
  const all = [...measured, ...[low, high].filter((end): end is number => end !== null)];
  const least = Math.min(...all);
  const most = Math.max(...all);
  const span = most - least || Math.max(Math.abs(most), 1) * 0.1;
  const from = least - span * 0.06;
  const to = most + span * 0.06;
  const at = (value: number) => SIDE + ((value - from) / (to - from)) * (WIDTH - 2 * SIDE);
  const outside = (value: number) => (low !== null && value < low) || (high !== null && value > high);
  const levels = stacked(measured.map(at), 2 * RADIUS);
  const step = Math.min(2 * RADIUS, (AXIS_Y - 2 * RADIUS) / Math.max(1, ...levels));
  const failing = values.filter((dot) => outside(dot.value)).length;
  const limited = low !== null || high !== null;
  const start = low === null ? SIDE : at(low);
  const end = high === null ? WIDTH - SIDE : at(high);
  return (
    <figure className="eq-strip">
      <figcaption>
        {label}
        {unit && ` (${unit})`}
        <span className="eq-dim">
          {text.range(number(Math.min(...measured)), number(Math.max(...measured)), values.length, failing)}
        </span>
      </figcaption>
      <svg viewBox={`0 0 ${WIDTH} ${HEIGHT}`} role="img" aria-label={text.plot(label, values.length, failing)}>
        {limited && <rect className="eq-strip-accepted" x={start} y={2} width={Math.max(0, end - start)} height={52} />}
        <line className="eq-strip-axis" x1={SIDE} x2={WIDTH - SIDE} y1={AXIS_Y} y2={AXIS_Y} />
        {values.map((dot, index) => (
          <circle
            key={`${dot.case} ${dot.value}`}
            className={outside(dot.value) ? "eq-strip-bad" : "eq-strip-dot"}
            cx={at(dot.value)}
            cy={AXIS_Y - RADIUS - (levels[index] ?? 0) * step}
            r={RADIUS}
          >
            <title>{`${dot.case}: ${number(dot.value)} ${unit}`}</title>
          </circle>
        ))}
        <text x={SIDE} y={HEIGHT - 6}>
          {number(least)}
        </text>
        <text x={WIDTH - SIDE} y={HEIGHT - 6} textAnchor="end">
          {number(most)}
        </text>
      </svg>
    </figure>
  );
}
