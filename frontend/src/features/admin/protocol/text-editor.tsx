/** The protocol as text, with line numbers; lines with a problem stand out. */
import { type RefObject, useRef } from "react";
import { admin } from "@/lib/messages-admin";

const LINE_HEIGHT_PX = 20;

/** Puts the caret at the start of a line (counted from 1) and shows it. */
export function goToLine(area: HTMLTextAreaElement, line: number): void {
  const before = area.value.split("\n").slice(0, line - 1);
  const start = before.reduce((sum, each) => sum + each.length + 1, 0);
  area.focus();
  area.setSelectionRange(start, start);
  area.scrollTop = Math.max(0, (line - 6) * LINE_HEIGHT_PX);
}

export function TextEditor(props: {
  value: string;
  readOnly: boolean;
  problemLines: ReadonlySet<number>;
  area: RefObject<HTMLTextAreaElement | null>;
  onChange: (value: string) => void;
}) {
  const gutter = useRef<HTMLDivElement>(null);
  const lines = props.value.split("\n").length;
  return (
    <div className="eq-editor">
      <div className="eq-gutter" ref={gutter} aria-hidden="true">
        {Array.from({ length: lines }, (_, index) => index + 1).map((line) => (
          <div key={line} data-problem={props.problemLines.has(line)}>
            {line}
          </div>
        ))}
      </div>
      <textarea
        ref={props.area}
        aria-label={admin.protocol.text}
        spellCheck={false}
        readOnly={props.readOnly}
        value={props.value}
        onChange={(event) => props.onChange(event.currentTarget.value)}
        onScroll={(event) => {
          if (gutter.current) gutter.current.scrollTop = event.currentTarget.scrollTop;
        }}
      />
    </div>
  );
}
