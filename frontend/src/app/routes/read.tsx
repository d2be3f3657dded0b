/** One trial as its reader meets it: the steps in order, and the reading screen among them. */
import { useQuery } from "@tanstack/react-query";
import { useParams } from "@tanstack/react-router";
import { lazy, Suspense, useCallback, useEffect, useState } from "react";
import { proveBy } from "@/api/client";
import { errorText } from "@/api/errors";
import { signIn } from "@/api/session";
import type { ReaderState } from "@/api/types";
import { Loading, Page } from "@/components/page";
import { readerStateQuery, sendResume } from "@/features/onboarding/api";
import { ReturnPage, StepPage } from "@/features/onboarding/steps";
import { READING_STEPS } from "@/features/reading/controller";
import { readingEnvironment } from "@/features/reading/environment";
import { leftoversQuery } from "@/features/reading/leftovers-query";
import { needsGreySteps } from "@/features/reading/minimum";
import { ReadingScreen } from "@/features/reading/reading-screen";
import type { LeftFor } from "@/features/reading/state";
import { useKnownAccount } from "@/features/session/known-account";
import { messages } from "@/lib/messages";
import { AccountMenu } from "../account-menu";
import { queryClient } from "../query-client";

const GreyStepsScreen = lazy(() => import("@/features/reading/grey-steps-screen"));

export default function ReadRoute() {
  const { trial } = useParams({ from: "/read/$trial" });
  const account = useKnownAccount();
  // What the server says of a reading left open rests on what an earlier page load still had to send.
  const leftovers = useQuery(leftoversQuery(account?.email, trial));
  const reader = useQuery({ ...readerStateQuery(trial), enabled: leftovers.isSuccess });
  const title = reader.data?.title;
  useEffect(() => {
    document.title = title ? `${title} – ${messages.product}` : messages.product;
  }, [title]);
  const [display, setDisplay] = useState(() => readingEnvironment().display);
  const setState = useCallback(
    (state: ReaderState): void => {
      // The test was of the display the window is on now.
      setDisplay(readingEnvironment().display);
      queryClient.setQueryData(readerStateQuery(trial).queryKey, state);
    },
    [trial],
  );
  const { refetch } = reader;
  const [visit, setVisit] = useState(0);
  const [told, setTold] = useState("");
  const leave = useCallback(
    (step: LeftFor | null) => {
      // The display may be another one by now; the server knows whether it was tested in this session.
      setDisplay(readingEnvironment().display);
      if (!READING_STEPS.some((each) => each === step)) {
        void refetch();
        return;
      }
      // The reading on the screen was left for too long: a break is over, and it opens as if the page were new.
      void sendResume(trial)
        .then((state) => queryClient.setQueryData(readerStateQuery(trial).queryKey, state), refetch)
        .then(() => setVisit((count) => count + 1));
    },
    [refetch, trial],
  );
  const enter = useCallback((password: string) => signIn(account?.email ?? "", password), [account?.email]);

  const rule = reader.data?.environment ?? null;
  const reads = reader.data !== undefined && READING_STEPS.includes(reader.data.step);
  const back = reads ? reader.data.on_return : null;
  const tells = back !== null && told !== back.left_at;
  const needsTest = reads && !tells && rule !== null && needsGreySteps(display, rule);
  const isReading = reads && !tells && !needsTest;
  // Over an image there is no dialog: the reading screen asks for the password in its own row.
  useEffect(() => (isReading ? proveBy(async () => false) : undefined), [isReading]);
  if (needsTest) {
    return (
      <Page aside={<AccountMenu />}>
        <p className="eq-dim">{title}</p>
        <Suspense fallback={<Loading />}>
          <GreyStepsScreen trial={trial} rule={rule} onState={setState} />
        </Suspense>
      </Page>
    );
  }
  if (account && isReading) {
    return (
      <ReadingScreen
        key={visit}
        account={account.email}
        trial={trial}
        title={title ?? ""}
        rule={rule}
        signIn={enter}
        onLeave={leave}
      />
    );
  }
  return (
    <Page aside={<AccountMenu />}>
      {reader.isPending && <Loading />}
      {reader.isError && <p role="alert">{errorText(reader.error)}</p>}
      {reader.data && (
        <>
          <p className="eq-dim">{reader.data.title}</p>
          {back !== null && tells ? (
            <ReturnPage back={back} onContinue={() => setTold(back.left_at)} />
          ) : (
            <StepPage key={reader.data.step} state={reader.data} onState={setState} />
          )}
        </>
      )}
    </Page>
  );
}
