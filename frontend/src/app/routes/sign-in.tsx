import { useNavigate, useSearch } from "@tanstack/react-router";
import type { Session } from "@/api/types";
import { ownPath } from "@/config/paths";
import { SignInPage } from "@/features/session/sign-in-page";
import { enterAs } from "../query-client";

export default function SignInRoute() {
  const { to, problem } = useSearch({ from: "/sign-in" });
  const navigate = useNavigate();
  const enter = async (session: Session): Promise<void> => {
    enterAs(session);
    await navigate({ href: ownPath(to) });
  };
  return <SignInPage to={ownPath(to)} {...(problem ? { problem } : {})} onSignedIn={enter} />;
}
