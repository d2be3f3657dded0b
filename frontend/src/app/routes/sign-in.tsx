import { useNavigate, useSearch } from "@tanstack/react-router";
import { sessionQuery } from "@/api/session";
import type { Session } from "@/api/types";
import { SignInPage } from "@/features/session/sign-in-page";
import { queryClient } from "../query-client";

export default function SignInRoute() {
  const { to, problem } = useSearch({ from: "/sign-in" });
  const navigate = useNavigate();
  const enter = async (session: Session): Promise<void> => {
    queryClient.clear();
    queryClient.setQueryData(sessionQuery.queryKey, session);
    // Only addresses of our own: the rest of the page comes from the address bar.
    await navigate({ href: to?.startsWith("/") && !to.startsWith("//") ? to : "/" });
  };
  return <SignInPage {...(problem ? { problem } : {})} onSignedIn={enter} />;
}
