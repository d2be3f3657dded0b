import { useParams } from "@tanstack/react-router";
import { StopRemindersPage } from "@/features/invitation/stop-reminders-page";

export default function RemindersRoute() {
  const { token } = useParams({ from: "/reminders/$token" });
  return <StopRemindersPage token={token} />;
}
