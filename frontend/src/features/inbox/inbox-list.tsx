import type { InboxRow } from "@/api/types";
import { readPath } from "@/config/paths";
import { messages } from "@/lib/messages";

const text = messages.inbox;

export function InboxList({ rows }: { rows: readonly InboxRow[] }) {
  if (rows.length === 0) return <p className="eq-dim">{text.empty}</p>;
  return (
    <ul className="eq-list">
      {rows.map((row) => (
        <li key={row.trial}>
          <a className="eq-card" href={readPath(row.trial)}>
            <span>
              <strong>{row.title}</strong>
              <br />
              <span className="eq-dim">{row.message ?? text.steps[row.step]}</span>
            </span>
            <span className="eq-spread" />
            <span className="eq-dim">
              {text.progress(Math.min(row.n, row.total), row.total)}
              {row.minutes_left !== null && row.minutes_left > 0 && (
                <>
                  <br />
                  {text.minutes(row.minutes_left)}
                </>
              )}
            </span>
          </a>
        </li>
      ))}
    </ul>
  );
}
