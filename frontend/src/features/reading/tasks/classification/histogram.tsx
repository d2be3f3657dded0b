/** How often the values of the image occur, with the window laid over them. For the eye only: the sliders set it. */
import { useMemo } from "react";
import { messages } from "@/lib/messages";
import type { Voi } from "@/viewer/lut";
import type { WindowRange } from "../../state";
import css from "./classification.module.css";

const BINS = 64;
const HEIGHT = 26;
const WIDTH = 128;

/** Shares of a log scale, 0 to 1 per bin; values outside the range count in the first or last bin. */
export function histogramOf(frames: readonly Int16Array[], range: WindowRange): number[] {
  const counts = new Array<number>(BINS).fill(0);
  const span = Math.max(1, range.highest - range.lowest);
  for (const pixels of frames) {
    for (const value of pixels) {
      const bin = Math.floor(((value - range.lowest) / span) * BINS);
      const index = Math.min(BINS - 1, Math.max(0, bin));
      counts[index] = (counts[index] ?? 0) + 1;
    }
  }
  const most = Math.log1p(Math.max(...counts));
  return counts.map((count) => (most > 0 ? Math.log1p(count) / most : 0));
}

export function Histogram(props: { frames: readonly Int16Array[]; voi: Voi; range: WindowRange }) {
  const { frames, voi, range } = props;
  const bars = useMemo(() => histogramOf(frames, range), [frames, range]);
  const span = Math.max(1, range.highest - range.lowest);
  const place = (value: number): number => Math.min(WIDTH, Math.max(0, ((value - range.lowest) / span) * WIDTH));
  const left = place(voi.level - voi.width / 2);
  const right = place(voi.level + voi.width / 2);
  const points = bars.map((share, bin) => `${(bin * WIDTH) / BINS},${HEIGHT - share * HEIGHT}`).join(" ");
  return (
    <svg
      className={css.histogram}
      viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
      width={WIDTH}
      height={HEIGHT}
      role="img"
      aria-label={messages.classification.histogram}
    >
      <rect className={css.shownValues} x={left} y={0} width={Math.max(1, right - left)} height={HEIGHT} />
      <polyline className={css.curve} points={points} />
    </svg>
  );
}
