import { useQuery } from "@tanstack/react-query";
import { type PointerEvent, useMemo, useState } from "react";
import type { Figure } from "@/api/types";
import { admin } from "@/lib/messages-admin";
import { figurePointsQuery } from "../api";
import { inReadingOrder, nearestPoint } from "./nearest-point";

const text = admin.analyses;

/** A figure: what a point of it says is shown under the pointer, or point by point with the arrow keys. */
export function FigureBox({ figure }: { figure: Figure }) {
  const files = [
    { label: "SVG", href: figure.svg_url },
    { label: "PNG", href: figure.png_url },
    { label: "PDF", href: figure.pdf_url },
    { label: "CSV", href: figure.csv_url },
  ];
  const [isWanted, setWanted] = useState(false);
  const [shown, setShown] = useState<number | null>(null);
  const { data } = useQuery({ ...figurePointsQuery(figure.points_url), enabled: isWanted });
  const points = useMemo(() => inReadingOrder(data ?? []), [data]);
  const point = shown === null ? undefined : points[shown];

  function follow(event: PointerEvent<HTMLDivElement>): void {
    const box = event.currentTarget.getBoundingClientRect();
    setShown(nearestPoint(points, event.clientX - box.left, event.clientY - box.top, box));
  }

  return (
    <figure className="eq-figure">
      <div
        className="eq-figure-picture"
        onPointerEnter={() => setWanted(true)}
        onPointerMove={follow}
        onPointerLeave={() => setShown(null)}
      >
        <img src={figure.svg_url} alt={figure.title} />
        {point && (
          <>
            <span className="eq-figure-mark" style={placeOf(point)} />
            <span className="eq-figure-words" data-side={point[0] > 0.5 ? "left" : "right"} style={placeOf(point)}>
              {point[2]}
            </span>
          </>
        )}
      </div>
      <input
        className="eq-figure-points"
        type="range"
        aria-label={text.points(figure.title)}
        min={0}
        max={Math.max(points.length - 1, 0)}
        value={shown ?? 0}
        aria-valuetext={point?.[2] ?? text.noPoint}
        onFocus={() => setWanted(true)}
        onBlur={() => setShown(null)}
        onKeyDown={(event) => event.key.startsWith("Arrow") && shown === null && setShown(0)}
        onChange={(event) => setShown(Number(event.currentTarget.value))}
      />
      <figcaption>
        <strong>{figure.title}</strong> {figure.caption}
        <br />
        {files.map((file) => (
          <a key={file.label} href={file.href} download>
            {file.label}{" "}
          </a>
        ))}
      </figcaption>
    </figure>
  );
}

function placeOf([left, top]: readonly [number, number, string]): { left: string; top: string } {
  return { left: `${100 * left}%`, top: `${100 * top}%` };
}
