import { useNavigate, useParams } from "@tanstack/react-router";
import type { Session } from "@/api/types";
import { InvitationPage } from "@/features/invitation/invitation-page";
import { enterAs } from "../query-client";

export default function InvitationRoute() {
  const { token } = useParams({ from: "/invitations/$token" });
  const navigate = useNavigate();
  const enter = async (session: Session): Promise<void> => {
    enterAs(session);
    await navigate({ to: "/" });
  };
  return <InvitationPage token={token} onAccepted={enter} />;
}
