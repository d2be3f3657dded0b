import { QueryCache, QueryClient } from "@tanstack/react-query";
import { isPassing, needsSignIn } from "@/api/errors";

const MOST_RETRIES = 2;

/** A session that ended leads to the sign-in and back. The reading screen asks for the password in place instead. */
function toSignIn(error: Error): void {
  const { pathname, search } = window.location;
  if (!needsSignIn(error) || pathname.startsWith("/read/") || pathname === "/sign-in") return;
  window.location.assign(`/sign-in?${new URLSearchParams({ to: pathname + search })}`);
}

export const queryClient = new QueryClient({
  queryCache: new QueryCache({ onError: toSignIn }),
  defaultOptions: {
    queries: {
      retry: (failures, error) => isPassing(error) && failures < MOST_RETRIES,
      staleTime: 5_000,
    },
  },
});
