/** One trial as its reader meets it: the steps in order, and the reading screen among them. */
import { useQuery } from "@tanstack/react-query";
import { useParams } from "@tanstack/react-router";
import { useCallback, useEffect } from "react";
import { errorText } from "@/api/errors";
import type { ReaderState } from "@/api/types";
import { Loading, Page } from "@/components/page";
import { readerStateQuery } from "@/features/onboarding/api";
import { StepPage } from "@/features/onboarding/steps";
import { READING_STEPS } from "@/features/reading/controller";
import { ReadingScreen } from "@/features/reading/reading-screen";
import { sessionQuery, signIn } from "@/features/session/session-query";
import { messages } from "@/lib/messages";
import { AccountMenu } from "../account-menu";
import { queryClient } from "../query-client";

export default function ReadRoute() {
  const { trial } = useParams({ from: "/read/$trial" });
  const session = useQuery(sessionQuery);
  const query = readerStateQuery(trial);
  const reader = useQuery(query);
  const account = session.data?.account;
  const title = reader.data?.title;
  useEffect(() => {
    document.title = title ? `${title} – ${messages.product}` : messages.product;
  }, [title]);
  const setState = (state: ReaderState): void => {
    queryClient.setQueryData(query.queryKey, state);
  };
  const { refetch } = reader;
  const leave = useCallback(() => void refetch(), [refetch]);
  const enter = useCallback((password: string) => signIn(account?.email ?? "", password), [account?.email]);

  if (account && reader.data && READING_STEPS.includes(reader.data.step)) {
    return (
      <ReadingScreen account={account.email} trial={trial} title={reader.data.title} signIn={enter} onLeave={leave} />
    );
  }
  return (
    <Page aside={<AccountMenu />}>
      {reader.isPending && <Loading />}
      {reader.isError && <p role="alert">{errorText(reader.error)}</p>}
      {reader.data && (
        <>
          <p className="eq-dim">{reader.data.title}</p>
          <StepPage key={reader.data.step} state={reader.data} onState={setState} />
        </>
      )}
    </Page>
  );
}
