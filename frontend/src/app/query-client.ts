import { MutationCache, QueryCache, QueryClient } from "@tanstack/react-query";
import { isPassing, needsSecondFactor, needsSignIn } from "@/api/errors";
import { sessionQuery } from "@/api/session";
import type { Session } from "@/api/types";

const MOST_RETRIES = 2;

/** Whoever did not sign in again when asked is led to the sign-in and back; the reading screen stays where it is. */
function toSignIn(error: Error): void {
  const { pathname, search } = window.location;
  if (!needsSignIn(error) || pathname.startsWith("/read/") || pathname === "/sign-in") return;
  window.location.assign(`/sign-in?${new URLSearchParams({ to: pathname + search })}`);
}

/** A role that needs a second factor may come in the middle of a session. */
function toSecondFactor(error: Error): void {
  const { pathname, search } = window.location;
  if (!needsSecondFactor(error) || pathname === "/account") return;
  window.location.assign(`/account?${new URLSearchParams({ to: pathname + search })}`);
}

export const queryClient = new QueryClient({
  queryCache: new QueryCache({
    onError: (error) => {
      toSignIn(error);
      toSecondFactor(error);
    },
  }),
  mutationCache: new MutationCache({ onError: toSecondFactor }),
  defaultOptions: {
    queries: {
      retry: (failures, error) => isPassing(error) && failures < MOST_RETRIES,
      staleTime: 5_000,
    },
  },
});

/** Somebody signs in: nothing that was there for another person stays. The session itself is watched on every page. */
export function enterAs(session: Session): void {
  queryClient.removeQueries({ predicate: (query) => query.queryKey[0] !== sessionQuery.queryKey[0] });
  queryClient.setQueryData(sessionQuery.queryKey, session);
}
