/** The frame of every page that is neither the reading screen nor the administrator's part. */
import type { ReactNode } from "react";
import { messages } from "@/lib/messages";

export function Page(props: { children: ReactNode; narrow?: boolean; aside?: ReactNode }) {
  return (
    <div className="eq-page">
      <header className="eq-header">
        <a className="eq-brand" href="/">
          {messages.product}
        </a>
        <span className="eq-spread" />
        {props.aside}
      </header>
      <main className="eq-main" data-narrow={props.narrow === true}>
        {props.children}
      </main>
    </div>
  );
}

export function Loading() {
  return (
    <p className="eq-dim" role="status">
      {messages.common.loading}
    </p>
  );
}
