import { useParams } from "@tanstack/react-router";
import { TrialShell } from "@/features/admin/shell/trial-shell";
import { AccountMenu } from "../account-menu";

export default function TrialRoute() {
  const { trialId, section } = useParams({ strict: false });
  return <TrialShell trialId={trialId ?? ""} section={section} account={<AccountMenu />} />;
}
