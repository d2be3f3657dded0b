/** Recovery codes, on the screen this once: to copy, to keep as a file, to print. */
import { useEffect, useRef, useState } from "react";
import { messages } from "@/lib/messages";

const text = messages.account;

function save(content: string): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([content], { type: "text/plain" }));
  link.download = "equipoise-recovery-codes.txt";
  link.click();
  URL.revokeObjectURL(link.href);
}

export function RecoveryCodes(props: { codes: readonly string[]; email: string; onKept: () => void }) {
  const { codes, email, onKept } = props;
  const [notice, setNotice] = useState("");
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => heading.current?.focus(), []);
  const words = text.codesFile(window.location.host, email);
  const content = `${words}\n\n${codes.join("\n")}\n`;
  const copy = (): void => {
    Promise.resolve()
      .then(() => navigator.clipboard.writeText(content))
      .then(
        () => setNotice(text.copied),
        () => setNotice(text.copyFailed),
      );
  };
  return (
    <section className="eq-panel eq-codes" aria-labelledby="new-codes">
      <h2 id="new-codes" ref={heading} tabIndex={-1}>
        {text.codesNew}
      </h2>
      <p>{text.codesOnce}</p>
      <p className="eq-only-print">{words}</p>
      <ul>
        {codes.map((code) => (
          <li key={code}>
            <code>{code}</code>
          </li>
        ))}
      </ul>
      <div className="eq-row eq-no-print">
        <button type="button" className="eq-button" data-kind="primary" onClick={onKept}>
          {text.codesKept}
        </button>
        <button type="button" className="eq-button" onClick={copy}>
          {text.copy}
        </button>
        <button type="button" className="eq-button" onClick={() => save(content)}>
          {text.download}
        </button>
        <button type="button" className="eq-button" onClick={() => window.print()}>
          {text.print}
        </button>
        <span role="status" className="eq-dim">
          {notice}
        </span>
      </div>
    </section>
  );
}
