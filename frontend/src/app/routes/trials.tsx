import { TrialsPage } from "@/features/admin/trials/trials-page";
import { AccountMenu } from "../account-menu";

export default function TrialsRoute() {
  return <TrialsPage account={<AccountMenu />} />;
}
