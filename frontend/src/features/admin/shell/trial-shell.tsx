/** One trial: rail at the left, state line on top, the section below. */
import { Title } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { lazy, type ReactNode, Suspense, useEffect } from "react";
import type { Trial } from "@/api/types";
import { Loading } from "@/components/page";
import { trialPath } from "@/config/paths";
import { messages } from "@/lib/messages";
import { admin } from "@/lib/messages-admin";
import { trialQuery } from "../api";
import { Kit } from "../kit";
import { Loaded } from "./problem";
import { StateLine } from "./state-line";
import { UnsavedProvider } from "./unsaved";

const sections = {
  overview: lazy(() => import("../overview/overview-section")),
  protocol: lazy(() => import("../protocol/protocol-section")),
  cases: lazy(() => import("../cases/cases-section")),
  participants: lazy(() => import("../participants/participants-section")),
  rehearsal: lazy(() => import("../rehearsal/rehearsal-section")),
  allocation: lazy(() => import("../allocation/allocation-section")),
  monitor: lazy(() => import("../monitor/monitor-section")),
  analyses: lazy(() => import("../analyses/analyses-section")),
  audit: lazy(() => import("../audit/audit-section")),
} as const;

type SectionName = keyof typeof sections;

/** Of a trial that was run elsewhere there are tables and results, but neither images nor people. */
const OF_IMPORTED: readonly SectionName[] = ["overview", "protocol", "analyses", "audit"];

function Rail(props: { trialId: string; current: SectionName; imported: boolean }) {
  const { trialId, current, imported } = props;
  const names = imported ? OF_IMPORTED : (Object.keys(sections) as SectionName[]);
  return (
    <nav className="eq-rail">
      {names.map((name) => (
        <a key={name} href={trialPath(trialId, name)} aria-current={name === current ? "page" : undefined}>
          {admin.rail[name]}
        </a>
      ))}
    </nav>
  );
}

function Body({ trial, current }: { trial: Trial; current: SectionName }) {
  const Section = sections[current];
  return (
    <UnsavedProvider>
      <Title order={1} size="h3" mb="xs">
        {trial.title}
      </Title>
      <StateLine trial={trial} />
      <Suspense fallback={<Loading />}>
        <Section trial={trial} />
      </Suspense>
    </UnsavedProvider>
  );
}

export function TrialShell(props: { trialId: string; section: string | undefined; account: ReactNode }) {
  const trial = useQuery(trialQuery(props.trialId));
  const current = props.section && props.section in sections ? (props.section as SectionName) : "overview";
  const title = trial.data?.title;
  useEffect(() => {
    document.title = title ? `${title} – ${messages.product}` : messages.product;
  }, [title]);
  return (
    <Kit>
      <div className="eq-page">
        <header className="eq-header">
          <a className="eq-brand" href="/trials">
            {messages.product}
          </a>
          <span className="eq-spread" />
          {props.account}
        </header>
        <div className="eq-admin">
          <Rail trialId={props.trialId} current={current} imported={Boolean(trial.data?.imported)} />
          <main className="eq-content">
            <Loaded query={trial}>{(body) => <Body trial={body} current={current} />}</Loaded>
          </main>
        </div>
      </div>
    </Kit>
  );
}
