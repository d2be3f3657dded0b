import { useNavigate, useParams } from "@tanstack/react-router";
import { sessionQuery } from "@/api/session";
import type { Session } from "@/api/types";
import { InvitationPage } from "@/features/invitation/invitation-page";
import { queryClient } from "../query-client";

export default function InvitationRoute() {
  const { token } = useParams({ from: "/invitations/$token" });
  const navigate = useNavigate();
  const enter = async (session: Session): Promise<void> => {
    queryClient.clear();
    queryClient.setQueryData(sessionQuery.queryKey, session);
    await navigate({ to: "/" });
  };
  return <InvitationPage token={token} onAccepted={enter} />;
}
